"""recon.atomic: a file is there whole, or the older one is."""

import pytest

from recon import atomic
from recon.errors import BadInput


def test_the_file_appears_whole(tmp_path):
    path = tmp_path / "a.weights.h5"
    with atomic.writing(path) as temporary:
        temporary.write_text("new")
        assert not path.exists()
        assert temporary.name.endswith(path.name)
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_keeps_the_older_file_and_leaves_no_half(tmp_path):
    path = tmp_path / "report.json"
    path.write_text("old")

    def save():
        with atomic.writing(path) as temporary:
            temporary.write_text("half")
            # /dev/full answers every write as a full disk does.
            with open("/dev/full", "w") as full:
                full.write("new")

    with pytest.raises(OSError, match="No space left"):
        save()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_appears_whole(tmp_path):
    with atomic.building(tmp_path / "out") as folder:
        (folder / "a").write_text("a")
        assert not (tmp_path / "out").exists()
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["a"]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_folder_that_fails_leaves_nothing(tmp_path):
    def build():
        with atomic.building(tmp_path / "out") as folder:
            (folder / "a").write_text("a")
            raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space left"):
        build()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_empty_is_refused(tmp_path):
    (tmp_path / "a").write_text("a")
    with pytest.raises(BadInput, match="not an empty folder"), atomic.building(tmp_path):
        pass
