import json

import pytest

from latprof.errors import NoGraph, UnreadableModel
from latprof.frontends import read
from latprof.frontends.torch.safetensors import weights_in
from latprof.frontends.torch.stored_weights import Weight

HEADER = {
    "__metadata__": {"format": "pt"},
    "conv.weight": {"dtype": "F16", "shape": [4, 3, 3, 3], "data_offsets": [0, 216]},
    "scale": {"dtype": "BF16", "shape": [], "data_offsets": [216, 218]},
}


@pytest.fixture
def write(tmp_path):
    """Write a header, and no weights: nobody reads them."""

    def write(header, length=None):
        data = header if isinstance(header, bytes) else json.dumps(header).encode()
        path = tmp_path / "model.safetensors"
        path.write_bytes((len(data) if length is None else length).to_bytes(8, "little") + data)
        return path

    return write


def test_names_shapes_and_dtypes_are_in_the_header(write):
    (held,) = weights_in(write(HEADER))
    expected = {"conv.weight": Weight((4, 3, 3, 3), "float16"), "scale": Weight((), "bfloat16")}
    assert held.weights == expected


def test_alone_it_has_no_network(write):
    with pytest.raises(NoGraph, match=r"weights of 2 tensors \(conv.weight, scale\).*--arch"):
        read(str(write(HEADER)))


@pytest.mark.parametrize(
    ("header", "length", "said"),
    [
        (b"{}", 2**25 + 1, "made to fill the memory"),
        (b'{"a": 1', None, "is broken"),
        (b'{"a": 1}', None, "is broken"),
        (b'{"a": {"shape": [1]}}', None, "is broken"),
        ({"a": {"dtype": "F32", "shape": [-1]}}, None, "is no shape"),
        ({"a": {"dtype": "F32", "shape": "1"}}, None, "is no shape"),
        (b'{"a": ' * 100_000, None, "nested too deeply"),
    ],
)
def test_a_forged_header_is_refused(write, header, length, said):
    with pytest.raises(UnreadableModel, match=said):
        weights_in(write(header, length))
