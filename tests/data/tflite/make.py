"""Make the files in this folder: networks converted by litert-torch, with their weights taken out.

    python -m venv converter && converter/bin/pip install litert-torch==0.10.0 torch==2.13.0
    PYTHONPATH=. converter/bin/python tests/data/tflite/make.py [NAME ...]

The networks are latprof's own, with random weights. What stays is the FlatBuffer as the
converter wrote it, less the contents of every buffer beyond 256 bytes, all but the first scale of
a quantised tensor, and the middle of names joined from over three: all that says how the network
is built, in some tens of kB.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import flatbuffers
import litert_torch
import torch
import torch.nn.functional as F  # noqa: N812
from ai_edge_litert import schema_py_generated as schema
from ai_edge_quantizer import quantizer, recipe
from torch import nn

from latprof.zoo import build

HERE = Path(__file__).parent
KEPT_BYTES = 256


class TinyViT(nn.Module):
    """Patches, two blocks of attention (written out, then fused), a class token, a head."""

    def __init__(self, width: int = 32, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.patch = nn.Conv2d(3, width, 8, 8)
        self.token = nn.Parameter(torch.rand(1, 1, width))
        self.position = nn.Parameter(torch.rand(1, 17, width))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(4))
        self.qkv = nn.ModuleList(nn.Linear(width, 3 * width) for _ in range(2))
        self.out = nn.ModuleList(nn.Linear(width, width) for _ in range(2))
        self.up = nn.ModuleList(nn.Linear(width, 4 * width) for _ in range(2))
        self.down = nn.ModuleList(nn.Linear(4 * width, width) for _ in range(2))
        self.head = nn.Linear(width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token, x], dim=1) + self.position
        for i in range(2):
            y = self.qkv[i](self.norms[2 * i](x))
            q, k, v = y.reshape(1, 17, 3, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
            if i:
                y = F.scaled_dot_product_attention(q, k, v)
            else:
                y = torch.softmax(q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5, dim=-1) @ v
            x = x + self.out[i](y.transpose(1, 2).reshape(1, 17, -1))
            x = x + self.down[i](F.gelu(self.up[i](self.norms[2 * i + 1](x))))
        return self.head(x[:, 0])


class Variety(nn.Module):
    """Grouped, dilated, transposed and asymmetric convolutions, resizes, pools, shuffles, pads."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, (3, 5), 2, (1, 2))
        self.grouped = nn.Conv2d(8, 16, 3, padding=1, groups=2)
        self.dilated = nn.Conv2d(16, 16, 3, padding=2, dilation=2)
        self.multiplied = nn.Conv2d(16, 32, 3, padding=1, groups=16)
        self.up = nn.ConvTranspose2d(32, 8, 2, 2)
        self.slope = nn.PReLU(8)
        self.norm = nn.GroupNorm(2, 8)
        self.sequence = nn.Conv1d(8, 4, 3, padding=1)
        self.head = nn.Linear(4, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.hardswish(self.stem(x))
        x = F.leaky_relu(self.grouped(x), 0.1)
        x = F.channel_shuffle(torch.tanh(self.dilated(x)), 4)
        x = F.elu(self.multiplied(x))
        x = self.norm(self.slope(self.up(x)))
        x = F.interpolate(F.avg_pool2d(F.max_pool2d(x, 2), 2), scale_factor=2.0, mode="bilinear")
        a, b = F.pad(x, (1, 0, 0, 1))[:, :, :-1, 1:].chunk(2, dim=1)
        x = F.pixel_unshuffle(F.pixel_shuffle(torch.cat([b, a * 2, x[:, 1:5]], 1)[:, :8], 2), 2)
        x = self.sequence(x.amax(dim=2))
        return torch.log_softmax(self.head(x.mean(dim=-1)), dim=-1)


def zoo(name: str) -> tuple[nn.Module, tuple[torch.Tensor, ...]]:
    network, shape = build(name)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):  # untouched, all biases come out 0 and are shared
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.1, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return network, (torch.rand(shape),)


def convert(network: nn.Module, inputs: tuple[torch.Tensor, ...], **options: object) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        litert_torch.convert(network.eval(), inputs, **options).export(str(path))
        return path.read_bytes()


def quantized(content: bytes, rules: object, inputs: tuple[torch.Tensor, ...]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / "float.tflite", Path(folder) / "quantized.tflite"
        path.write_bytes(content)
        work = quantizer.Quantizer(str(path), rules)
        found = None
        if work.need_calibration:
            data = {"serving_default": [{"args_0": inputs[0].numpy()}]}
            found = work.calibrate(data)
        work.quantize(found).export_model(str(out))
        return out.read_bytes()


def without_weights(content: bytes) -> bytes:
    """The same FlatBuffer with large buffers emptied."""
    model = schema.ModelT.InitFromPackedBuf(bytearray(content), 0)
    for buffer in model.buffers:
        if buffer.data is not None and len(buffer.data) > KEPT_BYTES:
            buffer.data = []
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            names = tensor.name.decode().split(";")
            tensor.name = ";".join(names if len(names) <= 3 else names[:1] + names[-2:])
            held = tensor.quantization
            if held is not None and held.scale is not None and len(held.scale) > 1:
                held.scale, held.zeroPoint, held.min, held.max = held.scale[:1], [0], None, None
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def image(size: int = 32) -> tuple[torch.Tensor, ...]:
    return (torch.rand(1, 3, size, size),)


def float16() -> list[dict[str, object]]:
    """Weights kept in half precision, with a DEQUANTIZE in front of each use."""
    weights = {"num_bits": 16, "dtype": "FLOAT"}
    config = {
        "weight_tensor_config": weights, "compute_precision": "FLOAT", "explicit_dequantize": True,
    }  # fmt: skip
    return [
        {"regex": ".*", "operation": "*", "algorithm_key": "float_casting", "op_config": config}
    ]


def channels_last() -> bytes:
    network, (x,) = zoo("mobilenet_v2?size=64")
    wrapped = litert_torch.to_channel_last_io(network.eval(), args=[0])
    return convert(wrapped, (x.permute(0, 2, 3, 1),))


def float_zoo(name: str) -> Callable[[], bytes]:
    return lambda: convert(*zoo(name))


def quantized_zoo(name: str, rules: Callable[[], object]) -> Callable[[], bytes]:
    def make() -> bytes:
        network, inputs = zoo(name)
        return quantized(convert(network, inputs), rules(), inputs)

    return make


FILES: dict[str, Callable[[], bytes]] = {
    **{
        name: float_zoo(name)
        for name in (
            "mobilenet_v2", "mobilenet_v3_large", "shufflenet_v2_x1_0", "efficientnet_b0",
            "resnet18",
        )
    },
    "mobilenet_v2-int8": quantized_zoo("mobilenet_v2", recipe.static_wi8_ai8),
    "mobilenet_v2-fp16": quantized_zoo("mobilenet_v2", float16),
    "mobilenet_v3_large-dynamic": quantized_zoo("mobilenet_v3_large", recipe.dynamic_wi8_afp32),
    "mobilenet_v2-nhwc": channels_last,
    "tiny_vit": lambda: convert(TinyViT(), image()),
    "variety": lambda: convert(Variety(), image()),
}  # fmt: skip


def main(names: list[str]) -> None:
    for name in names or list(FILES):
        torch.manual_seed(0)
        content = without_weights(FILES[name]())
        (HERE / f"{name}.tflite").write_bytes(content)
        print(f"{name}: {len(content):,} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
