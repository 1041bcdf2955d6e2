"""recon.atomic: a file is there whole, or the older one is."""

import pytest

from recon import atomic


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
