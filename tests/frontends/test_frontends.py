import subprocess
import sys

import pytest

import latprof.frontends
from latprof.errors import UnreadableModel
from latprof.frontends import READERS, read


def test_importing_the_package_costs_neither_torch_nor_numpy():
    code = (
        "import sys, latprof.frontends\n"
        "assert not {'torch', 'numpy', 'onnx', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("reader", READERS.values())
def test_every_reader_is_there(reader):
    module = __import__(reader, fromlist=["read"])
    assert callable(module.read)


def test_a_missing_torch_is_said_with_what_to_install(monkeypatch):
    def without_torch(name):
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(latprof.frontends, "import_module", without_torch)
    with pytest.raises(UnreadableModel, match="pip install torch"):
        read("zoo:mobilenet_v2")


def test_a_file_is_read_by_what_it_holds_and_not_by_its_extension(tmp_path, captured):
    import json

    path = tmp_path / "misnamed.pt2"
    path.write_text(json.dumps(captured("mobilenet_v2").to_dict()))
    assert read(str(path)) == captured("mobilenet_v2")
