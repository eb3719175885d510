"""What kind of file this is, told by its first bytes and its table of contents.

The extension is never trusted: ``.pt`` alone stands for four kinds of file. Nothing is unpickled.
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Literal

from latprof.errors import UnreadableModel
from latprof.frontends.bounded import open_zip

Kind = Literal[
    "pt2", "torch_script", "torch_pickle", "safetensors", "json", "onnx", "tflite", "keras"
]

_HEAD_BYTES = 4096
_LONGEST_HEADER = 10**8  # of a safetensors file, as its format says

# torch.save before 1.6 begins with this number, pickled (torch/serialization.py, MAGIC_NUMBER).
_TORCH_MAGIC = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."

_EXPORT = "torch.export.save(torch.export.export(model.eval(), (example_input,)), 'model.pt2')."
_READ = (
    "latprof reads .pt2, TorchScript, ONNX, TFLite and .keras files. Where you have the PyTorch "
    f"model, export it: {_EXPORT}"
)
_LOAD = f"Where you trust it, load it yourself and export the model: {_EXPORT}"
_FACTORY = "Give what builds the network, as in package.module:factory."
_SAVE_AS_KERAS = "Load it in Keras and save it as model.save('model.keras')."
_CONVERT = "Convert it with tf.lite.TFLiteConverter.from_saved_model, and give the .tflite file."
_FETCH_AGAIN = "Save or fetch the model again."
_UNPACK = "Unpack it first."

# Files we can name but not read: where and how they begin, what they are, what to do next.
_MAGIC: tuple[tuple[int, bytes, str, str], ...] = (
    (4, b"ET12", "is an ExecuTorch program", _READ),
    (0, b"\x89HDF\r\n\x1a\n", "is an HDF5 file, likely of Keras", _SAVE_AS_KERAS),
    (0, b"GGUF", "is a GGUF file: weights without a network", _FACTORY),
    (0, b"\x1f\x8b", "is compressed with gzip", _UNPACK),
    (0, b"BZh", "is compressed with bzip2", _UNPACK),
    (0, b"\xfd7zXZ", "is compressed with xz", _UNPACK),
    (0, b"\x28\xb5\x2f\xfd", "is compressed with zstd", _UNPACK),
    (257, b"ustar", "is a tar archive", _UNPACK),
    (0, b"version https://git-lfs", "is a Git LFS pointer, not the model", "Run git lfs pull."),
    (0, b"PK\x05\x06", "is an empty zip archive", _FETCH_AGAIN),
)

# Members that give away an archive we cannot read; all of them must be there.
_ARCHIVES: tuple[tuple[tuple[str, ...], str, str], ...] = (
    ((r"[^/]+/\.data/extern_modules",), "is a torch.package, which carries Python code", _LOAD),
    (
        (r"(.*/)?data/aotinductor/.*",),
        "is a package compiled by AOTInductor, without the graph",
        f"Save the exported program itself: {_EXPORT}",
    ),
    ((r".*\.npy",), "is an archive of NumPy arrays: weights without a network", _FACTORY),
)


def sniff(path: Path) -> Kind:
    """The kind of the file at `path`.

    Raises
    ------
    UnreadableModel
        If it is missing, empty, a directory, or nothing that latprof reads; the message says
        what it looks like and what to do.
    """
    head = _head(path)
    if head.startswith(b"PK\x03\x04"):
        return _archive_kind(path)
    if _TORCH_MAGIC in head[:32]:
        return "torch_pickle"
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return "json"
    if head[4:8] == b"TFL3":
        return "tflite"
    if _is_onnx(head):
        return "onnx"
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < _LONGEST_HEADER:
        return "safetensors"
    for offset, magic, what, advice in _MAGIC:
        if head[offset:].startswith(magic):
            raise _unreadable(path, what, advice)
    raise _unreadable(path, *_describe(head))


def _head(path: Path) -> bytes:
    try:
        if not path.exists():
            raise UnreadableModel(f"there is no file {str(path)!r}.{_suggest(path)}")
        if path.is_dir():
            raise _directory(path)
        if not path.is_file():  # a pipe or a device could be read forever
            raise _unreadable(path, "is not a regular file", "Save the model to one first.")
        with path.open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
    except OSError as error:
        raise UnreadableModel(
            f"cannot read {str(path)[:200]!r}: {error.strerror or error}. Check its name and "
            "who may read it."
        ) from error
    if not head:
        raise _unreadable(path, "is empty", _FETCH_AGAIN)
    return head


def _directory(path: Path) -> UnreadableModel:
    inside = sorted(entry.name for entry in path.iterdir())
    if "saved_model.pb" in inside:
        return _unreadable(path, "is a TensorFlow SavedModel", _CONVERT)
    held = ", ".join(inside[:3]) or "nothing"
    return _unreadable(path, f"is a directory, holding {held}", "Name a file in it.")


def _archive_kind(path: Path) -> Kind:
    with open_zip(path) as archive:
        names = archive.namelist()
    # torch puts all of an archive under one folder, other writers of the format may not.
    tops = {*names, *(name.split("/", 1)[-1] for name in names)}
    if "serialized_exported_program.json" in tops:
        return "pt2"  # torch 2.1 to 2.6
    if "archive_format" in tops and any(re.fullmatch(r"models/[^/]+\.json", n) for n in tops):
        return "pt2"
    if {"config.json", "metadata.json"} <= set(names):
        return "keras"
    if "constants.pkl" in tops and any(name.startswith("code/") for name in tops):
        return "torch_script"
    for patterns, what, advice in _ARCHIVES:
        if all(any(re.fullmatch(pattern, name) for name in names) for pattern in patterns):
            raise _unreadable(path, what, advice)
    if "data.pkl" in tops:
        return "torch_pickle"
    shown = ", ".join(names[:3]) or "nothing"
    raise _unreadable(path, f"is a zip archive of {shown}: no model we know", _READ)


def _describe(head: bytes) -> tuple[str, str]:
    """What a file without a telling beginning looks like, and what to do with it."""
    if head[0] == 0x80 and head[1:2] in (b"\2", b"\3", b"\4", b"\5"):
        return (
            "is a Python pickle, but not one that torch.save wrote; loading it could run any code",
            _LOAD,
        )
    try:
        text = head.decode("utf-8", errors="strict" if len(head) < _HEAD_BYTES else "ignore")
    except UnicodeDecodeError:
        return "begins with bytes of no model format we know", _READ
    if text.lstrip().lower().startswith(("<!doctype html", "<html")):
        return "is a web page, not a model: the download went wrong", "Fetch the model again."
    if re.search(r"^(import|from|def|class) \w", text, re.MULTILINE):
        return "is Python source", _FACTORY
    if not text.replace("\n", "").replace("\r", "").replace("\t", "").isprintable():
        return "begins with bytes of no model format we know", _READ
    return f"is a text file that begins with {text.strip()[:40]!r}", _READ


def _is_onnx(head: bytes) -> bool:
    # ModelProto (onnx/onnx.proto): field 1 is ir_version, a small number; another field follows
    # it: producer_name, opset_import, the graph, ... with a length, or model_version, a number.
    followed_by = {field << 3 | 2 for field in (2, 3, 4, 6, 7, 8)} | {5 << 3}
    return len(head) > 2 and head[0] == 0x08 and head[1] <= 32 and head[2] in followed_by


def _unreadable(path: Path, what: str, advice: str) -> UnreadableModel:
    return UnreadableModel(f"{str(path)!r} {what}. {advice}")


def _suggest(path: Path) -> str:
    """Files beside the missing one with names like it, or the network of the zoo of that name."""
    from latprof.zoo import ENTRIES

    if str(path) in ENTRIES:
        return f" Did you mean zoo:{path}?"
    if not path.parent.is_dir():
        return f" The folder {str(path.parent)!r} does not exist either."
    beside = [entry.name for entry in path.parent.iterdir()]
    near = difflib.get_close_matches(path.name, beside, n=3, cutoff=0.5)
    if not near:
        return " Give a file, zoo:NAME as in zoo:mobilenet_v2, or package.module:factory."
    return " Did you mean " + " or ".join(repr(str(path.with_name(name))) for name in near) + "?"
