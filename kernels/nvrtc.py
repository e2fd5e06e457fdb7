"""NVRTC, which compiles CUDA without a GPU. CuPy's own way to it is private: it is touched in this file alone."""

import re
from dataclasses import dataclass
from io import StringIO

from cupy.cuda.compiler import _NVRTCProgram

from kernels.launch import Kernel

OPTIONS = ("--std=c++17",)  # no fast-math: tanh, division and rsqrt stay as exact as the tests found them
ADDED_BY_CUPY = ("-ftz=true",)  # to whatever it compiles for a card: float32 below 1e-38 is 0


@dataclass(frozen=True, slots=True)
class Usage:
    """What ptxas reports of one kernel.

    Registers per thread, bytes of static shared memory per block, bytes spilled per thread.
    """

    registers: int
    shared_bytes: int
    spill_bytes: int


def compile_cubin(kernel: Kernel, arch: str) -> tuple[bytes, Usage]:
    """Machine code of `kernel` for "sm_90", say, and what it uses.

    Raises cupy's CompileException with the compiler's words.
    """
    program = _NVRTCProgram(kernel.source(), f"{kernel.file}.cu", (), (), method="cubin")
    log = StringIO()
    cubin, _ = program.compile((f"-arch={arch}", *OPTIONS, *ADDED_BY_CUPY, "--ptxas-options=-v"), log)
    return cubin, parse_usage(log.getvalue())


def parse_usage(log: str) -> Usage:
    """The numbers out of the lines `ptxas info.

    Used 40 registers, used 1 barriers, 1024 bytes smem` and `... bytes spill ...`.
    """
    used = re.search(r"Used (\d+) registers", log)
    if used is None:
        raise ValueError(f"ptxas reports no registers: {log[:500]!r}")
    shared = re.search(r"(\d+) bytes smem", log)
    spilled = re.findall(r"(\d+) bytes spill", log)
    return Usage(int(used[1]), int(shared[1]) if shared else 0, sum(map(int, spilled)))
