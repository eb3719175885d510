from dataclasses import replace

import pytest
import torch
from torch import nn

from latprof import captured, frontends
from latprof.captured import capture, last_captured
from latprof.errors import WrongWeights
from latprof.frontends.inputs import InputSpec

SOURCE = "from torch import nn\ndef net(): return nn.Sequential(nn.Linear(4, {width}))\n"


@pytest.fixture
def reads(monkeypatch):
    """How often a model was really read."""
    counted = []
    read = frontends.read
    monkeypatch.setattr(
        frontends, "read", lambda *args, **kwargs: counted.append(args) or read(*args, **kwargs)
    )
    return counted


@pytest.fixture
def archive(tmp_path):
    """A network that takes any batch."""
    program = torch.export.export(
        nn.Linear(4, 2).eval(), (torch.zeros(3, 4),), dynamic_shapes=({0: torch.export.Dim("n")},)
    )
    torch.export.save(program, tmp_path / "net.pt2")
    return str(tmp_path / "net.pt2")


@pytest.fixture
def write_factory(tmp_path, monkeypatch):
    """Write a factory into the current directory; each time as if Python were started anew."""
    monkeypatch.chdir(tmp_path)

    def write(width):
        import importlib
        import sys

        sys.modules.pop("factory_of_a_test", None)
        (tmp_path / "factory_of_a_test.py").write_text(SOURCE.format(width=width))
        importlib.invalidate_caches()
        return "factory_of_a_test:net"

    return write


def widths(graph):
    return [tensor.shape[0] for tensor in graph.tensors.values() if tensor.role == "parameter"]


def test_a_file_is_read_once(archive, reads):
    assert capture(archive) == capture(archive)
    assert len(reads) == 1


def test_inputs_batch_and_contents_each_make_another_capture(archive, reads, tmp_path):
    capture(archive)
    capture(archive, inputs=[InputSpec((5, 4))])
    capture(archive, batch=5)
    torch.export.save(torch.export.export(nn.Linear(4, 9).eval(), (torch.zeros(3, 4),)), archive)
    assert widths(capture(archive)) == [9, 9]
    assert len(reads) == 1 + 1 + 2 + 1  # a batch takes one look at the inputs first


def test_a_changed_reader_reads_again(archive, reads, monkeypatch):
    capture(archive)
    monkeypatch.setattr(captured, "_reader_version", lambda: "another")
    capture(archive)
    assert len(reads) == 2


def test_another_version_of_the_library_builds_again(reads, monkeypatch):
    reference = "zoo:mobilenet_v2?size=32"
    capture(reference)
    capture(reference)
    monkeypatch.setattr(captured, "_library_version", lambda name: f"{name} 99")
    capture(reference)
    assert len(reads) == 2


def test_a_factory_is_called_each_time(write_factory):
    assert widths(capture(write_factory(2))) == [2, 2]
    assert widths(capture(write_factory(7))) == [7, 7]
    assert widths(last_captured()) == [7, 7]


def test_weights_are_compared_with_each_arch(write_factory, tmp_path, reads):
    torch.save(nn.Sequential(nn.Linear(4, 2)).state_dict(), tmp_path / "weights.pt")
    path = str(tmp_path / "weights.pt")
    assert widths(capture(path, arch=write_factory(2))) == [2, 2]
    with pytest.raises(WrongWeights):
        capture(path, arch=write_factory(7))
    with pytest.raises(WrongWeights):
        capture(path, arch="zoo:mobilenet_v2?size=32")
    assert len(reads) == 3


def test_weights_of_the_zoo_are_compared_once(tmp_path, reads):
    with torch.device("meta"):
        from latprof.zoo import build

        weights = build("mobilenet_v2")[0].state_dict()
    torch.save(weights, tmp_path / "weights.pt")
    for _ in range(2):
        capture(str(tmp_path / "weights.pt"), arch="zoo:mobilenet_v2?size=32")
    assert len(reads) == 1


def test_a_pickle_is_loaded_each_time_for_its_classes_may_change(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    source = (
        "from torch import nn\nclass ReallyPlain(nn.Linear):\n  def forward(self, x): return {}"
    )
    (tmp_path / "classes_of_a_test.py").write_text(source.format("super().forward(x)"))
    import classes_of_a_test

    torch.save(classes_of_a_test.ReallyPlain(4, 2), tmp_path / "net.pt")
    path = str(tmp_path / "net.pt")
    assert [node.op for node in capture(path, trust=True).nodes] == ["linear"]
    (tmp_path / "classes_of_a_test.py").write_text(source.format("super().forward(x).relu()"))
    assert [node.op for node in capture(path, trust=True).nodes] == ["linear", "relu"]


def test_a_batch_takes_the_place_of_the_first_size(archive):
    graph = capture(archive, batch=8)
    assert [graph.tensors[name].shape for name in graph.inputs] == [(8, 4)]
    assert graph.assumptions == ()
    assert last_captured() == graph


def test_a_batch_keeps_the_word_about_a_guess(write_factory):
    graph = capture(write_factory(2), batch=8)
    assert graph.tensors[graph.inputs[0]].shape == (8, 4)
    assert [said[:30] for said in graph.assumptions] == ["input shape assumed to be 1x4:"]


def test_a_batch_of_named_inputs(write_factory):
    graph = capture(write_factory(2), inputs=[InputSpec((1, 3, 4), name="input")], batch=8)
    assert graph.tensors[graph.inputs[0]].shape == (8, 3, 4)


def test_a_damaged_capture_is_read_again(archive, tmp_path):
    graph = capture(archive)
    for path in (tmp_path / "latprof-home" / "graphs").glob("*.json"):
        path.write_text("{")
    assert replace(capture(archive), source="") == replace(graph, source="")
