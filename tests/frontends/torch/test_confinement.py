"""What a confined process can no longer do, tried in processes of their own."""

import socket
import subprocess
import sys
import textwrap

import pytest

from latprof.frontends.torch import confinement

linux = pytest.mark.skipif(sys.platform != "linux", reason="other systems forbid less")


def run(code, *arguments):
    """What the code prints; its process may be gone after it."""
    code = "from latprof.frontends.torch.confinement import *\n" + textwrap.dedent(code)
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    return done.stdout.strip() or f"exit {done.returncode} {done.stderr[-200:]}"


@pytest.fixture
def port():
    """A port of this machine on which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


CONNECT = """
import socket, sys
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=5)
    print("connected")
except OSError as error:
    print("refused")
"""


def test_without_confinement_the_port_is_reached(port):
    assert run(CONNECT, port) == "connected"


def test_the_network_is_out_of_reach(port):
    assert run("cut_network()" + CONNECT, port) == "refused"


@linux
@pytest.mark.parametrize("way", ["_enter_empty_network", "_filter_sockets"])
def test_each_way_alone_puts_the_network_out_of_reach(port, way):
    code = f"from latprof.frontends.torch import confinement\nok = confinement.{way}()\n"
    said = run(code + "print('' if ok else 'not here')\n" + CONNECT, port)
    if said.startswith("not here"):
        pytest.skip("this system does not offer it")
    assert said == "refused"


@linux
def test_programs_that_it_starts_cannot_reach_it_either(port):
    code = f"""
    ways = cut_network()
    import subprocess, sys
    connect = {CONNECT!r}
    done = subprocess.run([sys.executable, "-c", connect, sys.argv[1]], capture_output=True)
    print(done.stdout.decode().strip() if ways else "refused")
    """
    assert run(code, port) == "refused"


def test_python_itself_refuses_where_the_system_does_not(port):
    hook = "import sys\nfrom latprof.frontends.torch import confinement\n"
    hook += "sys.addaudithook(confinement._refuse_sockets)\n"
    assert run(hook + CONNECT, port) == "refused"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits")
def test_memory_has_an_end():
    code = """
    limit_resources(300 * 2**20, 60)
    try:
        held = bytearray(10**9)
    except MemoryError:
        print("no more")
    """
    assert run(code) == "no more"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits")
def test_processor_time_has_an_end():
    said = run("limit_resources(2**40, 1)\nwhile True: pass")
    assert said.startswith("exit -")


def test_a_limit_that_is_there_already_is_kept_if_it_is_lower():
    resource = pytest.importorskip("resource")
    code = f"""
    import resource
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (5, 5))
    limit_resources(2**40, 60)
    print(resource.getrlimit({resource.RLIMIT_CPU}))
    """
    assert run(code) == "(5, 5)"


def test_an_unknown_processor_has_no_filter(monkeypatch):
    monkeypatch.setattr(confinement.platform, "machine", lambda: "pdp11")
    assert not confinement._filter_sockets()
