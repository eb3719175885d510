"""Write the small archives beside this file, with Keras: python tests/data/keras/make.py."""

import os
import tempfile
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("KERAS_HOME", tempfile.mkdtemp())

import keras
from keras import layers, ops

HERE = Path(__file__).parent


def light() -> keras.Model:
    """Depthwise, norm, pointwise, mean, classes: one after the other."""
    return keras.Sequential(
        [
            layers.Input((32, 32, 3)),
            layers.DepthwiseConv2D(3, strides=2, padding="same"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Conv2D(8, 1),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10, activation="softmax"),
        ],
        name="light",
    )


def mixed() -> keras.Model:
    """A graph: squeezed, shuffled, attended, shared and nested, with operations between."""
    x = image = layers.Input((16, 16, 3), name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1)(x)
    x = layers.SeparableConv2D(8, 3, padding="same", activation="relu6", name="separable")(x)
    gate = layers.Reshape((1, 1, 8))(layers.GlobalAveragePooling2D()(x))
    x = layers.Multiply()([x, layers.Conv2D(8, 1, activation="sigmoid", name="gate")(gate)])
    x = ops.reshape(x, (-1, 16, 16, 2, 4))
    x = ops.reshape(ops.transpose(x, (0, 1, 2, 4, 3)), (-1, 16, 16, 8))
    x = layers.MaxPooling2D()(layers.Conv2DTranspose(8, 3, strides=2, padding="same")(x))
    x = layers.Reshape((-1, 8))(layers.MaxPooling2D(2)(x) * 2 + 1)
    block_in = layers.Input((64, 8))
    block = keras.Model(
        block_in,
        layers.LayerNormalization()(
            block_in + layers.MultiHeadAttention(2, 4, name="heads")(block_in, block_in)
        ),
        name="block",
    )
    x = layers.Bidirectional(layers.GRU(4))(block(block(x)))
    tokens = layers.Input((None,), dtype="int32", name="tokens")
    y = layers.LSTM(8)(layers.Embedding(20, 8)(tokens))
    return keras.Model([image, tokens], {"sum": layers.Add()([x, y]), "words": y}, name="mixed")


if __name__ == "__main__":
    keras.utils.set_random_seed(0)
    for build in (light, mixed):
        build().save(HERE / f"{build.__name__}.keras")
