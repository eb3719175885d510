"""What holds for every reader of files, whatever it reads."""

import importlib
import inspect
import subprocess
import sys
import zipfile

import pytest

from latprof import frontends
from latprof.errors import LatprofError
from latprof.frontends import READERS

# Bytes that each kind of file begins with.
MAGIC = {
    "pt2": b"PK\x03\x04",
    "torch_script": b"PK\x03\x04",
    "torch_pickle": b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.",
    "json": b"{",
    "onnx": b"\x08\x08\x12",
    "tflite": b"\x1c\0\0\0TFL3",
    "keras": b"PK\x03\x04",
}


@pytest.fixture(params=READERS)
def kind(request):
    return request.param


@pytest.fixture
def read(kind):
    return importlib.import_module(READERS[kind]).read


def test_a_reader_takes_a_path_inputs_and_trust(read):
    found = inspect.signature(read).parameters
    assert list(found)[:1] == ["path"]
    assert {"inputs", "trust"} <= found.keys()
    assert all(found[name].kind is inspect.Parameter.KEYWORD_ONLY for name in ("inputs", "trust"))
    assert not found["inputs"].default
    assert found["trust"].default is False


@pytest.mark.parametrize("rest", [b"", b"\0" * 64, b"\xff" * 4096, bytes(range(256)) * 16])
def test_garbage_behind_the_right_beginning_is_refused(read, kind, tmp_path, rest):
    path = tmp_path / "model"
    path.write_bytes(MAGIC.get(kind, b"") + rest)
    with pytest.raises(LatprofError):
        read(path)


def test_an_empty_file_is_refused_before_any_reader_sees_it(tmp_path):
    path = tmp_path / "model"
    path.write_bytes(b"")
    with pytest.raises(LatprofError, match="is empty"):
        frontends.read(str(path))


def test_an_archive_of_something_else_is_refused_before_any_reader_sees_it(tmp_path):
    path = tmp_path / "model"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", "no model")
    with pytest.raises(LatprofError, match="zip archive"):
        frontends.read(str(path))


def test_importing_a_reader_does_not_import_torch(kind):
    code = f"import sys, {READERS[kind]}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
