"""Files that are trusted and do not deserve it: what their code can do, and what it cannot."""

import os
import socket
import time
from pathlib import Path

import pytest
import torch
from torch import nn

from latprof.errors import CaptureFailed, UnreadableModel
from latprof.frontends import InputSpec, read
from latprof.frontends.torch.confined import Limits, _graph, capture_confined

INPUT = [InputSpec((1, 3, 8, 8))]


class Runs:
    """Calls a function when it is unpickled."""

    def __init__(self, function, *arguments):
        self.made = (function, arguments)

    def __reduce__(self):
        return self.made


@pytest.fixture
def saved(tmp_path):
    """A network beside which a call is pickled."""

    def saved(function, *arguments):
        path = tmp_path / "model.pt"
        network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
        torch.save({"model": network, "trap": Runs(function, *arguments)}, path)
        return path

    return saved


def test_the_graph_is_that_of_the_network(saved):
    graph = capture_confined(saved(str, 1), INPUT, "torch_pickle")
    assert [node.op for node in graph.nodes] == ["conv", "relu"]
    assert graph.name == "model"


def test_errors_are_those_of_reading_it_here(saved):
    with pytest.raises(CaptureFailed, match="does not run on inputs 1x5x8x8"):
        capture_confined(saved(str, 1), [InputSpec((1, 5, 8, 8))], "torch_pickle")


def test_its_code_sees_no_secret_of_the_environment(saved, tmp_path, monkeypatch):
    monkeypatch.setenv("SOME_TOKEN", "a secret")
    seen = tmp_path / "seen"
    read(str(saved(os.system, f"env > {seen}")), inputs=INPUT, trust=True)
    assert "PATH=" in seen.read_text()
    assert "SOME_TOKEN" not in seen.read_text()


def test_its_code_reaches_no_network(saved, capfd):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.0)
        address = ("127.0.0.1", server.getsockname()[1])
        with pytest.raises(UnreadableModel, match="cannot be loaded"):
            read(str(saved(socket.create_connection, address, 5.0)), inputs=INPUT, trust=True)
        with pytest.raises(BlockingIOError):
            server.accept()


def test_what_its_code_prints_is_not_ours(saved, capfd):
    graph = read(str(saved(print, "hello", "there")), inputs=INPUT, trust=True)
    assert graph.nodes
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("function", "arguments", "said"),
    [
        (os._exit, (3,), r"ended without an answer \(exit code 3\)"),
        (os.abort, (), r"ended without an answer \(signal 6\)"),
        (exit, (), "SystemExit"),
    ],
    ids=["_exit", "abort", "exit"],
)
def test_code_that_ends_its_process(saved, function, arguments, said):
    with pytest.raises(UnreadableModel, match=said):
        capture_confined(saved(function, *arguments), INPUT, "torch_pickle")


def test_code_that_never_ends_is_ended(saved):
    started = time.monotonic()
    with pytest.raises(UnreadableModel, match="still at it after 6 s"):
        capture_confined(saved(time.sleep, 1000), INPUT, "torch_pickle", Limits(seconds=6))
    assert time.monotonic() - started < 20


def test_what_it_started_does_not_keep_us_waiting(saved):
    path = saved(os.system, "sleep 1000 &")
    assert capture_confined(path, INPUT, "torch_pickle").nodes


@pytest.mark.parametrize("size", [3 * 10**9, 10**12])
def test_code_that_fills_the_memory_is_ended(saved, size):
    limits = Limits(memory_bytes=2 * 10**9)
    with pytest.raises(UnreadableModel, match="takes more memory to load than"):
        capture_confined(saved(bytearray, size), INPUT, "torch_pickle", limits)


def test_processes_that_share_the_load_are_added_up(saved):
    fill = "import time; held = b'x' * 10**9; time.sleep(60)"
    path = saved(os.system, f'python3 -c "{fill}" & python3 -c "{fill}"')
    with pytest.raises(UnreadableModel, match=r"more than 1\.4 GiB of memory"):
        capture_confined(path, INPUT, "torch_pickle", Limits(memory_bytes=int(1.4 * 2**30)))


def test_an_answer_that_its_code_forged_is_checked(tmp_path):
    # The code answers in the place of the process, on every channel that it finds open.
    forged = b'{"graph": {"format": "latprof graph", "schema": 1}}'
    code = (
        f"import os\nfor channel in range(3, 20):\n try: os.write(channel, {forged!r} + b'\\n')\n"
    )
    code += " except OSError: pass\nos._exit(0)"
    torch.save({"model": nn.ReLU(), "trap": Runs(exec, code)}, tmp_path / "model.pt")
    with pytest.raises(UnreadableModel, match="this latprof graph is broken"):
        capture_confined(tmp_path / "model.pt", INPUT, "torch_pickle")


@pytest.mark.parametrize("said", [7, [], {}, {"graph": 7}, {"error": []}, {"error": "KeyError"}])
def test_answers_that_are_none_are_unreadable(said):
    with pytest.raises(UnreadableModel):
        _graph(said, Path("model.pt"))


def test_a_doubt_where_the_network_cannot_be_cut(saved, monkeypatch):
    from latprof.frontends.torch import confined

    boot = "from latprof.frontends.torch import confinement as ours\n"
    boot += "ours._enter_empty_network = ours._filter_sockets = lambda: False\n"
    monkeypatch.setattr(confined, "_BOOT", confined._BOOT.replace("from", boot + "from", 1))
    graph = capture_confined(saved(str, 1), INPUT, "torch_pickle")
    assert graph.assumptions[-1].startswith("the code in the file could have used the network")


def test_a_large_network_costs_no_weights(tmp_path):
    wide = nn.Sequential(*(nn.Linear(4096, 4096, bias=False) for _ in range(12)))  # 805 MB
    torch.save(wide, tmp_path / "wide.pt")
    limits = Limits(memory_bytes=700 * 10**6)
    inputs = [InputSpec((1, 4096))]
    graph = capture_confined(tmp_path / "wide.pt", inputs, "torch_pickle", limits)
    assert len(graph.nodes) == 12
    Path(tmp_path / "wide.pt").unlink()
