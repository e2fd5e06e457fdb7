"""Compiles a kernel with g++ and runs it, one fiber per CUDA thread: see emulator.h for what it is strict about."""

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import DTypeLike, NDArray

from kernels.launch import Kernel, Launch, Plan, Ref

Arrays = Mapping[str, NDArray[np.generic]]
FOLDER = Path(__file__).parent
HEADER = FOLDER / "emulator.h"
FLAGS = ("-std=c++17", "-O2", "-march=native", "-ffp-contract=off", "-fPIC", "-shared", "-w", "-fsanitize=bounds")


class EmulatorError(Exception):
    """What a kernel did that a GPU would punish: out of bounds, misaligned, threads missing at a barrier."""


class _Range(ctypes.Structure):
    _fields_ = [("begin", ctypes.c_size_t), ("bytes", ctypes.c_uint64)]


class _Count(ctypes.Structure):
    _fields_ = [(n, ctypes.c_uint64) for n in ("requests", "sectors", "ideal", "bytes")]


@dataclass(frozen=True, slots=True)
class Traffic:
    """What the warps asked of one buffer, in one direction.

    A sector is 32 bytes; `ideal`: had the bytes been neighbours.
    """

    requests: int
    sectors: int
    ideal: int
    bytes: int

    @property
    def sectors_per_request(self) -> float:
        return self.sectors / self.requests

    @property
    def excess(self) -> float:
        """1.0 is perfectly coalesced."""
        return self.sectors / self.ideal


def require_emulator() -> None:
    """Skips the test where the emulator cannot be built."""
    if shutil.which("g++") is None:
        pytest.skip("the emulator needs g++, which is not installed")
    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip(f"the emulator's fibers are written for x86-64, this is {platform.machine()}")


def run(
    launch: Launch,
    arrays: Arrays,
    *,
    reverse: bool = False,
    stall: int = -1,
    arch: int = 900,
    edit: Callable[[str], str] | None = None,
    counts: dict[tuple[str, str], Traffic] | None = None,
) -> None:
    """Carries out one launch on NumPy arrays, in place.

    reverse: the other order of blocks, warps and lanes. stall: the first block is held back after so many barriers,
    with one warp ahead of the others, until all other blocks are done. edit: changes the source first (to prove that a
    test would notice). counts: filled with the traffic per (buffer, "load" or "store"). Raises EmulatorError.
    """
    names = list(dict.fromkeys(a.buffer for a in launch.args if isinstance(a, Ref)))
    ranges = (_Range * len(names))(*[_Range(arrays[n].ctypes.data, arrays[n].nbytes) for n in names])
    values = [_argument(a, arrays) for a in launch.args]
    pointers = (ctypes.c_void_p * len(values))(*[ctypes.addressof(v) for v in values])
    sizes = (ctypes.c_uint * 6)(*launch.grid, *launch.block)
    tallies = (_Count * (2 * len(names)))() if counts is not None else None
    function = _load(launch.kernel, arch, edit(launch.kernel.source()) if edit else launch.kernel.source())
    error = function(sizes, pointers, ranges, len(names), int(reverse), stall, tallies)
    if error:
        raise EmulatorError(f"{launch.kernel.name}: {error.decode()}; buffers are {', '.join(names)}")
    if counts is not None and tallies is not None:
        for i, tally in enumerate(tallies):
            if tally.requests:
                key = (names[i // 2], "store" if i % 2 else "load")
                counts[key] = Traffic(tally.requests, tally.sectors, tally.ideal, tally.bytes)


def _argument(value: Ref | np.int32 | np.float32, arrays: Arrays) -> ctypes.c_void_p | ctypes.c_int32 | ctypes.c_float:
    if isinstance(value, Ref):
        array = arrays[value.buffer]
        assert array.flags.c_contiguous
        return ctypes.c_void_p(array.ctypes.data + value.offset * array.itemsize)
    return ctypes.c_int32(int(value)) if isinstance(value, np.int32) else ctypes.c_float(float(value))


def _load(kernel: Kernel, arch: int, source: str) -> Callable[..., bytes | None]:
    text = f"#define EMULATOR\n#define EMULATED_ARCH {arch}\n{source}\nEMULATE({kernel.name})\n"
    return _compiled(text)


@cache
def _compiled(text: str) -> Callable[..., bytes | None]:
    """The `emulate` function of a kernel's source."""
    function = ctypes.CDLL(str(_library(text, str(_machine())))).emulate
    function.restype = ctypes.c_char_p
    return function


@cache
def _machine() -> Path:
    """The library of emulator.cpp, which every kernel is linked to."""
    require_emulator()
    return _library((FOLDER / "emulator.cpp").read_text())


def _library(text: str, *link: str) -> Path:
    """C++ to a shared library: compiled once per content, kept in the temporary folder between runs."""
    digest = hashlib.sha256("\0".join([text, HEADER.read_text(), *FLAGS, *link]).encode()).hexdigest()[:24]
    folder = Path(tempfile.gettempdir()) / f"kernel-emulator-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    library = folder / f"{digest}.so"
    if not library.exists():
        part = folder / f"{digest}.{os.getpid()}.so"
        command = ["g++", *FLAGS, f"-I{FOLDER}", "-x", "c++", "-", "-x", "none", *link, "-o", str(part)]
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        if done.returncode:
            raise EmulatorError(f"g++: {done.stderr[:3000]}")
        part.replace(library)
    return library


def aligned(elements: int, dtype: DTypeLike) -> NDArray[np.generic]:
    """Poisoned memory.

    Every float is NaN, as a kernel finds it that reads what nobody wrote. Starts at a multiple of 256 bytes.
    """
    size = elements * np.dtype(dtype).itemsize
    raw = np.full(size + 256, 0xFF, np.uint8)
    start = -raw.ctypes.data % 256  # as cudaMalloc does
    return raw[start : start + size].view(dtype)


def device_copy(values: NDArray[np.generic]) -> NDArray[np.generic]:
    """The same values, flat, in aligned memory."""
    array = aligned(values.size, values.dtype)
    array[:] = values.ravel()
    return array


def allocate(plan: Plan) -> dict[str, NDArray[np.generic]]:
    """Constants and poisoned buffers of a plan."""
    arrays = {n: aligned(b.elements, b.dtype) for n, b in plan.buffers.items()}
    for name, buffer in plan.buffers.items():
        if buffer.zero:
            arrays[name][:] = 0
    return arrays | {n: device_copy(c) for n, c in plan.constants.items()}
