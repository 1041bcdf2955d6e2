"""Memory that a process has had stays with it, so that every step finds it again."""

import ctypes
import platform

KEPT = 2**31 - 1  # bytes; as much as an int of C holds
# The numbers by which glibc knows them: malloc.h
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8


def keep() -> None:
    """Have the C library keep memory that is freed, for whoever asks next.

    Left to itself glibc gives blocks of more than 32 MB back to the system at once, and gets them
    again page by page. pix2pix-256 has kernels as large as that, which oneDNN lays out anew for
    every convolution: fetching pages is a tenth of a step's time on a CPU. And threads' memory lies
    in arenas of their own, which are given back as soon as they are empty; here they share one.

    The process stays as large as it has ever been. Elsewhere than on glibc nothing is done; see
    mallopt(3).
    """
    if platform.libc_ver()[0] != "glibc":
        return
    mallopt = ctypes.CDLL(None).mallopt
    for name, value in ((M_MMAP_THRESHOLD, KEPT), (M_TRIM_THRESHOLD, KEPT), (M_ARENA_MAX, 1)):
        mallopt(name, value)
