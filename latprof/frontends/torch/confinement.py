"""What a process does to itself before it runs a stranger's code: limits, and no network.

Everything here is one way: once given up, the process cannot get it back.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import signal
import sys
from pathlib import Path
from typing import Any

# <linux/sched.h>, <linux/prctl.h>
_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000
_SET_DEATH_SIGNAL, _SET_SECCOMP, _NO_NEW_PRIVILEGES = 1, 22, 38

# <linux/audit.h>, <asm/unistd.h>: how the kernel calls a processor, and its number for socket().
_SOCKET_CALLS = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
_IO_URING_SETUP = 425  # the same everywhere; a ring could open sockets without the call
_FOREIGN_CALLS = 0x40000000  # x86-64 takes the calls of its 32-bit cousin from here on

# <linux/filter.h>, <linux/seccomp.h>
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _DENY = 0x7FFF0000, 0x00050001  # the low half of the second is EPERM


def limit_resources(memory_bytes: int, seconds: int) -> None:
    """Let this process take no more memory and processor time than this, where that can be."""
    try:
        import resource
    except ImportError:  # Windows; whoever started us watches too
        return
    for limit, most in (
        (resource.RLIMIT_DATA, memory_bytes),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(limit)
        if hard != resource.RLIM_INFINITY:
            most = min(most, hard)
        with contextlib.suppress(ValueError, OSError):  # a system without that limit
            resource.setrlimit(limit, (most, most))


def die_with_parent() -> None:
    """Be killed when the process that started this one ends."""
    if sys.platform == "linux":
        _libc().prctl(_SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)


def cut_network() -> tuple[str, ...]:
    """Make sockets useless to this process and its children; the ways that worked come back.

    Must be called before any thread is started. On Linux the process moves to a network of its
    own, where there is nobody, and a filter refuses new sockets; elsewhere only Python's own are
    refused, which a determined file can get around.
    """
    ways = []
    if sys.platform == "linux":
        ways += ["namespace"] if _enter_empty_network() else []
        ways += ["filter"] if _filter_sockets() else []
    sys.addaudithook(_refuse_sockets)
    return tuple(ways)


def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def _enter_empty_network() -> bool:
    user, group = os.getuid(), os.getgid()
    if _libc().unshare(_NEW_USER | _NEW_NETWORK) != 0:
        # Some systems forbid new user namespaces; root needs none.
        return bool(_libc().unshare(_NEW_NETWORK) == 0)
    with contextlib.suppress(OSError):  # we would be called nobody, which harms nobody
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    return True


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_ushort), ("if_true", ctypes.c_ubyte), ("if_false", ctypes.c_ubyte),
        ("value", ctypes.c_uint32),
    )  # fmt: skip


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.POINTER(_Instruction)))


def _filter_sockets() -> bool:
    """Have the kernel answer socket() with "not permitted" from now on."""
    known = _SOCKET_CALLS.get(platform.machine())
    if known is None:
        return False
    processor, socket_call = known
    # A little program that the kernel runs on each call: offset 4 of what it is given is the
    # processor, offset 0 the number of the call. Jumps count from the next instruction.
    program = [
        (_LOAD, 0, 0, 4),
        (_IF_EQUAL, 0, 5, processor),
        (_LOAD, 0, 0, 0),
        (_IF_AT_LEAST, 3, 0, _FOREIGN_CALLS),
        (_IF_EQUAL, 2, 0, socket_call),
        (_IF_EQUAL, 1, 0, _IO_URING_SETUP),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _DENY),
    ]
    instructions = (_Instruction * len(program))(*(_Instruction(*step) for step in program))
    held = _Program(len(program), instructions)
    libc = _libc()
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
        return False
    return bool(libc.prctl(_SET_SECCOMP, 2, ctypes.byref(held), 0, 0) == 0)


_NETWORK_EVENTS = (
    "socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo",
    "socket.gethostbyname", "socket.gethostbyaddr",
)  # fmt: skip


def _refuse_sockets(event: str, _: Any) -> None:
    if event in _NETWORK_EVENTS:
        raise PermissionError("latprof lets no model file use the network")
