import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from latprof.errors import CaptureFailed, ShapeMismatch, UnreadableModel
from latprof.frontends import InputSpec, read
from latprof.frontends.torch.module import capture


class Wrapped(nn.Module):
    """Parts under torch.no_grad and autocast, which torch.export makes graphs of their own."""

    def __init__(self):
        super().__init__()
        self.inner, self.outer = nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x):
        with torch.no_grad():
            y = self.inner(x) + 1
        with torch.autocast("cpu", enabled=False):
            return self.outer(y * x)


class Namesakes(nn.Module):
    """Weights called like the input and like what torch calls its results."""

    def __init__(self):
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(1, 3, 1, 1))
        self.register_buffer("x", torch.ones(1))

    def forward(self, x):
        return ((x - self.mean) * self.x).mean((2, 3))


class ManyOutputs(nn.Module):
    """Outputs nobody reads, outputs read twice, a changed buffer, a shared module."""

    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(1))
        self.conv, self.relu = nn.Conv2d(3, 6, 3), nn.ReLU()

    def forward(self, x):
        self.calls.add_(1)
        first, _, third = self.relu(self.conv(self.relu(x))).chunk(3, 1)
        best, where = third.max(1)
        return {"sum": first + third, "best": best, "where": where}


class WithConstant(nn.Module):
    """Keeps a tensor that is neither parameter nor buffer."""

    def __init__(self):
        super().__init__()
        self.conv, self.shift = nn.Conv2d(3, 4, 3), torch.ones(4, 1, 1)

    def forward(self, x):
        return self.conv(x) + self.shift


def save(module, path, *shapes, dtype=torch.float32, **options):
    inputs = tuple(torch.zeros(shape, dtype=dtype) for shape in shapes)
    torch.export.save(torch.export.export(module.eval(), inputs, **options), path)
    return str(path)


@pytest.fixture
def saved(tmp_path):
    """A small network in an archive."""
    return save(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), tmp_path / "m.pt2", (1, 3, 8, 8))


def rewrite(path, change, member=None):
    """Save the archive again with `change` applied to its program."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = next(name for name in members if name.endswith("models/model.json"))
    program = json.loads(members.pop(name))
    change(program)
    with zipfile.ZipFile(path, "w") as archive:
        for key, value in members.items():
            archive.writestr(key, value)
        archive.writestr(member or name, json.dumps(program))


@pytest.mark.parametrize(
    "name", ["mobilenet_v2", "mobilenet_v3_small", "shufflenet_v2_x0_5", "resnet18"]
)
def test_an_archive_gives_the_graph_that_capturing_gives(name, tmp_path, built, captured):
    module, x = built(name)
    graph = read(save(module, tmp_path / "archive.bin", x.shape))
    assert replace(graph, name=name, source="") == captured(name)


@pytest.mark.parametrize(
    ("network", "shape"),
    [(Wrapped(), (2, 4)), (Namesakes(), (1, 3, 4, 4)), (ManyOutputs(), (1, 3, 8, 8))],
    ids=["wrapped", "namesakes", "many outputs"],
)
def test_corners_of_torch_export_are_read_like_the_program_in_memory(network, shape, tmp_path):
    path = save(network, tmp_path / "net.pt2", shape)
    in_memory = capture(network, [InputSpec(shape)], name="net", source=path)
    assert read(path) == in_memory


def test_what_runs_under_no_grad_is_counted(tmp_path, counts):
    graph = read(save(Wrapped(), tmp_path / "net.pt2", (2, 4)))
    assert counts(graph)["macs"] == 2 * 4 * 4 + 2 * 4 * 2
    assert [node.module for node in graph.nodes if node.op == "linear"] == ["inner", "outer"]


def test_only_answers_are_outputs(tmp_path):
    graph = read(save(ManyOutputs(), tmp_path / "net.pt2", (1, 3, 8, 8)))
    assert [graph.tensors[name].dtype for name in graph.outputs] == ["float32", "float32", "int64"]
    assert graph.inputs == ("x",)


def test_neither_torch_nor_numpy_is_imported(saved):
    import subprocess
    import sys

    code = (
        "import sys, latprof.frontends as frontends\n"
        f"assert not {{'torch', 'numpy'}} & set(sys.modules)\n"
        f"assert frontends.read({saved!r}).nodes\n"
        "assert not {'torch', 'numpy'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "inputs", [[InputSpec((1, 3, 8, 8))], [InputSpec((1, 3, 8, 8), name="input")]]
)
def test_inputs_that_agree_are_accepted(saved, inputs):
    assert len(read(saved, inputs=inputs).nodes) == 2


def test_inputs_that_differ_are_a_mismatch(saved):
    with pytest.raises(ShapeMismatch, match=r"1x3x8x8 for its input 'input'.*export it again"):
        read(saved, inputs=[InputSpec((1, 3, 16, 16))])


def test_a_size_left_open_is_taken_as_exported_and_said(tmp_path):
    batch = {0: torch.export.Dim("batch")}
    path = save(Wrapped(), tmp_path / "net.pt2", (3, 4), dynamic_shapes=(batch,))
    graph = read(path)
    assert graph.tensors[graph.inputs[0]].shape == (3, 4)
    (said,) = graph.assumptions
    assert "(axis 0 of 'x'); taken as 3, as exported" in said


def test_a_size_without_a_number_needs_input(tmp_path):
    batch = {0: torch.export.Dim("batch")}
    path = save(Wrapped(), tmp_path / "net.pt2", (3, 4), dynamic_shapes=(batch,))

    def forget_hints(value):
        for item in value.values() if isinstance(value, dict) else value:
            if isinstance(item, dict) and "expr_str" in item:
                item["hint"] = None
            elif isinstance(item, (dict, list)):
                forget_hints(item)

    rewrite(path, forget_hints)
    with pytest.raises(CaptureFailed, match=r"the file says no number for it.*--input"):
        read(path)
    assert read(path, inputs=[InputSpec((5, 4))]).tensors["x"].shape == (5, 4)


class Sized(nn.Module):
    """Sizes computed from sizes: a stride, a concatenation, a flattening."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, stride=2)

    def forward(self, x, scale):
        y = self.conv(x) * scale
        return torch.cat([y, y], 2).flatten(1)


@pytest.fixture(scope="module")
def open_archive(tmp_path_factory):
    """A network exported for any batch and any height from 8 to 64."""
    any_batch, height = torch.export.Dim("batch"), torch.export.Dim("height", min=8, max=64)
    path = tmp_path_factory.mktemp("open") / "net.pt2"
    sizes = ({0: any_batch, 2: height}, {0: any_batch})
    return save(Sized(), path, (3, 3, 16, 9), (3, 1, 1, 1), dynamic_shapes=sizes)


@pytest.mark.parametrize(("batch", "height"), [(1, 16), (8, 33), (3, 64)])
def test_open_sizes_are_what_the_user_asks_for(open_archive, batch, height):
    wanted = [InputSpec((batch, 3, height, 9)), InputSpec((batch, 1, 1, 1))]
    expected = capture(Sized(), wanted, name="net", source=open_archive)
    assert read(open_archive, inputs=wanted) == expected


def test_inputs_left_out_keep_the_open_sizes_that_others_give_them(open_archive):
    graph = read(open_archive, inputs=[InputSpec((5, 3, 16, 9), name="x")])
    assert graph.tensors["scale"].shape == (5, 1, 1, 1)


@pytest.mark.parametrize(
    ("shapes", "said"),
    [
        ([(3, 3, 7, 9)], "exported for sizes from 8 to 64"),
        ([(3, 3, 16, 10)], "3x3x16x10 and the file has 3x3x16x9"),
        ([(3, 3, 16)], "3x3x16 and the file has"),
        ([(3, 3, 16, 9), (2, 1, 1, 1)], "which another input makes 3"),
    ],
)
def test_sizes_that_the_file_does_not_allow(open_archive, shapes, said):
    with pytest.raises(ShapeMismatch) as caught:
        read(open_archive, inputs=[InputSpec(shape) for shape in shapes])
    assert said in str(caught.value)


def test_an_expression_that_is_not_understood(open_archive, tmp_path):
    path = tmp_path / "net.pt2"
    path.write_bytes(Path(open_archive).read_bytes())

    def forge(program):
        tensors = program["graph_module"]["graph"]["tensor_values"]
        size = next(s for s in tensors["conv2d"]["sizes"] if "as_expr" in s and s is not None)
        size["as_expr"]["expr_str"] = "__import__('os').system('true')"

    rewrite(path, forge)
    with pytest.raises(CaptureFailed, match="Leave --input and --batch out"):
        read(str(path), inputs=[InputSpec((5, 3, 16, 9))])


def test_shared_frozen_and_unread_weights(tmp_path, odd_weights, weights_told):
    module, tokens = odd_weights
    graph = read(save(module, tmp_path / "net.pt2", tokens.shape, dtype=tokens.dtype))
    assert weights_told(graph) == weights_told(None)


def test_the_layout_of_older_archives(saved):
    expected = read(saved)
    rewrite(saved, lambda program: program.pop("torch_version"), "serialized_exported_program.json")
    assert read(saved) == expected


@pytest.mark.parametrize(
    "change",
    [
        lambda program: program.pop("graph_module"),
        lambda program: program["graph_module"]["graph"].update(nodes=[{}]),
        lambda program: program["graph_module"]["graph"].update(tensor_values={}),
        lambda program: program["graph_module"]["signature"].update(
            input_specs=[{"as_new": {}}] * 2
        ),
        lambda program: program["graph_module"]["graph"]["nodes"][0].update(target=7),
        lambda program: program["graph_module"]["graph"]["nodes"][0].update(inputs=[]),
    ],
)
def test_a_program_that_cannot_be_followed(saved, change):
    rewrite(saved, change)
    with pytest.raises((UnreadableModel, CaptureFailed)):
        read(saved)


def test_an_unknown_schema_is_told_with_its_version(saved):
    def make_new(program):
        program["schema_version"] = {"major": 99, "minor": 1}
        program["graph_module"]["graph"]["nodes"] = "elsewhere"

    rewrite(saved, make_new)
    with pytest.raises(UnreadableModel, match=r"torch 2\S+ \(schema 99\.1\).*Export it again"):
        read(saved)


@pytest.mark.parametrize("size", [-1, 2**60])
def test_forged_sizes_are_refused(saved, size):
    def forge(program):
        tensors = program["graph_module"]["graph"]["tensor_values"]
        tensors["conv2d"]["sizes"][1] = {"as_int": size}

    rewrite(saved, forge)
    with pytest.raises(ShapeMismatch):
        read(saved)


@pytest.mark.parametrize(
    "member",
    ["data/sample_inputs/model.pt", "data/weights/weight_0", "data/constants/tensor_0"],
)
@pytest.mark.parametrize("trust", [False, True])
def test_pickles_inside_the_archive_are_never_opened(tmp_path, member, trust, hostile, marker):
    saved = save(WithConstant(), tmp_path / "m.pt2", (1, 3, 8, 8))
    trap = f"{saved}.trap"
    torch.save(hostile, trap)
    with zipfile.ZipFile(saved) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    key = next(name for name in members if name.endswith(member))
    with open(trap, "rb") as stream:
        members[key] = stream.read()
    with zipfile.ZipFile(saved, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    assert len(read(saved, trust=trust).nodes) == 2
    assert not marker.exists()


@pytest.mark.parametrize("trust", [False, True])
def test_objects_that_the_archive_says_to_unpickle_are_not(tmp_path, trust, hostile, marker):
    saved = save(WithConstant(), tmp_path / "m.pt2", (1, 3, 8, 8))
    torch.save(hostile, tmp_path / "trap")
    with zipfile.ZipFile(saved) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for name in [name for name in members if name.endswith("_config.json")]:
        told = json.loads(members[name])
        for held in told["config"].values():
            held["use_pickle"] = True
        told["config"]["trap"] = {"path_name": "custom_obj_0", "use_pickle": True}
        members[name] = json.dumps(told).encode()
    folder = next(name for name in members if name.endswith("tensor_0")).rpartition("/")[0]
    members[f"{folder}/custom_obj_0"] = (tmp_path / "trap").read_bytes()
    with zipfile.ZipFile(saved, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    assert len(read(saved, trust=trust).nodes) == 2
    assert not marker.exists()
