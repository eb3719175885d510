"""Zeros in weights, wherever PyTorch keeps them; nothing of a file runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from latprof.counting.sparsity import WeightZeros
from latprof.errors import BadReference, LatprofError, UnreadableModel
from latprof.frontends.torch.weight_zeros import zeros_of_module
from latprof.frontends.zeros.reader import read_zeros


@pytest.fixture
def network():
    """Two convolutions: the first lacks an output, the second an input."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 4, 1)).eval()
    with torch.no_grad():
        module[0].weight[2] = 0
        module[2].weight[:, 1] = 0
    return module


FIRST, SECOND = WeightZeros((8, 3, 3, 3), 27, 1, 0), WeightZeros((4, 8, 1, 1), 4, 0, 1)


def saved(network: nn.Module, form: str, path: Path) -> Path:
    example = torch.zeros(1, 3, 8, 8)
    if form == "pt2":
        torch.export.save(torch.export.export(network, (example,)), path)
    elif form == "script":
        torch.jit.trace(network, example).save(path)
    elif form == "module":
        torch.save(network, path)
    elif form == "state dict":
        torch.save(network.state_dict(), path)
    elif form == "onnx":
        torch.onnx.export(network, (example,), path, dynamo=False, do_constant_folding=False,
                          training=torch.onnx.TrainingMode.PRESERVE)  # fmt: skip
    elif form == "safetensors":
        path.write_bytes(as_safetensors(network.state_dict()))
    return path


def as_safetensors(weights: dict[str, torch.Tensor]) -> bytes:
    header, data = {}, b""
    for name, tensor in weights.items():
        start = len(data)
        data += tensor.contiguous().numpy().tobytes()
        dtype = {torch.float32: "F32", torch.int64: "I64"}[tensor.dtype]
        offsets = [start, len(data)]
        header[name] = {"dtype": dtype, "shape": list(tensor.shape), "data_offsets": offsets}
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


@pytest.mark.parametrize("form", ["pt2", "script", "module", "state dict", "safetensors", "onnx"])
def test_the_same_zeros_in_every_form(network, form, tmp_path):
    found = read_zeros(saved(network, form, tmp_path / "m.pt"))
    assert (found["0.weight"], found["2.weight"]) == (FIRST, SECOND)
    in_memory = zeros_of_module(network)
    assert {name: found[name] for name in in_memory} == in_memory


def test_a_checkpoint_keeps_its_keys_before_the_names(network, tmp_path):
    momentum = {"state": {0: torch.zeros(3)}}
    held = {"epoch": 3, "optimizer": momentum, "model": nn.DataParallel(network).state_dict()}
    torch.save(held, tmp_path / "m.pt")
    found = read_zeros(tmp_path / "m.pt")
    assert found["model.module.0.weight"] == FIRST
    assert found["optimizer.state.0"].zeros == 3


@pytest.mark.parametrize("offsets", [[0, 5], [-4, 860], [0, 10**9], "x", [1.5, 2], None])
def test_forged_offsets(network, offsets, tmp_path):
    data = as_safetensors(network.state_dict())
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header["0.weight"]["data_offsets"] = offsets
    text = json.dumps(header).encode()
    path = tmp_path / "m.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])
    assert "0.weight" not in read_zeros(path)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_dtypes_and_channels_last(network, dtype, tmp_path):
    other = network.to(dtype).to(memory_format=torch.channels_last)
    found = read_zeros(saved(other, "state dict", tmp_path / "m.pt"))
    assert (found["0.weight"], found["2.weight"]) == (FIRST, SECOND)
    assert zeros_of_module(other)["0.weight"] == FIRST


def test_integers_and_minus_zero(tmp_path):
    tensors = {
        "a": torch.tensor([[0, 3], [0, -128]], dtype=torch.int8),
        "b": torch.tensor([-0.0, 1.0], dtype=torch.bfloat16),
        "c": torch.tensor([True, False]),
        "d": torch.zeros(2, 2).to(torch.float8_e4m3fn),
        "e": torch.zeros(3, dtype=torch.uint16),
    }
    torch.save(tensors, tmp_path / "t.pt")
    found = read_zeros(tmp_path / "t.pt")
    assert {name: held.zeros for name, held in found.items()} == {
        "a": 2, "b": 1, "c": 1, "d": 4, "e": 3
    }  # fmt: skip
    assert found["a"].zero_columns == 1


@pytest.mark.parametrize("form", ["memory", "state dict"])
def test_pruned_by_masks(form, tmp_path):
    module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Linear(6, 4))
    prune.l1_unstructured(module[0], "weight", 0.5)
    prune.ln_structured(module[1], "weight", 0.5, n=2, dim=0)
    found = zeros_of_module(module) if form == "memory" else read_zeros(
        saved(module, form, tmp_path / "m.pt")
    )  # fmt: skip
    assert found["0.weight_orig"].zeros == 108
    assert found["1.weight_orig"] == WeightZeros((4, 6), 12, 2, 0)


def test_a_factory_of_ones_own(tmp_path, monkeypatch):
    (tmp_path / "nets_with_zeros.py").write_text(
        "import torch\n\n\ndef build():\n    net = torch.nn.Linear(4, 2)\n"
        "    torch.nn.init.zeros_(net.weight)\n    return net\n"
    )
    monkeypatch.chdir(tmp_path)
    assert read_zeros("nets_with_zeros:build")["weight"] == WeightZeros((2, 4), 8, 2, 4)


def test_files_are_read_without_torch(network, tmp_path):
    path = saved(network, "module", tmp_path / "m.pt")
    program = (
        "import sys\nfrom latprof.frontends.zeros.reader import read_zeros\n"
        f"print(read_zeros({str(path)!r})['0.weight'].zeros, 'torch' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "27 False\n"


class Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def test_a_pickle_does_not_run(tmp_path):
    torch.save({"weight": torch.zeros(3), "trap": Malicious(tmp_path / "ran")}, tmp_path / "m.pt")
    assert read_zeros(tmp_path / "m.pt")["weight"].zeros == 3
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("reference", ["zoo:mobilenet_v2", "timm:resnet50"])
def test_networks_built_without_weights_have_no_zeros(reference):
    with pytest.raises(BadReference, match="built without weights"):
        read_zeros(reference)


def test_what_holds_no_values_says_so(net, tmp_path):
    with torch.device("meta"), pytest.raises(BadReference, match="meta device"):
        read_zeros(nn.Linear(2, 2))
    with pytest.raises(BadReference, match="holds no weights"):
        read_zeros(net.finish([net.input((1, 2))]))
    (tmp_path / "graph.json").write_text("{}")
    with pytest.raises(UnreadableModel, match="of kind json"):
        read_zeros(tmp_path / "graph.json")
    torch.save({"w": torch.ones(2)}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    with pytest.raises(UnreadableModel, match=r"before 1\.6"):
        read_zeros(tmp_path / "old.pt")


def test_one_number_made_to_stand_for_many_is_left_out(tmp_path):
    torch.save({"w": torch.zeros(1).expand(2**40)}, tmp_path / "m.pt")
    assert read_zeros(tmp_path / "m.pt") == {}


def test_the_same_bytes_over_and_over_are_refused(tmp_path):
    weight = torch.zeros(50_000)
    torch.save({str(i): weight for i in range(100)}, tmp_path / "m.pt")
    with pytest.raises(UnreadableModel, match="over and over"):
        read_zeros(tmp_path / "m.pt")


@pytest.mark.parametrize("change", [
    lambda meta: meta.update(dtype=99),
    lambda meta: meta.update(sizes=[{"as_int": 2**50}]),
    lambda meta: meta.update(strides=[{"as_int": -5}] * 4),
    lambda meta: meta.update(sizes="x"),
    lambda meta: meta.pop("strides"),
    lambda meta: meta.update(storage_offset={"as_int": 10**18}),
])  # fmt: skip
def test_a_forged_table_of_weights(network, change, tmp_path):
    path = saved(network, "pt2", tmp_path / "m.pt2")
    forged = tmp_path / "forged.pt2"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(forged, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name.endswith("weights_config.json"):
                held = json.loads(data)
                change(held["config"]["0.weight"]["tensor_meta"])
                data = json.dumps(held).encode()
            new.writestr(name, data)
    with suppress(LatprofError):
        assert "0.weight" not in read_zeros(forged)


@pytest.mark.parametrize("form", ["pt2", "script", "module", "safetensors", "onnx"])
def test_broken_archives(network, form, tmp_path):
    data = bytearray(saved(network, form, tmp_path / "m.pt").read_bytes())
    generator = torch.Generator().manual_seed(1)
    for _ in range(150):
        broken = bytearray(data)
        for place in torch.randint(len(data), (3,), generator=generator).tolist():
            broken[place] ^= 1 << int(torch.randint(8, (1,), generator=generator))
        (tmp_path / "broken.pt").write_bytes(broken)
        with suppress(LatprofError):
            read_zeros(tmp_path / "broken.pt")
