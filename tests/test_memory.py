"""recon.memory: what was had once costs no page more."""

import platform
import subprocess
import sys

import pytest

PAGES = 64 * 2**20 // 4096

CODE = f"""
import resource
import sys
import threading

from recon import memory

if sys.argv[1] == "kept":
    memory.keep()


def fetched() -> int:
    '''Pages fetched for as many bytes as {PAGES} pages hold, written in a thread of its own.'''
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    thread = threading.Thread(target=lambda: b"1" * ({PAGES} * 4096))
    thread.start()
    thread.join()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


print(fetched(), fetched())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_a_large_array_takes_its_pages_once():
    def pages(how):
        command = [sys.executable, "-c", CODE, how]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return [int(number) for number in done.stdout.split()]

    first, second = pages("kept")
    assert first > PAGES / 2
    assert second < PAGES / 100
    assert min(pages("not")) > PAGES / 2  # so the system counts pages, and glibc gives them back


def test_elsewhere_nothing_happens(monkeypatch):
    from recon import memory

    monkeypatch.setattr(memory.platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(memory.ctypes, "CDLL", None)
    memory.keep()
