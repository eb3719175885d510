"""Not a test: runs the counting tools themselves and writes down what they say.

    pip install ptflops==0.7.5 thop==0.1.1.post2209072238 torchinfo==1.8.0 calflops==0.3.2
    python -m tests.counting.record_totals

Each runs in a fresh process, for some of them leave PyTorch patched. Tools that are not installed
keep the totals of before; `keras` wants an environment of its own, with tensorflow and keras.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import importlib.util
import io
import json
import os
import subprocess
import sys
import types
from pathlib import Path

NETWORKS = (
    "mobilenet_v2",
    "mobilenet_v3_large",
    "efficientnet_b0",
    "shufflenet_v2_x1_0",
    "resnet50",
    "fused_attention",
    "plain_attention",
    "decoder",
)
KERAS_NETWORKS = {
    "mobilenet_v1": "MobileNet",
    "mobilenet_v2": "MobileNetV2",
    "mobilenet_v3_large": "MobileNetV3Large",
    "efficientnet_b0": "EfficientNetB0",
}
RECORDED = Path(__file__).with_name("recorded_totals.json")


def total(tool: str, network: str) -> int:
    """What `tool` says of `network`, in the tool's own unit."""
    if tool == "keras":
        return _keras(network)
    import torch

    from latprof.zoo import ENTRIES, build
    from tests.counting.blocks import BLOCKS

    if network in ENTRIES:
        model, shape = build(network)
    else:
        kind, shape = BLOCKS[network]
        model = kind().eval()
    with torch.no_grad():
        return int(globals()[f"_{tool.replace('-', '_')}"](model, shape))


def _ptflops(model, shape):
    from ptflops import get_model_complexity_info

    return get_model_complexity_info(
        model, shape[1:], as_strings=False, print_per_layer_stat=False, backend="pytorch",
        ost=io.StringIO(),
    )[0]  # fmt: skip


def _ptflops_aten(model, shape):
    from ptflops import get_model_complexity_info

    return get_model_complexity_info(
        model, shape[1:], as_strings=False, print_per_layer_stat=False, backend="aten",
        ost=io.StringIO(),
    )[0]  # fmt: skip


def _thop(model, shape):
    import thop
    import torch

    return thop.profile(model, inputs=(torch.zeros(shape),), verbose=False)[0]


def _torchinfo(model, shape):
    import torchinfo

    return torchinfo.summary(model, input_size=shape, verbose=0).total_mult_adds


def _calflops(model, shape):
    # Its __init__ imports transformers, for language models by name; nothing here needs them.
    package = types.ModuleType("calflops")
    package.__path__ = [str(Path(importlib.util.find_spec("calflops").origin).parent)]
    sys.modules["calflops"] = package
    from calflops.flops_counter import calculate_flops

    return calculate_flops(model, input_shape=shape, output_as_string=False, print_results=False,
                           print_detailed=False)[0]  # fmt: skip


def _keras(network: str) -> int:
    os.environ |= {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    import keras
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )
    from tensorflow.python.profiler import model_analyzer, option_builder

    model = getattr(keras.applications, KERAS_NETWORKS[network])(weights=None)
    run = tf.function(lambda x: model(x, training=False))
    frozen = convert_variables_to_constants_v2(
        run.get_concrete_function(tf.TensorSpec((1, 224, 224, 3)))
    )
    builder = option_builder.ProfileOptionBuilder
    options = builder(builder.float_operation()).with_empty_output().build()
    return model_analyzer.profile(frozen.graph, options=options).total_float_ops


TOOLS = {
    "ptflops": "ptflops",
    "ptflops-aten": "ptflops",
    "thop": "thop",
    "torchinfo": "torchinfo",
    "calflops": "calflops",
    "keras": "tensorflow",
}


def main() -> None:
    found = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}
    for tool, package in TOOLS.items():
        if importlib.util.find_spec(package) is None:
            continue
        totals = {}
        for network in KERAS_NETWORKS if tool == "keras" else NETWORKS:
            words = [sys.executable, "-W", "ignore", "-m", "tests.counting.record_totals"]
            done = subprocess.run([*words, tool, network], capture_output=True, text=True)
            if done.returncode:
                sys.exit(f"{tool} on {network}: {done.stderr.strip()}")
            totals[network] = int(done.stdout.split()[-1])
        found[tool] = {
            "version": version(package),
            "beside": f"keras {version('keras')}"
            if tool == "keras"
            else f"torch {version('torch')}",
            "date": datetime.date.today().isoformat(),
            "totals": totals,
        }
    RECORDED.write_text(json.dumps(found, indent=1) + "\n")


def version(package: str) -> str:
    names = [package, *importlib.metadata.packages_distributions().get(package, ())]
    for name in names:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    raise SystemExit(f"no version of {package} is known")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(total(*sys.argv[1:]))
    else:
        main()
