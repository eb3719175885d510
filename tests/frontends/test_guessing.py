import pytest

from latprof.errors import CaptureFailed
from latprof.frontends.guessing import GUESSED, Layer, guess_input


@pytest.mark.parametrize(
    ("layer", "text", "why"),
    [
        (Layer((16, 3, 3, 3), "Conv2d"), "1x3x224x224", "first convolution takes 3 channels"),
        (Layer((16, 1, 3, 3), "Conv2d", channels=8), "1x8x224x224", "takes 8 channels"),  # grouped
        (Layer((16, 2, 5), "Conv1d"), "1x2x1024", "takes 2 channels"),
        (Layer((16, 3, 3, 3, 3), "Conv3d"), "1x3x16x112x112", "takes 3 channels"),
        (Layer((100, 64, 4, 4), "ConvTranspose2d"), "1x100x1x1", "takes 100 channels"),
        (Layer((10, 16), "Linear"), "1x16", "takes 16 features"),
        (Layer((5000, 64), "Embedding"), "1x128:int64", "looks up 5000 tokens"),
        (Layer((24, 16), "LSTM"), "1x128x16", "sequences of 16 features"),
        (Layer((24, 16), "GRU", batch_first=False), "128x1x16", "sequences of 16 features"),
        (Layer((16, 3, 7, 7)), "1x3x224x224", "takes 3 channels"),
        (Layer((10, 16)), "1x16", "takes 16 features"),
    ],
)
def test_the_first_layer_tells_what_goes_in(layer, text, why):
    (spec,), said = guess_input([layer], "net")
    assert spec.text == text
    assert said.startswith(f"{GUESSED} {text}: ")
    assert why in said
    assert said.endswith("--input says otherwise")


def test_a_layer_of_a_known_class_goes_before_weights_that_are_none():
    layers = [Layer((1, 197, 192)), Layer((192, 3), "Positions"), Layer((192, 3, 16, 16), "Conv2d")]
    (spec,), _ = guess_input(layers, "net")
    assert spec.shape == (1, 3, 224, 224)


def test_norms_tell_nothing_and_what_follows_does():
    (spec,), _ = guess_input([Layer((7,), "LayerNorm"), Layer((10, 16))], "net")
    assert spec.shape == (1, 16)


def test_features_come_in_the_dtype_of_the_weights_and_tokens_do_not():
    (features,), _ = guess_input([Layer((10, 16), "Linear")], "net", dtype="bfloat16")
    (tokens,), _ = guess_input([Layer((10, 16), "Embedding")], "net", dtype="bfloat16")
    assert (features.dtype, tokens.dtype) == ("bfloat16", "int64")


@pytest.mark.parametrize("layers", [[], [Layer((7,))]])
def test_without_a_telling_layer_the_user_must_say(layers):
    with pytest.raises(CaptureFailed, match=r"'net' takes in.*--input 1x128:int64"):
        guess_input(layers, "net")
