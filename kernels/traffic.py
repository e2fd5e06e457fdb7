"""How many bytes a convolution launch asks of L1, by the formulas in the headers of the .cu files, and how many bytes
of weights a step of VJ mode's loop moves to and from memory.

The tests count the former on the emulator. Padding is not loaded, so what is counted for x lies a little below the
formula.
"""

from dataclasses import dataclass
from math import prod

from kernels.conv import weights_of
from kernels.launch import Launch, Plan
from kernels.weights import Layer


@dataclass(frozen=True, slots=True)
class Bytes:
    """Asked of L1 by all threads of a launch: input, weights, output (or partial sums stored)."""

    x: int
    w: int
    y: int


def convolution_bytes(layer: Layer, launch: Launch) -> Bytes:
    """The header's formula for a launch of any rung. Raises KeyError for a kernel that is no convolution."""
    return _FORMULAS[launch.kernel.file](layer, launch, dict(launch.kernel.constants))


def _v1(layer: Layer, launch: Launch, constants: dict[str, int]) -> Bytes:
    del launch, constants
    each = 4 * layer.multiply_adds
    return Bytes(each, each, 4 * layer.out_size**2 * layer.cout)


def _taps(layer: Layer) -> int:
    """Taps of a phase."""
    return 16 if layer.kind == "conv" else 4


def _v2(layer: Layer, launch: Launch, constants: dict[str, int]) -> Bytes:
    del constants
    positions = prod(launch.grid[1:]) * 8
    blocks_x = positions * _taps(layer) * layer.cin * 4 * launch.grid[0]
    return Bytes(blocks_x, positions * _taps(layer) * layer.cin * 4 * layer.cout, 4 * layer.out_size**2 * layer.cout)


def _v3(layer: Layer, launch: Launch, constants: dict[str, int]) -> Bytes:
    steps = prod(launch.grid) * _taps(layer) * layer.cin * 4
    return Bytes(steps * 64, steps * constants["FILTERS"], 4 * layer.out_size**2 * layer.cout)


def _v4(layer: Layer, launch: Launch, constants: dict[str, int]) -> Bytes:
    taps = prod(launch.grid) * _taps(layer) * layer.cin // 16 // constants["SPLIT"]
    part = 4 * layer.out_size**2 * layer.cout * constants["SPLIT"]
    return Bytes(taps * 64 * 32, taps * constants["WARPS_M"] * 512, part)


def _v5(layer: Layer, launch: Launch, constants: dict[str, int]) -> Bytes:
    positions = min(layer.size, layer.out_size) ** 2
    x = prod(launch.grid) * _taps(layer) * positions * layer.cin // constants["SPLIT"] * 2
    part = 4 * layer.out_size**2 * layer.cout * constants["SPLIT"]
    return Bytes(x, 2 * prod(layer.kernel_shape), part)


def _v6(layer: Layer, launch: Launch, constants: dict[str, int]) -> Bytes:
    taps = {0: 4, 1: 2, 2: 3, 3: 1}[constants["KIND"]]
    stride = 2 if constants["KIND"] == 0 else 1
    patch = prod(stride * (constants[side] - 1) + taps for side in ("TILE_H", "TILE_W"))
    channels = prod(launch.grid) * layer.cin // constants["SPLIT"]
    w = channels * taps**2 * 16 * constants["WM"] * constants["WN"] * 2 * (1 + constants["MIX"])
    out = layer.out_size**2 * layer.cout * (4 if constants["KIND"] == 2 else 2)
    return Bytes(channels * patch * 2, w, out)


_FORMULAS = {"conv_v1": _v1, "conv_v2": _v2, "conv_v3": _v3, "conv_v4": _v4, "conv_v5": _v5, "conv_v6": _v6}


FADER_GOAL = 0.3  # of the network's time: what a moving crossfade may cost on top


@dataclass(frozen=True, slots=True)
class FaderBytes:
    """Of weights, read from and written to memory in one step of VJ mode's loop (loop.py), by what its fader does.

    Each kernel's once, although some of it may still lie in a cache.
    """

    resting: int
    moving: int
    settling: int

    @property
    def mixing_adds(self) -> int:
        """What a moving step costs on top of a resting one: inside the convolutions."""
        return self.moving - self.resting

    @property
    def mixing_beforehand_adds(self) -> int:
        return self.settling - self.resting


def fader_bytes(plan: Plan) -> FaderBytes:
    """plan: of rung 6."""
    once, every_step = (
        sum(_weight_bytes(plan, launch) for launch in part if launch.kernel.file == "conv_v6")
        for part in (plan.prologue, plan.frame)
    )
    halves, floats = (sum(c.nbytes for c in plan.constants.values() if c.dtype == t) for t in ("float16", "float32"))
    return FaderBytes(
        resting=every_step,
        moving=3 * floats + 2 * (once + every_step),  # floats: A's, B's, and the mixed ones written
        settling=3 * (floats + halves) + once + every_step,
    )


def _weight_bytes(plan: Plan, launch: Launch) -> int:
    """Of one network."""
    constants = dict(launch.kernel.constants)
    return plan.constants[weights_of(launch).buffer].nbytes * constants["RUN"] // constants["SPLIT"]
