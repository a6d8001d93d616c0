"""Weights of others are matched by names and shapes, and nothing in their files is run."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
import torch
import torchvision
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from vtbench.benchmark.errors import UsageError
from vtbench.benchmark.external import NORMALIZATIONS, Reading, external_row
from vtbench.benchmark.external_encoder import STATISTICS, bring_in, load, renormalized
from vtbench.benchmark.registry import methods
from vtbench.benchmark.rows import select_rows
from vtbench.benchmark.spec import Spec
from vtbench.benchmark.weights import read
from vtbench.methods.encoder import Encoder

State = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def state() -> State:
    return Encoder(width=4).state_dict()


def prefixed(state: State, prefix: str) -> State:
    return {prefix + key: tensor for key, tensor in state.items()}


def numbered(state: State) -> State:
    numbers = {"conv1": "0", "bn1": "1", "layer1": "4", "layer2": "5", "layer3": "6", "layer4": "7"}
    parts = {key: key.partition(".") for key in state}
    return {f"{numbers[a]}.{b}": state[key] for key, (a, _, b) in parts.items()}


# Layouts as they are met: (what is saved, the prefix that is found)
LAYOUTS = {
    "plain": lambda s: s,
    "with a head": lambda s: s | {"fc.weight": torch.zeros(3, 32), "fc.bias": torch.zeros(3)},
    "parallel": lambda s: prefixed(s, "module."),
    "backbone": lambda s: prefixed(s, "backbone.") | {"head.0.weight": torch.zeros(3, 32)},
    "lightning": lambda s: {"state_dict": prefixed(s, "encoder."), "epoch": 3},
    "moco": lambda s: {
        "arch": "resnet18",
        "state_dict": prefixed(s, "module.encoder_q.")
        | prefixed({k: v + 1 for k, v in s.items()}, "module.encoder_k."),
    },
    "momentum": lambda s: prefixed(s, "backbone.") | prefixed(s, "backbone_momentum."),
    "model": lambda s: {"model": s, "optimizer": {"lr": 0.1}},
    "sequential": lambda s: prefixed(numbered(s), "backbone."),
    "half precision": lambda s: {k: v.half() if v.is_floating_point() else v for k, v in s.items()},
    "without counters": lambda s: {k: v for k, v in s.items() if "num_batches" not in k},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_common_layouts_are_read(layout: str, state: State, tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    torch.save(LAYOUTS[layout](state), path)
    found = read(path)

    assert (found.backbone, found.width, found.max_pool) == ("resnet18", 4, True)
    for key, tensor in state.items():
        torch.testing.assert_close(found.tensors[key], tensor, rtol=1e-3, atol=1e-3)


def test_safetensors_are_read_whatever_the_file_is_called(state: State, tmp_path: Path) -> None:
    save_file(state, tmp_path / "w.bin")

    assert torch.equal(read(tmp_path / "w.bin").tensors["conv1.weight"], state["conv1.weight"])


def test_a_network_of_several_is_chosen_by_prefix(state: State, tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    torch.save(prefixed(state, "left.") | prefixed(state, "right."), path)

    with pytest.raises(UsageError, match=r"several networks; choose one .*'left', 'right'"):
        read(path)
    assert read(path, Reading(prefix="right")).prefix == "right."
    with pytest.raises(UsageError, match="no network under 'top'"):
        read(path, Reading(prefix="top"))


def test_a_network_without_a_prefix_is_named_by_a_dot(state: State, tmp_path: Path) -> None:
    torch.save(state, tmp_path / "one.pt")
    with pytest.raises(UsageError, match="its only one has no prefix, so leave :prefix out"):
        read(tmp_path / "one.pt", Reading(prefix="top"))
    torch.save(state | prefixed(state, "other."), tmp_path / "two.pt")
    with pytest.raises(UsageError, match=r"NAME, of '\.' \(the one without\), 'other'"):
        read(tmp_path / "two.pt")
    assert read(tmp_path / "two.pt", Reading(prefix=".")).prefix == ""


@pytest.mark.parametrize("stages", [(3,), (2, 4)])
def test_missing_stages_are_named(stages: tuple[int, ...], state: State, tmp_path: Path) -> None:
    gone = tuple(f"layer{stage}" for stage in stages)
    torch.save({k: v for k, v in state.items() if not k.startswith(gone)}, tmp_path / "w.pt")

    with pytest.raises(UsageError, match=f"lacks {' and '.join(gone)} of a ResNet's four stages"):
        read(tmp_path / "w.pt")


@pytest.mark.filterwarnings("error")
def test_a_refused_pickle_is_told_without_warnings_of_torch(tmp_path: Path) -> None:
    (tmp_path / "w.pt").write_bytes(pickle.dumps({"model": Path("x")}, protocol=4))

    with pytest.raises(UsageError, match="could run code"):
        read(tmp_path / "w.pt")


def without(state: State, *keys: str) -> State:
    return {key: tensor for key, tensor in state.items() if key not in keys}


def prefixed_block(state: State) -> State:
    block = {k: v for k, v in state.items() if k.startswith("layer1.1.")}
    return state | {k.replace("layer1.1.", "layer1.2."): v for k, v in block.items()}


WRONG = {
    "missing": (
        lambda s: without(s, "layer3.1.bn2.bias", "bn1.weight"),
        "missing: bn1.weight, layer3.1.bn2.bias",
    ),
    "unexpected": (
        lambda s: s | {"layer1.0.se.fc.weight": torch.zeros(2)},
        "unexpected: layer1.0.se.fc.weight",
    ),
    "shape": (lambda s: s | {"layer2.0.conv1.weight": torch.zeros(9, 4, 3, 3)}, "layer2.0.conv1"),
    "stem": (lambda s: s | {"conv1.weight": torch.zeros(4, 3, 3, 3)}, "7 x 7"),
    "grey": (lambda s: s | {"conv1.weight": torch.zeros(4, 1, 7, 7)}, "colour images"),
    "no stem": (lambda s: without(s, "conv1.weight"), "lacks conv1.weight"),
    "blocks": (prefixed_block, "3, 2, 2, 2 basic blocks"),
    "integers": (lambda s: s | {"bn1.weight": torch.ones(4, dtype=torch.int64)}, "torch.int64"),
    "values": (lambda s: s | {"bn1.weight": torch.full((4,), float("nan"))}, "not finite"),
    "transformer": (lambda s: {"blocks.0.attn.qkv.weight": torch.zeros(2)}, "holds no ResNet"),
    "nothing": (lambda s: {"epoch": 3}, "no state dict"),
    "a tensor": (lambda s: torch.zeros(3), "no state dict"),
    "a list": (lambda s: [1, 2], "no state dict"),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG)
def test_what_does_not_fit_is_named_in_one_sentence(
    kind: str, state: State, tmp_path: Path
) -> None:
    make, said = WRONG[kind]
    torch.save(make(state), tmp_path / "w.pt")

    with pytest.raises(UsageError) as caught:
        read(tmp_path / "w.pt")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


class Trap:
    """Unpickled, it leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple:
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("legacy", [True, False])
def test_a_pickle_is_never_run(legacy: bool, state: State, tmp_path: Path) -> None:
    path, sprung = tmp_path / "w.pt", tmp_path / "sprung"
    torch.save(
        {"state_dict": state, "x": Trap(sprung)}, path, _use_new_zipfile_serialization=not legacy
    )

    with pytest.raises(UsageError, match="could run code"):
        read(path)
    assert not sprung.exists()


@given(st.binary(max_size=200))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_file_is_weights_or_one_sentence(tmp_path: Path, content: bytes) -> None:
    for name in ("w.pt", "w.safetensors"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UsageError):
            read(tmp_path / name)


def test_deeper_networks_are_recognised(tmp_path: Path) -> None:
    network = torchvision.models.resnet50(weights=None)
    torch.save(network.state_dict(), tmp_path / "w.pt")
    found = read(tmp_path / "w.pt")

    assert (found.backbone, found.width, len(found.left_out)) == ("resnet50", 64, 2)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_images_reach_the_encoder_as_it_wants_them(normalization: str) -> None:
    encoder = Encoder(width=4).eval()
    pixels = torch.rand(2, 3, 32, 32)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in STATISTICS[normalization])
    ours = renormalized(encoder, normalization).eval()((pixels - 0.5) / 0.5)

    theirs = encoder((pixels - mean) / std)
    torch.testing.assert_close(ours.embedding, theirs.embedding, rtol=1e-4, atol=1e-5)


# ---------------------------------------------------------------------------------- rows


def row(text: str):
    return external_row(Spec.parse(text))


def test_the_content_of_the_file_is_the_identity(
    state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(state, "a.pt")
    Path("b.pt").write_bytes(Path("a.pt").read_bytes())
    torch.save(prefixed(state, "x."), "c.pt")
    a, b, c = (row(f"external:weights={name}") for name in ("a.pt", "b.pt", "c.pt"))

    assert a.spec == b.spec != c.spec
    assert (a.title, b.title) == ("External: a.pt", "External: b.pt")
    assert Spec.parse(str(a.spec)) == a.spec
    assert a.spec != row("external:normalization=imagenet:weights=a.pt").spec


def test_paths_may_hold_what_checkpoints_are_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("epoch=3-step=200.ckpt", "мои_веса.pt", "v1.0+a@b%.pt"):
        Path(name).write_bytes(b"x")
        assert row(f"external:weights={name}").file == (tmp_path / name).resolve()


def test_files_of_one_name_have_titles_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in "ab":
        Path(folder).mkdir()
        Path(folder, "w.pt").write_text(folder)
    rows = select_rows(["external:weights=a/w.pt", "external:weights=b/w.pt"], methods())

    assert len({row.title for row in rows}) == 2
    assert all(row.title.startswith("External: w.pt [") for row in rows)


@pytest.mark.parametrize(
    ("text", "said"),
    [("external", "needs a file"), ("external:weights=none.pt", "no file of weights 'none.pt'"),
     ("external:weigths=a.pt", "did you mean 'weights'"),
     ("external:weights=a.pt:normalization=clip", "choose half, imagenet, none"),
     ("external:weights=a.pt:max_pool=2", "true or false"), 
     ("external:weights=.", r"is a folder; .* such as external:weights=a\.pt"),
     ("external:weights=empty", r"empty is a folder; name the file of weights in it\.$"),
     ("external:weights=", "weights has no value; write weights=VALUE"),
     ("external:weights=a.pt:prefix=", "prefix has no value; write prefix=VALUE, or leave prefix")],
)  # fmt: skip
def test_rows_that_cannot_be_are_refused(
    text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.pt").write_bytes(b"x")
    Path("empty").mkdir()

    with pytest.raises(UsageError, match=said):
        row(text)


def test_a_file_that_changes_after_planning_is_not_taken(
    state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(state, "a.pt")
    planned = row("external:weights=a.pt")
    torch.save(prefixed(state, "x."), "a.pt")

    with pytest.raises(UsageError, match="has changed"):
        bring_in(planned, tmp_path / "encoder", "abc")
    assert not (tmp_path / "encoder").exists()


def test_what_is_brought_in_is_loaded_again(
    state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(state, "a.pt")
    asked = row("external:weights=a.pt:max_pool=false:normalization=imagenet")
    summary = bring_in(asked, tmp_path / "encoder", "abc")
    encoder = load(tmp_path / "encoder", summary).eval()
    bare = Encoder(width=4, max_pool=False).eval()
    bare.load_state_dict(state)
    images = torch.randn(2, 3, 32, 32)

    assert torch.equal(encoder(images).embedding, renormalized(bare, "imagenet")(images).embedding)
