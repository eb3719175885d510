"""Keras archives written by hand, as Keras 3 writes them, and Keras itself to compare with."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from latprof.frontends.keras.reader import read
from latprof.graph import Graph

Config = dict[str, Any]


def layer(kind: str, name: str = "", **settings: Any) -> Config:
    """The description of a layer of Keras's own."""
    name = name or kind.lower()
    return {
        "module": "keras.layers",
        "class_name": kind,
        "config": {"name": name, **settings},
        "registered_name": None,
    }


def operation(kind: str, name: str = "", **settings: Any) -> Config:
    """The description of an operation of `keras.ops`."""
    name = name or kind.lower()
    return {
        "module": "keras.src.ops.numpy",
        "class_name": kind,
        "config": {"name": name, **settings},
        "registered_name": kind,
    }


def tensor(name: str, call: int = 0, output: int = 0, shape: tuple[int | None, ...] = ()) -> Config:
    """A reference to an output of a layer."""
    return {
        "class_name": "__keras_tensor__",
        "config": {"shape": list(shape), "dtype": "float32", "keras_history": [name, call, output]},
    }


def called(described: Config, *calls: list[Any]) -> Config:
    """A layer with the arguments of each of its calls."""
    nodes = [{"args": args, "kwargs": {}} for args in calls]
    return {**described, "name": described["config"]["name"], "inbound_nodes": nodes}


def sequential(*layers: Config, name: str = "sequential", **settings: Any) -> Config:
    """A network of layers one after the other."""
    config = {"name": name, "layers": list(layers), **settings}
    return {"module": "keras", "class_name": "Sequential", "config": config}


def functional(
    layers: list[Config], inputs: Any, outputs: Any, name: str = "functional", **settings: Any
) -> Config:
    """A network that is a graph of calls."""
    config = {"name": name, "layers": layers, "input_layers": inputs, "output_layers": outputs}
    return {
        "module": "keras.src.models.functional",
        "class_name": "Functional",
        "config": {**config, **settings},
    }


def image(*shape: int | None, name: str = "image") -> Config:
    """An input layer; the batch is left open."""
    return layer("InputLayer", name, batch_shape=[None, *shape], dtype="float32")


class Describe:
    """The functions above, for tests."""

    layer, operation, tensor = staticmethod(layer), staticmethod(operation), staticmethod(tensor)
    called, sequential = staticmethod(called), staticmethod(sequential)
    functional, image = staticmethod(functional), staticmethod(image)


@pytest.fixture(scope="session")
def describe() -> type[Describe]:
    """Ways to describe layers and networks as Keras does."""
    return Describe


@pytest.fixture
def save(tmp_path):
    """Write an archive of a configuration; its weights are garbage, and nobody may read them."""

    def write(config: Any, *, name: str = "model.keras"):
        path = tmp_path / name
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
            held = config if isinstance(config, (str, bytes)) else json.dumps(config)
            archive.writestr("config.json", held)
            archive.writestr("model.weights.h5", b"not HDF5 at all")
        return path

    return write


@pytest.fixture
def graph_of(save) -> Callable[..., Graph]:
    """Read a configuration as if it came in an archive."""

    def read_config(config: Config, **settings: Any) -> Graph:
        return read(save(config), **settings)

    return read_config
