import zipfile

import pytest

from latprof.errors import UnreadableModel
from latprof.frontends import bounded
from latprof.frontends.bounded import open_zip, parse_json, read_file, read_member, refuse_bomb


def write_zip(path, contents, **options):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        archive.writestr("model.json", contents)
    return path


def test_a_member_within_the_limit_is_read(tmp_path):
    with open_zip(write_zip(tmp_path / "m.zip", "x" * 100)) as archive:
        assert read_member(archive, "model.json", limit=100) == b"x" * 100


def test_a_member_beyond_the_limit_is_refused_before_it_is_unpacked(tmp_path):
    with (
        open_zip(write_zip(tmp_path / "m.zip", "x" * 101)) as archive,
        pytest.raises(UnreadableModel, match=r"'model\.json' .* is longer than"),
    ):
        read_member(archive, "model.json", limit=100)


def test_a_member_that_lies_about_its_size_is_cut_at_the_limit(tmp_path):
    path = write_zip(tmp_path / "m.zip", "x" * 5000)
    honest = (5000).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(honest, (50).to_bytes(4, "little")))
    with open_zip(path) as archive, pytest.raises(UnreadableModel):
        read_member(archive, "model.json", limit=100)


def test_a_damaged_member_is_reported_with_its_archive(tmp_path):
    path = write_zip(tmp_path / "m.zip", bytes(range(256)) * 10)
    data = bytearray(path.read_bytes())
    data[60] ^= 0xFF
    path.write_bytes(data)
    with open_zip(path) as archive, pytest.raises(UnreadableModel, match=r"m\.zip"):
        read_member(archive, "model.json")


def test_an_archive_that_unpacks_to_far_more_than_its_size_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(bounded, "MAX_BYTES", 1000)
    path = write_zip(tmp_path / "bomb.pt", bytes(100_000))
    with pytest.raises(UnreadableModel, match="made to fill the memory"):
        refuse_bomb(path)


def test_a_long_file_is_refused(tmp_path):
    (tmp_path / "graph.json").write_text("{}   ")
    assert read_file(tmp_path / "graph.json", limit=5) == b"{}   "
    with pytest.raises(UnreadableModel, match="longer than"):
        read_file(tmp_path / "graph.json", limit=4)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b'{"a": ' * 200_000, "nested too deeply"),
        (b'{"a": 1', "is broken"),
        (b"\xff\xfe\xff", "is broken"),
        (b"[" + b"9" * 5000 + b"]", "is broken"),
    ],
)
def test_json_that_cannot_be_read(text, said):
    with pytest.raises(UnreadableModel, match=said):
        parse_json(text, "'model.json'")
