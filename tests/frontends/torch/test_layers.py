import pytest
import torch
from torch import nn

from latprof.frontends.guessing import Layer
from latprof.frontends.torch.layers import dtype_of, layers_of


class SamePadded(nn.Conv2d):
    """A convolution under another name, as many packages have one."""


@pytest.mark.parametrize(
    ("module", "layer"),
    [
        (nn.Conv2d(8, 8, 3, groups=8), Layer((8, 1, 3, 3), "Conv2d", 8)),
        (SamePadded(3, 4, 1), Layer((4, 3, 1, 1), "Conv2d", 3)),
        (nn.Embedding(10, 4), Layer((10, 4), "Embedding")),
        (nn.LSTM(4, 6), Layer((24, 4), "LSTM", 4, batch_first=False)),
        (nn.LSTM(4, 6, batch_first=True), Layer((24, 4), "LSTM", 4)),
    ],
)
def test_a_layer_is_told_by_its_class_and_settings(module, layer):
    assert list(layers_of(module)) == [layer]


def test_layers_come_in_order_and_only_those_with_weights():
    module = nn.Sequential(nn.ReLU(), nn.LazyLinear(3), nn.Linear(4, 2), nn.Conv1d(2, 2, 1))
    assert [layer.kind for layer in layers_of(module)] == ["Linear", "Conv1d"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_layers_of_a_script_are_told_too():
    module = torch.jit.script(nn.Sequential(nn.Embedding(10, 4), nn.Linear(4, 2)))
    assert [layer.kind for layer in layers_of(module)] == ["Embedding", "Linear"]


def test_the_dtype_is_that_of_all_float_weights_or_float32():
    mixed = nn.Sequential(nn.Linear(2, 2).half(), nn.Linear(2, 2))
    assert dtype_of(nn.Linear(2, 2).bfloat16()) is torch.bfloat16
    assert dtype_of(mixed) is torch.float32
    assert dtype_of(nn.ReLU()) is torch.float32
