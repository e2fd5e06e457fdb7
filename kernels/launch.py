"""What to launch, told without a GPU: kernels, launches and plans are values that CuPy and the tests' emulator both
carry out.

A kernel is one function of one .cu file with its constants (`-D` definitions); constants are part of its name, so a
profiler shows `conv_v6_size64_cin64_cout128...`. A plan lists launches over named buffers.
"""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike, NDArray

FOLDER = Path(__file__).parent
MAX_ELEMENTS = 2**31 - 1024  # indices in the kernels are C ints, and the last block may stick out

Scalar = np.int32 | np.float32  # CuPy would pass a Python int as long long, unchecked


@dataclass(frozen=True, slots=True)
class Kernel:
    """`function` of `<file>.cu`, compiled with `constants` defined."""

    file: str
    function: str
    constants: tuple[tuple[str, int], ...] = ()

    @property
    def name(self) -> str:
        """The function's name in the compiled module: with its constants."""
        return "_".join([self.function, *(f"{n.lower()}{v}" for n, v in self.constants)])

    def source(self) -> str:
        """The file with its headers and constants written into it.

        One text, so that no cache misses a change in a header.
        """
        defines = "".join(f"#define {n} {v}\n" for n, v in self.constants)
        return f"#define {self.function} {self.name}\n{defines}{source_text(self.file)}"


@cache
def source_text(file: str) -> str:
    """`<file>.cu` with `#include "x.cuh"` replaced by that file."""
    lines = (FOLDER / f"{file}.cu").read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(
        (FOLDER / line.split('"')[1]).read_text(encoding="utf-8") if line.startswith("#include") else line
        for line in lines
    )


@dataclass(frozen=True, slots=True)
class Ref:
    """A pointer argument: `offset` elements into a named buffer."""

    buffer: str
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Launch:
    """One launch of a kernel. layer: what it belongs to ("encoder_3"), for tables and profiles."""

    kernel: Kernel
    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    args: tuple[Ref | Scalar, ...]
    layer: str = ""


@dataclass(frozen=True, slots=True)
class Buffer:
    """Memory that a plan needs. zero: counters, which start at 0; everything else is written before it is read."""

    elements: int
    dtype: DTypeLike
    zero: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.elements <= MAX_ELEMENTS:
            raise ValueError(f"a buffer of {self.elements} elements, allowed are 1 to {MAX_ELEMENTS}")


@dataclass(slots=True)
class Plan:
    """A network as launches. `prologue` depends on the weights alone and runs when they change, `frame` runs for every
    picture.

    constants: prepared weights by name. buffers: memory by name; "picture" is the input, "result" the output.
    """

    constants: dict[str, NDArray[np.generic]] = field(default_factory=dict)
    buffers: dict[str, Buffer] = field(default_factory=dict)
    prologue: list[Launch] = field(default_factory=list)
    frame: list[Launch] = field(default_factory=list)

    @property
    def kernels(self) -> tuple[Kernel, ...]:
        """Every kernel once, in the order of first use."""
        return tuple(dict.fromkeys(launch.kernel for launch in (*self.prologue, *self.frame)))


def ceil_div(a: int, b: int) -> int:
    return -(-a // b)


def ints(*values: int) -> tuple[np.int32, ...]:
    """C ints. Raises OverflowError for what does not fit."""
    return tuple(np.int32(v) for v in values)
