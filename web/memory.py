"""Keeps resident memory from growing, by one arena for all threads and by giving back what is free; and off disks.

A worker's threads allocate pictures and tensors side by side, and every visitor's come and go between those of others.
glibc keeps what is freed in between, scattered over an arena for almost each of thirty threads: nothing leaks, yet
resident memory grows by the hour. What was measured is told in benchmarks/README.md.
"""

import ctypes
import resource

EVERY_S = 30.0
ARENAS = 1
M_ARENA_MAX = -8  # of mallopt, malloc.h


def use_few_arenas() -> None:
    """To be called before threads begin. Does nothing where the C library has no `mallopt` (musl, macOS)."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_ARENA_MAX, ARENAS)


def keep_no_dumps() -> None:
    """A core dump of this process, or of one that it starts, would hold the visitors' pictures."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def give_back() -> None:
    """Some milliseconds. Does nothing where the C library has no `malloc_trim` (musl, macOS)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(ctypes.c_size_t(0))
