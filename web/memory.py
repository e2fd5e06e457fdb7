"""Hands freed memory back to the system.

A worker's threads allocate pictures and tensors side by side, and every visitor's come and go between those of others.
glibc keeps what is freed in between, scattered over its arenas: nothing leaks, yet resident memory grows by the hour.
"""

import ctypes

EVERY_S = 30.0


def give_back() -> None:
    """Some milliseconds. Does nothing where the C library has no `malloc_trim` (musl, macOS)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(ctypes.c_size_t(0))
