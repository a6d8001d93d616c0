"""A record is written the same way every time, read back unchanged, and checked strictly."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vtbench.results.errors import RecordError
from vtbench.results.record import MetricFacts, NewerRecordError, Record

finite = st.floats(allow_nan=False, allow_infinity=False)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | finite | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=10,
)
nested = st.dictionaries(st.text(max_size=5), plain, max_size=4)


@settings(deadline=None, max_examples=60)
@given(top1=finite, seed=st.integers(0, 2**40), config=nested, training=st.none() | nested)
def test_reading_gives_back_what_was_written(make_record, top1, seed, config, training):
    record = make_record(
        seed=seed, scores={"top1": top1}, settings=config, training=training, provenance=config
    )

    assert Record.from_json(record.to_json()) == record
    assert Record.from_json(record.to_json()).to_json() == record.to_json()


@settings(deadline=None, max_examples=60)
@given(content=st.text() | st.binary() | plain.map(json.dumps))
def test_any_other_content_is_refused_by_name(content):
    with pytest.raises(RecordError, match=r"^cells/x\.json: "):
        Record.from_json(content, file="cells/x.json")


def test_the_text_does_not_depend_on_the_order_of_keys(make_record):
    one = make_record(scores={"top1": 1.0, "top5": 2.0}, settings={"a": 1, "b": 2})
    other = make_record(scores={"top5": 2.0, "top1": 1.0}, settings={"b": 2, "a": 1})

    assert one.to_json() == other.to_json()


def test_the_text_has_sorted_keys_one_space_of_indent_and_a_last_newline(make_record):
    lines = make_record(scores={"top1": 50.0}).to_json().split("\n")

    assert lines[:2] == ["{", ' "code": {']
    assert lines[-2:] == ["}", ""]


def test_tuples_and_numpy_scalars_become_plain(make_record):
    record = make_record(
        scores={"top1": np.float32(0.5)}, settings={"size": (1, np.int64(2))}, seed=np.int64(3)
    )

    assert record.settings == {"size": [1, 2]}
    assert type(record.scores["top1"]) is float
    assert Record.from_json(record.to_json()) == record


def test_a_record_does_not_change_with_the_settings_it_was_made_of(make_record):
    given = {"probe": {"lr": 0.1}}
    record = make_record(scores={"top1": 1.0}, settings=given)
    given["probe"]["lr"] = 9.0

    assert record.settings == {"probe": {"lr": 0.1}}


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf"), np.float32("nan")])
@pytest.mark.parametrize("place", ["scores", "settings", "provenance", "training"])
def test_numbers_that_are_not_finite_are_refused(make_record, place, bad):
    with pytest.raises(RecordError, match=rf"{place}\.top1 is .*only finite numbers"):
        make_record(**{"scores": {"top1": 1.0}, place: {"top1": bad}})


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_not_finite_are_refused_in_files(make_record, literal):
    content = make_record(scores={"top1": 12.5}).to_json().replace("12.5", literal)

    with pytest.raises(RecordError, match=r"f\.json: scores\.top1 is .*only finite numbers"):
        Record.from_json(content, file="f.json")


BAD_FIELDS = [
    ({"schema": 0}, "schema must be 1 to 3, not 0"),
    ({"schema": True}, "schema must be a whole number"),
    ({"id": "../../x"}, "id must be 6 to 64 hexadecimal digits"),
    ({"id": "ABCDEF12"}, "id must be 6 to 64 hexadecimal digits"),
    ({"method": ""}, "method must not be empty"),
    ({"method": 3}, "method must be text, not a value of type int"),
    ({"role": "winner"}, "role must be one of method, control, reference, not 'winner'"),
    ({"role": ["method"]}, "role must be one of"),
    ({"status": "running"}, "status must be one of done, failed"),
    ({"seed": -1}, "seed must be at least 0"),
    ({"seed": 1.0}, "seed must be a whole number"),
    ({"seed": True}, "seed must be a whole number"),
    ({"scores": {"top1": "high"}}, "scores.top1 must be a number"),
    ({"scores": {"top1": True}}, "scores.top1 must be a number"),
    ({"scores": [1.0]}, "scores must be a mapping"),
    ({"scores": {}}, "scores lacks the primary metric top1"),
    ({"scores": {"top1": 1.0, "f1": 1.0}}, "scores without a description in metrics: f1"),
    ({"metrics": []}, "scores without a description"),
    ({"metrics": [{}]}, "metrics lacks better, decimals"),
    ({"metrics": {}}, "metrics must be a list"),
    ({"data": {}}, "data lacks dataset"),
    ({"data": None}, "data must be a mapping"),
    ({"notes": "text"}, "notes must be a list"),
    ({"notes": [1]}, "notes must be text"),
    ({"code": {"method": 1}}, "code.method must be text"),
    ({"training": []}, "training must be a mapping"),
    ({"predictions": "../outside.npy"}, "predictions must be a path inside the store"),
    ({"predictions": "/etc/passwd"}, "predictions must be a path inside the store"),
    ({"predictions": "a\\..\\..\\b"}, "predictions must be a path inside the store"),
    ({"error": "but it is done"}, "a done record must have no error"),
    ({"status": "failed"}, "a failed record must have no scores"),
    ({"status": "failed", "scores": {}}, "error must be text"),
    ({"status": "failed", "scores": {}, "error": " "}, "error must not be empty"),
    ({"colour": 1}, "unknown keys: colour"),
]


@pytest.mark.parametrize(("change", "reason"), BAD_FIELDS, ids=[r for _, r in BAD_FIELDS])
def test_each_fault_of_a_file_is_named(make_record, change, reason):
    content = json.loads(make_record(scores={"top1": 1.0}).to_json())

    with pytest.raises(RecordError) as caught:
        Record.from_json(json.dumps({**content, **change}), file="cells/f.json")

    assert str(caught.value).startswith("cells/f.json: ")
    assert reason in str(caught.value)


@pytest.mark.parametrize("name", ["id", "schema", "provenance", "val_scores", "notes"])
def test_a_missing_key_is_named(make_record, name):
    content = json.loads(make_record(scores={"top1": 1.0}).to_json())
    del content[name]

    with pytest.raises(RecordError, match=name):
        Record.from_json(json.dumps(content))


def test_a_key_given_twice_is_refused(make_record):
    content = make_record(scores={"top1": 1.0}).to_json()

    with pytest.raises(RecordError, match="given twice"):
        Record.from_json(content.replace('"seed": 0', '"seed": 0, "seed": 1'))


def test_a_source_is_real_or_simulated_and_nothing_else(make_record):
    data = {**make_record().data, "source": "synthetic"}

    with pytest.raises(RecordError, match=r"data\.source must be one of real, simulated"):
        make_record(data=data)


def test_a_record_of_schema_1_was_of_linear_probes_on_its_own_pack(make_record):
    record = make_record(scores={"top1": 1.0})
    content = json.loads(record.to_json())
    del content["protocol"], content["trained_on"], content["digest"]
    read = Record.from_json(json.dumps({**content, "schema": 1}))

    assert read == record
    assert (read.protocol, read.trained_on["pack"]) == ("linear", "vitactip-sim")
    with pytest.raises(RecordError, match="protocol"):
        Record.from_json(json.dumps(content))


def test_a_record_of_schema_2_has_no_digest_and_is_believed(make_record):
    record = make_record(scores={"top1": 1.0})
    content = json.loads(record.to_json())
    del content["digest"]

    assert Record.from_json(json.dumps({**content, "schema": 2})) == record
    with pytest.raises(RecordError, match="lacks digest"):
        Record.from_json(json.dumps(content))


@pytest.mark.parametrize(
    "change",
    [{"scores": {"top1": 1.5}}, {"seed": 1}, {"settings": {}}, {"notes": ["x"]}, {"digest": "0"}],
    ids=lambda change: next(iter(change)),
)
def test_content_that_was_changed_after_it_was_written_is_not_believed(make_record, change):
    content = json.loads(make_record(scores={"top1": 1.0}).to_json())

    with pytest.raises(RecordError, match=r"f\.json: its content was changed after it was written"):
        Record.from_json(json.dumps({**content, **change}), file="f.json")


def test_the_digest_does_not_depend_on_what_may_differ_between_two_runs(make_record):
    one = json.loads(make_record(scores={"top1": 1.0}).to_json())
    other = json.loads(make_record(scores={"top1": 1.0}, provenance={"device": "x"}).to_json())

    assert one["digest"] == other["digest"]
    assert Record.from_json(json.dumps({**one, "provenance": {}})).provenance == {}


def test_a_later_schema_is_told_apart_from_damage(make_record):
    content = json.loads(make_record().to_json())

    with pytest.raises(NewerRecordError, match=r"f\.json: written with schema 4.*update vtbench"):
        Record.from_json(json.dumps({**content, "schema": 4, "more": 1}), file="f.json")


def test_deep_nesting_is_refused_without_a_crash():
    with pytest.raises(RecordError, match="not readable as JSON"):
        Record.from_json("[" * 100_000)


def test_metrics_are_unique_and_complete(make_record):
    top1 = make_record().metrics[0]
    with pytest.raises(RecordError, match="one metric twice"):
        make_record(metrics=(top1, top1))
    with pytest.raises(RecordError, match=r"top1\.better must be one of higher, lower"):
        replace(top1, better="up")
    with pytest.raises(RecordError, match=r"top1\.decimals must be at least 0"):
        MetricFacts(name="top1", label="T", unit="", better="lower", decimals=-1, primary=True)
