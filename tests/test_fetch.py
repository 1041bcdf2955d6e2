"""data_tools.fetch: against a small archive on a server of this machine."""

import hashlib
import io
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath

import numpy as np
import pytest
from PIL import Image

from data_tools import fetch
from recon import commandline
from recon.data import catalog

PETS = ("images/Abyssinian_1.jpg", "images/Bengal_12.jpg", "images/beagle_3.jpg")


def jpeg(seed=0, side=80):
    data = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype="uint8")
    Image.fromarray(pixels).save(data, "JPEG")
    return data.getvalue()


def tar(files, mode="w:gz"):
    """A tar of {name: bytes}; a name with a TarInfo's type as value is a link or a device."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode=mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            if content in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
                member.type, member.linkname = content, "/etc/passwd"
                archive.addfile(member)
            else:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return data.getvalue()


def zipped(files):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


class Server(ThreadingHTTPServer):
    """Serves one file; keeps what it was asked for; can know Range, and hang up half-way."""

    def __init__(self, content):
        self.content, self.ranges, self.hang_up, self.asked = content, True, False, []
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server, wanted = self.server, self.headers["Range"]
        server.asked.append((self.path, wanted))
        if self.path != "/sets/images.tar.gz":
            self.send_error(404)
            return
        first = int(wanted[len("bytes=") : -1]) if wanted and server.ranges else 0
        if first >= len(server.content):
            self.send_error(416)
            return
        body = server.content[first:]
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", str(len(body)))
        if first:
            end = len(server.content)
            self.send_header("Content-Range", f"bytes {first}-{end - 1}/{end}")
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if server.hang_up else body)

    def log_message(self, *_):
        pass


@pytest.fixture
def serve(tmp_path, monkeypatch):
    """Start a server for an archive and enter it in the table as `pets`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    started = []

    def start(content, kind=fetch.pet, size=None, checksum=None):
        server = Server(content)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        started.append((server, thread))
        entry = fetch.PhotoSet(
            "some pets",
            f"{server.address}/sets/images.tar.gz",
            len(content) if size is None else size,
            checksum or f"md5:{hashlib.md5(content).hexdigest()}",
            "none needed",
            kind,
        )
        monkeypatch.setitem(fetch.SETS, "pets", entry)
        return server

    yield start
    for server, thread in started:
        server.shutdown()
        thread.join()
        server.server_close()


def run(*words):
    commandline.run(fetch.fetch, [str(word) for word in words])


def refused(capsys, *words):
    with pytest.raises(SystemExit) as stopped:
        run(*words)
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    [line] = [line for line in error.splitlines() if line.startswith("error: ")]
    assert error.endswith(line + "\n")
    assert "Traceback" not in error
    return line


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


PART = "pets-images.tar.gz.part"


def test_pets_become_cats_and_dogs(serve, tmp_path, capsys):
    photos = {name: jpeg(seed) for seed, name in enumerate(PETS)}
    others = {"images/Abyssinian_100.mat": b"matrix", "images/._beagle_3.jpg": b"a Mac's notes"}
    server = serve(tar({**photos, **others}))
    run("pets", "animals/pets")
    assert names(tmp_path) == [
        "animals",
        "animals/pets",
        "animals/pets/cats",
        "animals/pets/cats/Abyssinian_1.jpg",
        "animals/pets/cats/Bengal_12.jpg",
        "animals/pets/dogs",
        "animals/pets/dogs/beagle_3.jpg",
    ]
    for name, data in photos.items():
        [copy] = tmp_path.rglob(PurePosixPath(name).name)
        assert copy.read_bytes() == data
    table = catalog.read(tmp_path / "animals/pets")
    assert sorted(table["class"]) == ["cats", "cats", "dogs"]
    assert server.asked == [("/sets/images.tar.gz", None)]
    assert "3 photos in animals/pets: cats 2, dogs 1" in capsys.readouterr().out


def test_caltechs_zip_holds_a_tar_of_class_folders(serve, tmp_path):
    inner = tar(
        {
            "101_ObjectCategories/elephant/image_0001.jpg": jpeg(1),
            "101_ObjectCategories/Leopards/image_0001.jpg": jpeg(2),
            "101_ObjectCategories/BACKGROUND_Google/image_0001.jpg": jpeg(3),
            "101_ObjectCategories/BACKGROUND_Google/tmp": b"a stray file",
        }
    )
    outer = {
        "caltech-101/": b"",
        "caltech-101/101_ObjectCategories.tar.gz": inner,
        "caltech-101/Annotations.tar": tar({"Annotations/a.mat": b"matrix"}, "w"),
        "__MACOSX/caltech-101/elephant/x.jpg": b"a Mac's notes",
    }
    serve(zipped(outer), kind=fetch.category)
    run("pets", "out")
    assert names(tmp_path / "out") == [
        "Leopards",
        "Leopards/image_0001.jpg",
        "elephant",
        "elephant/image_0001.jpg",
    ]
    assert (tmp_path / "out/elephant/image_0001.jpg").read_bytes() == jpeg(1)


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_download_goes_on(serve, tmp_path, capsys, ranges):
    content = tar({name: jpeg(seed, 300) for seed, name in enumerate(PETS)})
    server = serve(content)
    server.hang_up, server.ranges = True, ranges
    here = len(content) // 2 // fetch.CHUNK * fetch.CHUNK
    assert here > 0
    line = refused(capsys, "pets", "out")
    assert f"the connection broke, {here:,} bytes are here; run the same command again" in line
    assert names(tmp_path) == [PART]
    assert (tmp_path / PART).read_bytes() == content[:here]
    server.hang_up = False
    run("pets", "out")
    assert server.asked == [
        ("/sets/images.tar.gz", None),
        ("/sets/images.tar.gz", f"bytes={here}-"),
    ]
    assert len(list((tmp_path / "out").rglob("*.jpg"))) == 3
    assert not (tmp_path / PART).exists()


def test_a_complete_download_is_not_asked_for_again(serve, tmp_path):
    content = tar({PETS[0]: jpeg()})
    server = serve(content)
    (tmp_path / PART).write_bytes(content)
    run("pets", "out")
    assert server.asked == []
    assert (tmp_path / "out/cats/Abyssinian_1.jpg").is_file()


def test_a_server_with_nothing_more_to_send_leaves_it_to_the_checksum(serve, tmp_path):
    content = tar({PETS[0]: jpeg()})
    server = serve(content, size=1)  # another size than the table's, as a mirror's may be
    (tmp_path / PART).write_bytes(content)
    run("pets", "out")
    assert server.asked == [("/sets/images.tar.gz", f"bytes={len(content)}-")]
    assert (tmp_path / "out/cats/Abyssinian_1.jpg").is_file()


def test_a_wrong_checksum_leaves_nothing(serve, tmp_path, capsys):
    content = tar({PETS[0]: jpeg()})
    expected = "0" * 32
    serve(content, checksum=f"md5:{expected}")
    (tmp_path / "out").mkdir()
    line = refused(capsys, "pets", "out")
    assert f"md5 is {hashlib.md5(content).hexdigest()}, expected {expected}" in line
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("name", ["../evil.jpg", "images/../../evil.jpg", "/tmp/evil.jpg"])
@pytest.mark.parametrize("pack", [tar, zipped, lambda files: zipped({"a/b.tar.gz": tar(files)})])
def test_an_archive_that_writes_outside_its_folder_is_refused(serve, tmp_path, capsys, name, pack):
    (tmp_path / "work").mkdir()
    serve(pack({PETS[0]: jpeg(), name: jpeg()}))
    line = refused(capsys, "pets", "work/out")
    assert f"{name!r} would be written outside its folder; nothing of it was kept" in line
    assert names(tmp_path) == ["work"]


@pytest.mark.parametrize("name", ["..\\evil.jpg", "C:evil.jpg", "C:\\evil.jpg"])
def test_windows_paths_are_refused_too(serve, tmp_path, capsys, name):
    serve(tar({name: jpeg()}))
    assert "outside its folder" in refused(capsys, "pets", "out")
    assert names(tmp_path) == []


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(serve, tmp_path, capsys, kind):
    serve(tar({PETS[0]: jpeg(), "images/link.jpg": kind}))
    assert "'images/link.jpg' is a link or a device" in refused(capsys, "pets", "out")
    assert names(tmp_path) == []


def test_links_in_a_zip_are_refused(serve, tmp_path, capsys):
    link = zipfile.ZipInfo("images/link.jpg")
    link.external_attr = 0o120777 << 16
    serve(zipped({PETS[0]: jpeg(), link: b"/etc/passwd"}))
    assert "'images/link.jpg' is a link or a device" in refused(capsys, "pets", "out")
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no archive at all", "cannot be unpacked"),
        (tar({PETS[0]: jpeg(), PETS[1]: jpeg()})[:-500], "cannot be unpacked"),
        (zipped({PETS[0]: jpeg()})[:-30], "cannot be unpacked"),
        (tar({"images/readme.txt": b"text"}), "no photos in it"),
    ],
)
def test_an_archive_that_is_none_leaves_nothing(serve, tmp_path, capsys, content, words):
    serve(content)
    assert words in refused(capsys, "pets", "out")
    assert names(tmp_path) == []


def test_a_mirror_replaces_the_address(serve, tmp_path, capsys, monkeypatch):
    server = serve(tar({PETS[2]: jpeg()}))
    home = fetch.SETS["pets"]._replace(url="http://127.0.0.1:1/data/images.tar.gz")
    monkeypatch.setitem(fetch.SETS, "pets", home)
    assert "nothing came (ConnectionError)" in refused(capsys, "pets", "out")
    assert names(tmp_path) == []
    assert "the server says 404" in refused(capsys, "pets", "out", "--mirror", server.address)
    run("pets", "out", "--mirror", f"{server.address}/sets/")
    assert names(tmp_path / "out") == ["dogs", "dogs/beagle_3.jpg"]


def test_a_folder_with_files_in_it_stays(serve, tmp_path, capsys):
    server = serve(tar({PETS[2]: jpeg()}))
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("mine")
    assert "out: not an empty folder" in refused(capsys, "pets", "out")
    assert names(tmp_path) == ["out", "out/mine.txt"]
    assert server.asked == []


def test_unknown_sets_are_named_with_the_known_ones(tmp_path, capsys):
    line = refused(capsys, "tigers", tmp_path / "out")
    assert line == "error: unknown set 'tigers': choose from oxford-pets, caltech-101"


def test_the_table_is_complete():
    for name, entry in fetch.SETS.items():
        assert name == name.lower()
        assert entry.url.startswith("https://")
        assert PurePosixPath(entry.url).name.endswith((".tar.gz", ".zip"))
        algorithm, digits = entry.checksum.split(":")
        assert len(bytes.fromhex(digits)) == hashlib.new(algorithm).digest_size
        assert entry.size > 10**8
        assert entry.licence.startswith("CC BY")
