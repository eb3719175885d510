import importlib.util
import sys
import warnings
import zipfile
from pathlib import Path
from typing import Optional

import pytest
import torch
from torch import nn

from latprof import frontends
from latprof.errors import CaptureFailed, UnreadableModel, UntrustedModel
from latprof.frontends import InputSpec
from latprof.frontends.patterns.shuffles import join_shuffles
from latprof.frontends.torch import confined
from latprof.frontends.torch import script_interpreter as torch_script_interpreter
from latprof.frontends.torch.module import capture
from latprof.frontends.torch.script_capture import capture_script

# TorchScript is deprecated; saving in it is what these tests are about.
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::UserWarning", "ignore::torch.jit.TracerWarning"
)

SMALL = [InputSpec((1, 3, 8, 8))]


def read(path, inputs=(), trust=False):
    """Read a script here: `frontends.read` starts a process for each, as the last tests do."""
    return join_shuffles(capture_script(Path(path), inputs, trust=trust))


def small_network():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2)).eval()


def trace(module, x):
    return torch.jit.trace(module, x, check_trace=False)


def script(module, x):
    return torch.jit.script(module)


def frozen_trace(module, x):
    return torch.jit.freeze(trace(module, x), optimize_numerics=False)


def frozen_script(module, x):
    return torch.jit.freeze(script(module, x), optimize_numerics=False)


def save(scripted, path):
    torch.jit.save(scripted, path)
    return str(path)


@pytest.mark.parametrize("write", [trace, script, frozen_trace, frozen_script])
@pytest.mark.parametrize("name", ["mobilenet_v3_small", "shufflenet_v2_x0_5"])
def test_a_script_counts_what_capturing_counts(name, write, tmp_path, built, captured, counts):
    module, x = built(name)
    path = save(write(module, x), tmp_path / "script.pt")
    graph = read(path, inputs=[InputSpec(tuple(x.shape))])
    assert counts(graph) == counts(captured(name))


@pytest.mark.parametrize("write", [trace, script])
def test_an_unfrozen_script_keeps_weights_paths_and_settings(write, tmp_path, built, captured):
    module, x = built("shufflenet_v2_x0_5")
    graph = read(save(write(module, x), tmp_path / "script.pt"), inputs=[InputSpec(tuple(x.shape))])
    expected = captured("shufflenet_v2_x0_5")
    for mine, theirs in zip(graph.nodes, expected.nodes, strict=True):
        assert (mine.module, mine.attributes) == (theirs.module, theirs.attributes)
    weights = {name: t for name, t in expected.tensors.items() if t.role == "parameter"}
    assert {name: t for name, t in graph.tensors.items() if t.role == "parameter"} == weights


def test_freezing_with_folding_keeps_macs_and_drops_norms(tmp_path, built, captured, counts):
    module, x = built("mobilenet_v3_small")
    path = save(torch.jit.freeze(torch.jit.script(module)), tmp_path / "script.pt")
    found = counts(read(path, inputs=[InputSpec(tuple(x.shape))]))
    expected = counts(captured("mobilenet_v3_small"))
    assert found["macs"] == expected["macs"]
    assert found["ops"] == [op for op in expected["ops"] if op != "batch_norm"]


@pytest.mark.parametrize("write", [trace, frozen_script])
def test_the_input_is_guessed_from_the_first_weight(write, tmp_path):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval()
    path = save(write(network, torch.zeros(1, 3, 8, 8)), tmp_path / "script.pt")
    graph = read(path)
    assert graph.tensors[graph.inputs[0]].shape == (1, 3, 224, 224)
    assert "input shape assumed to be 1x3x224x224" in graph.assumptions[-1]


def test_a_frozen_script_says_that_its_weights_have_no_names(tmp_path):
    path = save(frozen_script(small_network(), None), tmp_path / "script.pt")
    graph = read(path, inputs=SMALL)
    assert "keeps no names" in graph.assumptions[0]
    assert graph.tensors["conv2d.weight"].shape == (4, 3, 3, 3)


class Branches(nn.Module):
    """Control flow by sizes, lists, dicts, optional and scalar arguments, a shared module."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x, scale: Optional[torch.Tensor] = None, times: int = 2):  # noqa: UP045
        kept: list[torch.Tensor] = []
        for i, layer in enumerate(self.layers):
            x = self.relu(layer(x)) if i % 2 == 0 and x.shape[0] > 1 else layer(x) + x
            kept.append(x)
        if scale is not None:
            x = x * scale
        while times > 0:
            x = x - times
            times -= 1
        return {"x": x, "all": torch.cat(kept, 1)}


def test_control_flow_is_followed_by_sizes(tmp_path, counts):
    path = save(torch.jit.script(Branches().eval()), tmp_path / "script.pt")
    graph = read(path, inputs=[InputSpec((2, 4))])
    expected = capture(Branches(), [InputSpec((2, 4))], name="branches")
    assert counts(graph) == counts(expected)
    assert [node.module for node in graph.nodes] == [node.module for node in expected.nodes]
    assert [node.module for node in graph.nodes if node.op == "linear"] == [
        "layers.0", "layers.1", "layers.2",
    ]  # fmt: skip
    assert len(graph.outputs) == 2


def test_inputs_by_name(tmp_path):
    path = save(torch.jit.script(Branches().eval()), tmp_path / "script.pt")
    graph = read(path, inputs=[InputSpec((2, 1), name="scale"), InputSpec((2, 4), name="x")])
    assert graph.inputs == ("x", "scale")
    assert "mul" in [node.op for node in graph.nodes]


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.memory = nn.Embedding(10, 4), nn.LSTM(4, 6, batch_first=True)

    def forward(self, x):
        return self.memory(self.words(x))[0]


@pytest.mark.parametrize("write", [trace, script])
def test_weights_reached_under_two_names_count_once(write, tmp_path, counts):
    x = torch.zeros(2, 5, dtype=torch.int64)
    graph = read(
        save(write(Recurrent().eval(), x), tmp_path / "script.pt"),
        inputs=[InputSpec((2, 5), "int64")],
    )
    params = sum(p.numel() for p in Recurrent().parameters())
    assert sum(t.elements for t in graph.tensors.values() if t.role == "parameter") == params


@pytest.mark.parametrize("write", [trace, script])
def test_shared_frozen_and_unread_weights(write, tmp_path, odd_weights, weights_told):
    module, tokens = odd_weights
    path = save(write(module, tokens), tmp_path / "script.pt")
    graph = read(path, inputs=[InputSpec(tuple(tokens.shape), "int64")])
    assert weights_told(graph) == weights_told(None)


@pytest.mark.parametrize("write", [trace, script])
def test_tokens_are_guessed_from_an_embedding(write, tmp_path, odd_weights):
    graph = read(save(write(*odd_weights), tmp_path / "script.pt"))
    assert [(t.shape, t.dtype) for t in map(graph.tensors.get, graph.inputs)] == [
        ((1, 128), "int64")
    ]


class ByContents(nn.Module):
    def forward(self, x):
        if x.sum() > 0:
            x = x + 1
        return x


class Endless(nn.Module):
    def forward(self, x, n: int = 1):
        while n > 0:
            n += 1
        return x


class TooLong(nn.Module):
    def forward(self, x):
        return x + len([0] * 1_000_000_000_000)


class Refusing(nn.Module):
    def forward(self, x):
        if x.shape[-1] < 64:
            raise ValueError("images must be larger")
        return x


class Writing(nn.Module):
    """Writes a file when it runs, by the two ways TorchScript has."""

    path: str

    def __init__(self, path):
        super().__init__()
        self.path = path

    def forward(self, x):
        torch.save(x, self.path)
        return x + torch.from_file(self.path, True, 4).sum()


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (ByContents(), "decides by what a tensor holds"),
        (Endless(), "still running after 5000 steps"),
        (TooLong(), "a list or text longer than"),
        (Refusing(), "images must be larger"),
        (nn.Conv2d(5, 4, 3), "conv2d failed"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_what_cannot_be_followed_is_said_with_what_to_do(tmp_path, monkeypatch, module, said):
    monkeypatch.setattr(torch_script_interpreter, "MAX_STEPS", 5000)
    path = save(torch.jit.script(module.eval()), tmp_path / "script.pt")
    with pytest.raises(CaptureFailed) as caught:
        read(path, inputs=SMALL)
    assert said in str(caught.value)
    assert "inputs 1x3x8x8" in str(caught.value)
    assert "torch.export.save" in str(caught.value)


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ([InputSpec((1, 3, 8, 8))] * 2, "--input names more or others"),
        ([InputSpec((1, 3, 8, 8), name="image")], "leaves out"),
    ],
)
def test_inputs_that_do_not_fit_the_script(tmp_path, inputs, said):
    path = save(torch.jit.trace(small_network(), torch.zeros(1, 3, 8, 8)), tmp_path / "script.pt")
    with pytest.raises(CaptureFailed, match=said):
        read(path, inputs=inputs)


@pytest.mark.parametrize("trust", [False, True])
def test_a_script_cannot_write_files_while_it_is_followed(tmp_path, marker, trust):
    path = save(torch.jit.script(Writing(str(marker))), tmp_path / "script.pt")
    with pytest.raises(CaptureFailed, match="which latprof does not run"):
        read(path, inputs=SMALL, trust=trust)
    assert not marker.exists()


def module_from(source, tmp_path):
    """Import `source`: TorchScript compiles only what it finds in a file."""
    path = tmp_path / "written_by_the_test.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
        yield module
    finally:
        del sys.modules[path.stem]


@pytest.fixture
def runs_when_loaded(tmp_path, marker):
    """A TorchScript archive whose loading writes a file."""
    source = f"""
import torch
class Trap(torch.nn.Module):
    def forward(self, x):
        return x + 1
    @torch.jit.export
    def __getstate__(self):
        return (self.training,)
    @torch.jit.export
    def __setstate__(self, state: tuple[bool]):
        self.training = state[0]
        torch.save(torch.zeros(1), {str(marker)!r})
"""
    for module in module_from(source, tmp_path):
        yield save(torch.jit.script(module.Trap()), tmp_path / "script.pt")


def test_code_that_runs_while_loading_needs_trust(runs_when_loaded, marker):
    assert not marker.exists()
    with pytest.raises(UntrustedModel, match="__setstate__"):
        frontends.read(runs_when_loaded, inputs=SMALL)
    assert not marker.exists()
    assert len(frontends.read(runs_when_loaded, inputs=SMALL, trust=True).nodes) == 1
    assert marker.exists()  # so the trap is real


@pytest.mark.parametrize("member", ["data.pkl", "constants.pkl"])
@pytest.mark.parametrize("trust", [False, True])
def test_a_hostile_pickle_inside_the_archive_never_runs(tmp_path, member, trust, hostile, marker):
    path = save(torch.jit.trace(small_network(), torch.zeros(1, 3, 8, 8)), tmp_path / "script.pt")
    torch.save(hostile, tmp_path / "trap.pt")
    with zipfile.ZipFile(tmp_path / "trap.pt") as archive:
        trap = archive.read("trap/data.pkl")
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, trap if name.endswith(f"/{member}") else data)
    with pytest.raises(UnreadableModel, match="cannot be loaded"):
        frontends.read(path, inputs=SMALL, trust=trust)
    assert not marker.exists()


def test_the_old_form_that_can_hide_code_is_refused(tmp_path):
    path = save(torch.jit.script(nn.ReLU()), tmp_path / "script.pt")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("script/Model.JSON", "{}")
    with pytest.raises(UnreadableModel, match=r"torch 1\.3 or older"):
        read(path)


def test_a_module_without_forward(tmp_path):
    path = save(torch.jit.script(nn.Module()), tmp_path / "script.pt")
    with pytest.raises(UnreadableModel, match="without forward"):
        read(path)


def test_reading_does_not_warn(tmp_path):
    path = save(torch.jit.trace(small_network(), torch.zeros(1, 3, 8, 8)), tmp_path / "script.pt")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frontends.read(path, inputs=SMALL)


def test_a_script_whose_loading_ends_the_process_is_unreadable(tmp_path, monkeypatch):
    monkeypatch.setattr(confined, "_BOOT", "import os; os.abort()")
    path = save(torch.jit.script(nn.ReLU()), tmp_path / "script.pt")
    with pytest.raises(UnreadableModel, match=r"ended without an answer \(signal 6\)"):
        frontends.read(path, inputs=SMALL)
