import os
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from latprof.errors import UnreadableModel
from latprof.frontends.sniff import sniff

PICKLE_OF_A_LIST = b"\x80\x04]\x94."


def write_zip(path: Path, *members: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for member in members:
            archive.writestr(member, "{}")


@pytest.mark.parametrize(
    ("members", "kind"),
    [
        (["m/archive_format", "m/models/model.json", "m/data.pkl"], "pt2"),
        (["archive_format", "models/a.json"], "pt2"),
        (["serialized_exported_program.json", "version"], "pt2"),
        (["m/data.pkl", "m/constants.pkl", "m/code/__torch__.py"], "torch_script"),
        (["m/data.pkl", "m/data/0", "m/version"], "torch_pickle"),
        (["config.json", "metadata.json", "model.weights.h5"], "keras"),
    ],
)
def test_archives_are_told_by_their_members(tmp_path, members, kind):
    write_zip(tmp_path / "misnamed.onnx", *members)
    assert sniff(tmp_path / "misnamed.onnx") == kind


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_legacy_torch_pickle_is_told_by_its_magic_number(tmp_path, protocol):
    path = tmp_path / "model.bin"
    torch.save(nn.ReLU(), path, pickle_protocol=protocol, _use_new_zipfile_serialization=False)
    assert sniff(path) == "torch_pickle"


def test_json_may_begin_with_a_byte_order_mark_and_blanks(tmp_path):
    (tmp_path / "graph").write_bytes(b'\xef\xbb\xbf \n{"format": 1}')
    assert sniff(tmp_path / "graph") == "json"


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x1c\0\0\0TFL3" + bytes(20), "tflite"),
        (b"\x08\x0a\x12\x07pytorch", "onnx"),
        (b"\x40\0\0\0\0\0\0\0{" + b'"w":{"dtype":"F32"}}', "safetensors"),
    ],
)
def test_other_formats_are_told_by_their_beginning(tmp_path, head, kind):
    (tmp_path / "misnamed.pt").write_bytes(head)
    assert sniff(tmp_path / "misnamed.pt") == kind


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"\x1c\0\0\0ET12" + bytes(20), "is an ExecuTorch program"),
        (b"\x89HDF\r\n\x1a\n", "is an HDF5 file"),
        (b"\x1f\x8b\x08", "Unpack it first"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"<!DOCTYPE html>\n<html>", "the download went wrong"),
        (b"import torch\n\ndef net(): ...\n", "package.module:factory"),
        (b"nothing of note", "a text file that begins with 'nothing of note'"),
        (PICKLE_OF_A_LIST, "could run any code"),
        (b"\xff\xfe\xfd\xfc", "begins with bytes of no model format we know"),
        (b"\x08", "begins with bytes of no model format we know"),
        (b"PK\x05\x06" + bytes(18), "is an empty zip archive"),
        (b"PK\x03\x04" + bytes(60), "was cut off"),
        (b"", "is empty"),
    ],
)
def test_files_we_cannot_read_are_named_with_what_to_do(tmp_path, head, said):
    path = tmp_path / "model.pt"
    path.write_bytes(head)
    with pytest.raises(UnreadableModel, match=r"model\.pt") as caught:
        sniff(path)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        (["p/.data/extern_modules", "p/net.py", "p/data.pkl"], "is a torch.package"),
        (["m/archive_format", "m/data/aotinductor/model/a.so"], "compiled by AOTInductor"),
        (["weight.npy"], "weights without a network"),
        (["readme.txt"], "is a zip archive of readme.txt"),
    ],
)
def test_archives_we_cannot_read_are_named(tmp_path, members, said):
    write_zip(tmp_path / "model.pt", *members)
    with pytest.raises(UnreadableModel) as caught:
        sniff(tmp_path / "model.pt")
    assert said in str(caught.value)


def test_a_truncated_archive_is_told_from_a_broken_one(tmp_path):
    torch.save(nn.Linear(4, 4), tmp_path / "whole.pt")
    (tmp_path / "half.pt").write_bytes((tmp_path / "whole.pt").read_bytes()[:700])
    with pytest.raises(UnreadableModel, match="was cut off"):
        sniff(tmp_path / "half.pt")


def test_a_missing_file_brings_up_its_neighbours(tmp_path):
    (tmp_path / "mobilenet.pt2").write_text("x")
    with pytest.raises(UnreadableModel, match=r"no file .*Did you mean '.*mobilenet\.pt2'\?"):
        sniff(tmp_path / "mobilnet.pt2")


def test_a_missing_file_named_like_a_network_of_the_zoo():
    with pytest.raises(UnreadableModel, match=r"Did you mean zoo:mobilenet_v2\?"):
        sniff(Path("mobilenet_v2"))


def test_a_missing_folder_is_said_to_be_missing(tmp_path):
    with pytest.raises(UnreadableModel, match="does not exist either"):
        sniff(tmp_path / "nowhere" / "model.pt")


@pytest.mark.parametrize(
    ("inside", "said"),
    [([], "holding nothing"), (["a.pt"], "holding a.pt"), (["saved_model.pb"], "SavedModel")],
)
def test_a_directory_is_no_model(tmp_path, inside, said):
    for name in inside:
        (tmp_path / name).touch()
    with pytest.raises(UnreadableModel, match=said):
        sniff(tmp_path)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnreadableModel, match="not a regular file"):
        sniff(tmp_path / "pipe")


def test_a_name_too_long_for_the_file_system():
    with pytest.raises(UnreadableModel, match="cannot read"):
        sniff(Path("m" * 5000))
