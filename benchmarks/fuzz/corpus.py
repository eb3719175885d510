"""Small sound files of every kind that latprof reads, to be broken."""

from __future__ import annotations

import json
import logging
import struct
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

ROOT = Path(__file__).parents[2]


class Small(nn.Module):
    """Strided, depthwise, grouped, shuffled, squeezed, attended and resized."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU6()
        )
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.grouped = nn.Conv2d(8, 16, 1, groups=2)
        self.squeeze = nn.Conv2d(16, 4, 1)
        self.excite = nn.Conv2d(4, 16, 1)
        self.queries = nn.Linear(16, 48)
        self.norm = nn.LayerNorm(16)
        self.head = nn.Linear(16, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.grouped(F.hardswish(self.depthwise(self.stem(x))))
        x = x.reshape(1, 2, 8, 16, 16).transpose(1, 2).reshape(1, 16, 16, 16)
        x = x * torch.sigmoid(self.excite(F.relu(self.squeeze(F.adaptive_avg_pool2d(x, 1)))))
        x = F.max_pool2d(torch.cat([x[:, :8], x[:, 8:]], dim=1), 2)
        x = F.interpolate(x, scale_factor=2.0, mode="nearest")
        tokens = self.norm(x.flatten(2).transpose(1, 2))
        q, k, v = self.queries(tokens).chunk(3, dim=-1)
        tokens = tokens + torch.softmax(q @ k.transpose(1, 2), dim=-1) @ v
        return self.head(tokens.mean(dim=1))


class Tiny(nn.Sequential):
    """Two layers."""

    def __init__(self) -> None:
        super().__init__(nn.Conv2d(3, 4, 3), nn.ReLU())


IMAGE = torch.zeros(1, 3, 32, 32)
NETWORKS: tuple[Callable[[], nn.Module], ...] = (Small, Tiny)


def _json(folder: Path) -> None:
    from latprof.frontends.inputs import InputSpec
    from latprof.frontends.torch.module import capture

    for number, network in enumerate(NETWORKS):
        graph = capture(network().eval(), [InputSpec((1, 3, 32, 32))], name="small")
        (folder / f"{number}").write_text(json.dumps(graph.to_dict()))


def _pt2(folder: Path) -> None:
    for number, network in enumerate(NETWORKS):
        program = torch.export.export(network().eval(), (IMAGE,))
        torch.export.save(program, folder / f"{number}.pt2")


def _torch_script(folder: Path) -> None:
    for number, network in enumerate(NETWORKS):
        torch.jit.trace(network().eval(), IMAGE).save(folder / f"{number}")
    torch.jit.script(Tiny()).save(folder / "scripted")


def _torch_pickle(folder: Path) -> None:
    torch.save(Small().state_dict(), folder / "weights")
    torch.save(Small(), folder / "module")
    torch.save(Tiny(), folder / "legacy", _use_new_zipfile_serialization=False)


def _safetensors(folder: Path) -> None:
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, tensor in Small().state_dict().items():
        end = offset + tensor.numel() * tensor.element_size()
        dtype = "F32" if tensor.is_floating_point() else "I64"
        told = {"dtype": dtype, "shape": list(tensor.shape), "data_offsets": [offset, end]}
        header[name], offset = told, end
    text = json.dumps(header).encode()
    (folder / "weights").write_bytes(struct.pack("<Q", len(text)) + text + bytes(offset))


def _onnx(folder: Path) -> None:
    from onnxruntime.quantization import QuantFormat, quantize_static
    from onnxruntime.quantization.calibrate import CalibrationDataReader

    class Random(CalibrationDataReader):
        def __init__(self) -> None:
            self.left = 2

        def get_next(self) -> dict[str, object] | None:
            self.left -= 1
            return {"x": torch.rand(1, 3, 32, 32).numpy()} if self.left >= 0 else None

    for number, network in enumerate(NETWORKS):
        path = folder / f"{number}.onnx"
        torch.onnx.export(
            network().eval(), (IMAGE,), path, dynamo=False, input_names=["x"], opset_version=17
        )
        for format in (QuantFormat.QDQ, QuantFormat.QOperator):
            quantized = folder / f"{number}-{format.name}.onnx"
            quantize_static(path, quantized, Random(), quant_format=format)


def _tflite(folder: Path) -> None:
    found = sorted((ROOT / "tests" / "data").rglob("*.tflite"))
    for path in sorted(found, key=lambda each: each.stat().st_size)[:6]:
        (folder / path.name).write_bytes(path.read_bytes())


def _keras(folder: Path) -> None:
    for path in sorted((ROOT / "tests" / "data").rglob("*.keras")):
        (folder / path.name).write_bytes(path.read_bytes())


_MAKERS = {
    "json": _json,
    "pt2": _pt2,
    "torch_script": _torch_script,
    "torch_pickle": _torch_pickle,
    "safetensors": _safetensors,
    "onnx": _onnx,
    "tflite": _tflite,
    "keras": _keras,
}
KINDS = tuple(_MAKERS)


def make_corpus(folder: Path, kinds: Sequence[str]) -> None:
    """Write sound files of each kind to ``folder/kind``."""
    torch.manual_seed(0)
    logging.disable(logging.WARNING)  # the quantiser has advice
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for kind in kinds:
                (folder / kind).mkdir()
                _MAKERS[kind](folder / kind)
                if not any((folder / kind).iterdir()):
                    raise SystemExit(f"no sound file of the kind {kind} to start from")
    finally:
        logging.disable(logging.NOTSET)
