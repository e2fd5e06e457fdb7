"""Compiles every kernel for the named architectures, on any machine, and shows what each one uses.

python -m kernels.compile --arch sm_75 sm_80 sm_90 [--filters 64] [--json]

Exit 1 when a kernel of the product (rung 6 and feedback) or a tensor-core kernel spills registers.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np

from kernels.bias_act import bias_act_kernels
from kernels.conv import mixing
from kernels.feedback import feedback_kernels
from kernels.launch import Kernel, Ref
from kernels.nvrtc import Usage, compile_cubin
from kernels.plan import RUNGS, unet_plan
from kernels.weights import unet_shapes


@dataclass(frozen=True, slots=True)
class Card:
    """What one multiprocessor has (CUDA C++ Programming Guide, table of compute capabilities)."""

    registers: int
    threads: int
    blocks: int
    shared_bytes: int
    shared_reserved_bytes: int  # per block, taken by the driver


CARDS = {
    "sm_75": Card(65536, 1024, 16, 64 << 10, 0),
    "sm_80": Card(65536, 2048, 32, 164 << 10, 1024),
    "sm_86": Card(65536, 1536, 16, 100 << 10, 1024),
    "sm_89": Card(65536, 1536, 24, 100 << 10, 1024),
    "sm_90": Card(65536, 2048, 32, 228 << 10, 1024),
}


def occupancy(card: Card, usage: Usage, threads: int) -> float:
    """Share of a multiprocessor's threads that can be resident: 0 when not even one block fits."""
    warps = -(-threads // 32)
    per_warp = -(-usage.registers * 32 // 256) * 256  # registers are given out by 256
    shared = usage.shared_bytes + card.shared_reserved_bytes
    blocks = min(
        card.blocks,
        card.threads // (warps * 32),
        card.registers // (per_warp * warps),
        card.shared_bytes // shared if shared else card.blocks,
    )
    return blocks * warps * 32 / card.threads


def all_kernels(filters: int) -> Iterator[tuple[Kernel, int]]:
    """(kernel, threads per block) of all rungs, the feedback and the generator's layers, each kernel once."""
    zero = np.float32(0)
    weights = {n: np.broadcast_to(zero, s) for n, s in unet_shapes(filters).items()}  # only their shapes matter
    seen = {}
    for rung in RUNGS:
        plan = unet_plan(weights, rung)
        launches = [*plan.prologue, *plan.frame]
        if rung == 6:  # VJ mode's as well, while the fader moves
            ends = {name: (Ref(name), Ref(name)) for name in plan.constants}
            launches += [mixing(launch, ends, Ref("mix")) for launch in launches]
        for launch in launches:
            seen[launch.kernel] = launch.block[0] * launch.block[1]
    yield from seen.items()
    yield from feedback_kernels()
    yield from bias_act_kernels()


@dataclass(frozen=True, slots=True)
class Row:
    """One kernel on one architecture. hot: the product, or on tensor cores, and so not allowed to spill."""

    arch: str
    kernel: str
    threads: int
    registers: int
    shared_bytes: int
    spill_bytes: int
    occupancy: float
    hot: bool


def report(archs: list[str], filters: int) -> Iterator[Row]:
    """One row per kernel and architecture."""
    kernels = list(all_kernels(filters))
    for arch in archs:
        for kernel, threads in kernels:
            _, usage = compile_cubin(kernel, arch)
            share = occupancy(CARDS[arch], usage, threads)
            hot = kernel.file not in ("conv_v1", "conv_v2")
            yield Row(arch, kernel.name, threads, usage.registers, usage.shared_bytes, usage.spill_bytes, share, hot)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m kernels.compile", description=__doc__)
    parser.add_argument("--arch", nargs="+", default=["sm_75", "sm_80", "sm_90"], choices=sorted(CARDS))
    parser.add_argument("--filters", type=int, default=64)
    parser.add_argument("--json", action="store_true", help="rows as JSON instead of a table")
    args = parser.parse_args()
    rows = []
    if not args.json:
        print(f"{'arch':6} {'regs':>4} {'shared':>6} {'spill':>5} {'occ':>4}  kernel")
    for row in report(args.arch, args.filters):
        rows.append(row)
        if not args.json:
            used = f"{row.registers:4} {row.shared_bytes:6} {row.spill_bytes:5} {row.occupancy:4.0%}"
            print(f"{row.arch:6} {used}  {row.kernel}")
    if args.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
    bad = [row for row in rows if row.hot and row.spill_bytes]
    for row in bad:
        print(f"{row.kernel} spills {row.spill_bytes} bytes on {row.arch}", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
