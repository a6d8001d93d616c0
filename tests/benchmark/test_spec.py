from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtbench.benchmark import assemble, registry
from vtbench.benchmark.errors import UsageError
from vtbench.benchmark.settings import load_profile
from vtbench.benchmark.spec import Spec, canonical, read_value, split_list

names = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,12}", fullmatch=True)
values = (
    st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.floats(allow_nan=False, allow_infinity=False).map(canonical)
    | st.from_regex(r"[g-z][a-z_]{1,8}", fullmatch=True).filter(
        lambda text: isinstance(read_value(text), str)
    )
)
specs = st.builds(
    lambda name, settings: Spec.of(name, **settings),
    names,
    st.dictionaries(names, values, max_size=4),
)


@given(specs)
def test_parsing_the_text_of_a_spec_gives_the_spec(spec: Spec) -> None:
    assert Spec.parse(str(spec)) == spec


@given(specs)
def test_the_text_is_canonical(spec: Spec) -> None:
    text = str(spec)

    assert str(Spec.parse(text)) == text


def test_order_and_spelling_of_settings_do_not_matter() -> None:
    assert Spec.parse("sarl:sal=0.20:ram=0.0") == Spec.parse("sarl:ram=0:sal=2e-1")


@pytest.mark.parametrize(
    "text", ["", ":a=1", "sarl:", "sarl:ram", "sarl:=1", "sarl:ram=", "sarl:ram=0:ram=1", "1sarl",
             "sarl:ram=a b", "../sarl", "sarl:ram=0;rm"],
)  # fmt: skip
def test_what_is_no_spec_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match=r"sarl|twice"):
        Spec.parse(text)


def test_a_setting_that_a_comma_cuts_off_is_told_to_follow_a_colon() -> None:
    with pytest.raises(UsageError, match="settings follow a name and one another after colons"):
        Spec.parse("prefix=x")


@pytest.mark.parametrize("text", ["inf", "-inf", "1e400", "nan"])
def test_what_is_no_finite_number_is_quoted_as_it_was_typed(text: str) -> None:
    with pytest.raises(UsageError, match=f"In 'sarl:ram={text}', ram must be a finite number"):  # noqa: PT012
        spec = Spec.parse(f"sarl:ram={text}")
        assemble.resolve(registry.methods()["sarl"], spec, load_profile("quick").settings.pretrain)


@given(st.text(max_size=40))
def test_any_text_is_a_spec_or_a_usage_error(text: str) -> None:
    try:
        assert Spec.parse(str(Spec.parse(text))) == Spec.parse(text)
    except UsageError as error:
        assert str(error)


def test_lists_split_at_commas_and_spaces_without_repeats() -> None:
    assert split_list(["sarl,byol", " simclr  sarl "]) == ["sarl", "byol", "simclr"]


@pytest.mark.parametrize("text", ["byol:ema=true", "sarl:ram=false", "simclr:lr=true"])
def test_true_is_no_number(text: str) -> None:
    spec = Spec.parse(text)
    with pytest.raises(UsageError, match="is no switch"):
        assemble.resolve(
            registry.methods()[spec.name], spec, load_profile("quick").settings.pretrain
        )
