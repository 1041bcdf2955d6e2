"""Fetch a public set of photos: `python -m data_tools.fetch NAME OUT`.

What arrives is checked against the checksum in `SETS` and unpacked into class folders, which
`python -m recon.train --data OUT` reads as they are.
"""

import shutil
import stat
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, NamedTuple

import pooch
import requests
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

from recon import atomic, commandline
from recon.data import photos
from recon.errors import BadInput

TARS = (".tar", ".tar.gz", ".tgz")
CHUNK = 1 << 14  # bytes written at a time; a connection that breaks loses less than that
PATIENCE = 30  # seconds without a byte


class PhotoSet(NamedTuple):
    """A public set: one archive, and where its photos go."""

    holds: str
    url: str
    size: int  # bytes
    checksum: str  # algorithm:digits
    licence: str
    kind: Callable[[PurePosixPath], str]  # class of a photo by its place in the archive, or ""


def pet(path: PurePosixPath) -> str:
    """Tell cats from dogs: breeds of cats are written with a capital (README of the set)."""
    return "cats" if path.name[0].isupper() else "dogs"


def category(path: PurePosixPath) -> str:
    """Take the folder's name; the background photos are of no class and are left out."""
    return "" if path.parent.name == "BACKGROUND_Google" else path.parent.name


# Addresses and checksums are those of torchvision (datasets/oxford_iiit_pet.py, caltech.py).
SETS = {
    "oxford-pets": PhotoSet(
        "Oxford-IIIT Pet: 7,390 photos of cats and dogs of 37 breeds",
        "https://www.robots.ox.ac.uk/~vgg/data/pets/data/images.tar.gz",
        791_918_971,
        "md5:5c4f3ee8e5d25df40f4fd59a7f44e54c",
        "CC BY-SA 4.0; the photos belong to their owners (see the set's page)",
        pet,
    ),
    "caltech-101": PhotoSet(
        "Caltech-101: 8,677 photos in 101 classes, elephant and Leopards among them",
        "https://data.caltech.edu/records/mzrjq-6wc02/files/caltech-101.zip",
        137_414_764,
        "md5:3138e1922a9193bfa496528edbbc45d0",
        "CC BY 4.0",
        category,
    ),
}


# Downloading ------------------------------------------------------------------------------------


def download(url: str, part: Path) -> None:
    """Fetch a file, or go on where an earlier attempt ended.

    What `part` holds already is not asked for again (HTTP's Range). A server that knows no
    Range sends the whole file, and the download starts anew.

    Args:
        url: address of the file.
        part: where its bytes go; it stays when the connection breaks.

    Raises:
        BadInput: no connection, a broken one, or no such file on the server.
    """
    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"}  # lengths are then those of the file
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        with requests.get(url, headers=headers, stream=True, timeout=PATIENCE) as response:
            if response.status_code == requests.codes.requested_range_not_satisfiable:
                return  # nothing lies beyond: all is here, and the checksum will tell
            if not response.ok:
                raise BadInput(
                    f"{url}: the server says {response.status_code} {response.reason}; "
                    "try later or name another address with --mirror"
                )
            if response.status_code != requests.codes.partial_content:
                have = 0
            receive(response, part, have)
    except requests.RequestException as error:
        here = part.stat().st_size if part.exists() else 0
        if not here:
            raise BadInput(
                f"{url}: nothing came ({type(error).__name__}); see whether the network is "
                "there, or name another address with --mirror"
            ) from None
        raise BadInput(
            f"{url}: the connection broke, {here:,} bytes are here; "
            "run the same command again to go on from there"
        ) from None


def receive(response: requests.Response, part: Path, have: int) -> None:
    """Write a response's body behind the first `have` bytes of a file, with a progress bar.

    Raises:
        requests.ConnectionError: fewer bytes came than announced.
    """
    length = response.headers.get("Content-Length")
    total = have + int(length) if length else None
    bar = Progress(
        "{task.description}",
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    with bar, part.open("ab" if have else "wb") as file:
        task = bar.add_task(PurePosixPath(response.url).name, total=total, completed=have)
        for chunk in response.iter_content(CHUNK):
            file.write(chunk)
            bar.advance(task, len(chunk))
    if total is not None and part.stat().st_size < total:
        raise requests.ConnectionError("the body ended early")


def check(path: Path, checksum: str, url: str) -> None:
    """Compare a file with its checksum; a wrong one is removed, as no resume would mend it.

    Args:
        path: the file.
        checksum: algorithm:digits, as pooch writes it.
        url: where it came from, for the message.
    """
    algorithm, expected = checksum.split(":")
    found = pooch.file_hash(path, alg=algorithm)
    if found != expected:
        path.unlink()
        raise BadInput(
            f"{url}: {algorithm} is {found}, expected {expected}; what came was removed, "
            "run again or name another address with --mirror"
        )


# Unpacking --------------------------------------------------------------------------------------


def zip_entries(archive: IO[bytes]) -> Iterator[tuple[str, IO[bytes] | None]]:
    """Walk through a zip: name and bytes of each file; None for what is no plain file."""
    with zipfile.ZipFile(archive) as file:
        for info in file.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)  # Unix's; 0 if written elsewhere
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                yield info.filename, None
            elif not info.is_dir():
                with file.open(info) as stream:
                    yield info.filename, stream


def tar_entries(archive: IO[bytes]) -> Iterator[tuple[str, IO[bytes] | None]]:
    """Walk through a tar, compressed or not: as `zip_entries`."""
    with tarfile.open(fileobj=archive, mode="r|*") as file:  # read once, front to back
        for member in file:
            if not member.isdir():
                yield member.name, file.extractfile(member) if member.isreg() else None


def photos_in(
    entries: Iterator[tuple[str, IO[bytes] | None]],
) -> Iterator[tuple[PurePosixPath, IO[bytes]]]:
    """Find the photos of an archive, and of the tars inside it.

    Photos are told by their ending; what a Mac adds beside them is left out.

    Yields:
        Place in the archive and bytes, to be read before the next is asked for.

    Raises:
        BadInput: a file that would lie outside the archive's folder, a link or a device. No
            set has one: the archive is not what it should be, and nothing of it is trusted.
    """
    for name, stream in entries:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name or PureWindowsPath(name).drive:
            raise BadInput(f"{name!r} would be written outside its folder")
        if stream is None:
            raise BadInput(f"{name!r} is a link or a device")
        if name.lower().endswith(TARS):
            yield from photos_in(tar_entries(stream))
        elif photos.is_photo(path) and "__MACOSX" not in path.parts and path.name[0] != ".":
            yield path, stream


def unpack(archive: Path, folder: Path, kind: Callable[[PurePosixPath], str]) -> Counter[str]:
    """Write the photos of a zip or a tar into class folders, and nothing else.

    Args:
        archive: the file.
        folder: where the class folders are made.
        kind: class of a photo by its place in the archive; "" leaves it out.

    Returns:
        Number of photos of each class.

    Raises:
        BadInput: no archive, a damaged one, one not to be trusted, or one without photos.
    """
    counts: Counter[str] = Counter()
    try:
        with archive.open("rb") as file:
            entries = zip_entries if file.read(2) == b"PK" else tar_entries
            file.seek(0)
            for path, stream in photos_in(entries(file)):
                if not (name := kind(path)):
                    continue
                (folder / name).mkdir(exist_ok=True)
                with (folder / name / path.name).open("xb") as copy:
                    shutil.copyfileobj(stream, copy)
                counts[name] += 1
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError) as error:
        raise BadInput(f"it cannot be unpacked ({error})") from None
    if not counts:
        raise BadInput("there are no photos in it")
    return counts


def fetch(name: str, out: Path, /, *, mirror: str | None = None) -> None:
    """Fetch a public set of photos into a folder of class folders.

    Sets: oxford-pets (792 MB; cats, dogs) and caltech-101 (137 MB; elephant, Leopards and 99
    more). The archive is loaded into a file beside OUT that ends in `.part`; after a broken
    connection the same command goes on from there. It is removed once the photos are unpacked.

    Args:
        name: of the set.
        out: a new folder for the photos.
        mirror: address of a folder that holds the set's archive under its own name, if its
            home cannot be reached.
    """
    if name not in SETS:
        raise BadInput(f"unknown set {name!r}: choose from {', '.join(SETS)}")
    wanted = SETS[name]
    file_name = PurePosixPath(wanted.url).name
    url = f"{mirror.rstrip('/')}/{file_name}" if mirror else wanted.url
    part = out.with_name(f"{name}-{file_name}.part")
    with atomic.building(out) as folder:
        print(f"{wanted.holds}; licence: {wanted.licence}")
        if not part.exists() or part.stat().st_size != wanted.size:
            download(url, part)
        check(part, wanted.checksum, url)
        try:
            counts = unpack(part, folder, wanted.kind)
        except BadInput as error:
            part.unlink()
            raise BadInput(f"{url}: {error}; nothing of it was kept") from None
    part.unlink()
    some = ", ".join(f"{kind} {count:,}" for kind, count in counts.most_common(5))
    rest = f" and {len(counts) - 5} more" if len(counts) > 5 else ""
    print(f"{counts.total():,} photos in {out}: {some}{rest}")


if __name__ == "__main__":
    commandline.run(fetch)
