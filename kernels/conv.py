"""Convolution launches of every rung, and the same as CuPy functions on arrays."""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from kernels.launch import Kernel, Launch, Ref, Scalar, ceil_div, ints
from kernels.weights import Layer

BLOCK = 256
Args = tuple[Ref | Scalar, ...]
AHEAD = 8  # stages of the weight ring of rung 6: 4 KB under way per warp, 8 KB where two networks are mixed


def geometry(layer: Layer) -> tuple[tuple[str, int], ...]:
    """The constants of taps.cuh."""
    return (("SIZE", layer.size), ("CIN", layer.cin), ("COUT", layer.cout), ("DECONV", int(layer.kind == "deconv")))


def phases(layer: Layer) -> int:
    return 4 if layer.kind == "deconv" else 1


def positions(layer: Layer) -> int:
    """Output pixels of a phase."""
    return min(layer.size, layer.out_size) ** 2


def conv_v1(layer: Layer, x: Ref, w: Ref, b: Ref, y: Ref, *, x_stride: int, y_stride: int) -> Launch:
    """Plain: one thread per output. w in the file's order."""
    kernel = Kernel("conv_v1", f"{layer.kind}4x4_s2_v1")
    sizes = ints(layer.size, layer.size, layer.cin, layer.cout, x_stride, y_stride)
    grid = ceil_div(layer.out_size**2 * layer.cout, BLOCK)
    return Launch(kernel, (grid, 1, 1), (BLOCK, 1, 1), (x, w, b, y, *sizes, np.float32(layer.slope)), layer.name)


def conv_v2(layer: Layer, x: Ref, w: Ref, b: Ref, y: Ref, *, x_stride: int, y_stride: int) -> Launch:
    """Coalesced. w from `prepare.by_phase`."""
    kernel = Kernel("conv_v2", "conv_v2", geometry(layer))
    grid = (ceil_div(layer.cout, 32), ceil_div(positions(layer), 8), phases(layer))
    return Launch(
        kernel, grid, (32, 8, 1), (x, w, b, y, *ints(x_stride, y_stride), np.float32(layer.slope)), layer.name
    )


def conv_v3(layer: Layer, x: Ref, w: Ref, b: Ref, y: Ref, *, x_stride: int, y_stride: int) -> Launch:
    """Register tiles. w from `prepare.by_phase`; cin and cout multiples of 16."""
    filters = next(f for f in (64, 32, 16) if layer.cout % f == 0)
    kernel = Kernel("conv_v3", "conv_v3", (*geometry(layer), ("FILTERS", filters)))
    grid = (layer.cout // filters, ceil_div(positions(layer), 64), phases(layer))
    return Launch(
        kernel, grid, (BLOCK, 1, 1), (x, w, b, y, *ints(x_stride, y_stride), np.float32(layer.slope)), layer.name
    )


CONV_FP32 = {1: conv_v1, 2: conv_v2, 3: conv_v3}


def instance_norm(
    layer: Layer, part: Ref, gamma: Ref, beta: Ref, out: Ref, *, out_stride: int, splits: int = 1, half: bool = False
) -> Launch:
    """Sums `splits` partial results and normalises. Reads and writes part."""
    pixels = layer.out_size**2
    constants = (("PIXELS", pixels), ("COUT", layer.cout), ("SPLITS", splits), ("HALF", int(half)))
    kernel = Kernel("norm", "instance_norm", constants)
    return Launch(
        kernel, (layer.cout // 8, 1, 1), (BLOCK, 1, 1), (part, gamma, beta, out, *ints(out_stride)), layer.name
    )


def warps_of(layer: Layer) -> int:
    """Tiles of 16 filters that a block of rungs 4 and 6 takes."""
    return next(m for m in (4, 2, 1) if layer.cout // 16 % m == 0)


def splits_of(blocks: int, shares: int) -> int:
    """Power of two by which a sum of `shares` equal parts is cut so that the grid has 200 blocks or more, if it can.

    An H200 has 132 multiprocessors, a T4 40: 200 blocks leave none without work, and more cuts only add partial sums to
    be read.
    """
    splits = 1
    while blocks * splits < 200 and shares % (2 * splits) == 0:
        splits *= 2
    return splits


def conv_v4(layer: Layer, x: Ref, w: Ref, part: Ref, *, x_stride: int) -> tuple[Launch, int]:
    """Tensor cores -> (launch, number of partial results). w from `prepare.fragments`; cin and cout multiples of 16."""
    warps = warps_of(layer)
    tiles, groups = ceil_div(positions(layer), 64), layer.cout // 16 // warps
    splits = splits_of(tiles * groups * phases(layer), layer.cin // 16)
    kernel = Kernel("conv_v4", "conv_v4", (*geometry(layer), ("WARPS_M", warps), ("SPLIT", splits)))
    args: Args = (x, w, part, *ints(x_stride), np.float32(layer.slope))
    return Launch(kernel, (tiles, groups, phases(layer) * splits), (128, 1, 1), args, layer.name), splits


def conv_v5(layer: Layer, x: Ref, w: Ref, part: Ref, *, x_stride: int) -> tuple[Launch, int]:
    """Weight streaming, for at most 16 positions -> (launch, number of partial results). Weights as for `conv_v4`."""
    groups = ceil_div(layer.cout, 128)
    splits = splits_of(groups * phases(layer), layer.cin // 16)
    kernel = Kernel("conv_v5", "conv_v5", (*geometry(layer), ("SPLIT", splits)))
    args: Args = (x, w, part, *ints(x_stride), np.float32(layer.slope))
    return Launch(kernel, (groups, splits, phases(layer)), (BLOCK, 1, 1), args, layer.name), splits


def first(layer: Layer, x: Ref, w: Ref, b: Ref, y: Ref, *, y_stride: int) -> Launch:
    """Encoder 1 of rungs 4 to 6: fp32 picture in 0..1 to halves. w from `prepare.by_phase`."""
    kernel = Kernel("first", "first", (("SIZE", layer.size), ("COUT", layer.cout)))
    side = layer.out_size // 8
    return Launch(kernel, (side, side, 1), (BLOCK, 1, 1), (x, w, b, y, *ints(y_stride)), layer.name)


DOWN, UP, LAST, ONE_PIXEL = range(4)  # KIND of conv_v6.cu


class Fused(NamedTuple):
    """How conv_v6 cuts one layer up."""

    kind: int
    side: int  # positions per side of the picture
    cin: int
    cout: int
    tile: tuple[int, int]
    warps: tuple[int, int]  # along filters, along positions
    split: int

    @property
    def phases(self) -> int:
        return 4 if self.kind in (UP, ONE_PIXEL) else 1

    @property
    def tiles(self) -> int:
        return self.side // self.tile[0] * (self.side // self.tile[1])

    @property
    def groups(self) -> int:
        """Blocks along the filters."""
        return self.cout // 16 // self.warps[0]

    @property
    def part_values(self) -> int:
        return self.phases * self.side**2 * self.cout * self.split

    @property
    def tile_values(self) -> int:
        return 2 * self.phases * self.tiles * self.cout

    @property
    def counters(self) -> int:
        return self.groups * (1 + self.phases * self.tiles)


def fused_shape(layer: Layer) -> Fused:
    """Tiles of 8x8 positions, or all there are; four warps; splits until the grid fills a card."""
    last = layer.cout == 3
    kind = LAST if last else DOWN if layer.kind == "conv" else ONE_PIXEL if layer.size == 1 else UP
    side, cout = min(layer.size, layer.out_size), 16 if last else layer.cout
    tile = (8, 16) if last else (min(side, 8), min(side, 8))
    along_filters = 1 if last else warps_of(layer)
    along_positions = min(4 // along_filters, max(1, tile[0] * tile[1] // 8))
    shape = Fused(kind, side, layer.cin, cout, tile, (along_filters, along_positions), 1)
    blocks = shape.tiles * shape.groups * shape.phases
    if layer.name == "decoder_7":  # its two halves are made by different launches
        return shape._replace(split=2 * splits_of(blocks, layer.cin // 32))
    return shape._replace(split=splits_of(blocks, layer.cin // 16))


class FusedArgs(NamedTuple):
    """The pointers of conv_v6, in its order."""

    x: Ref
    affine: Ref
    w: Ref
    part: Ref
    counters: Ref = Ref("counters")
    tiles: Ref = Ref("tiles")
    gamma: Ref = Ref("gamma")
    beta: Ref = Ref("beta")
    out_affine: Ref = Ref("out_affine")
    y: Ref = Ref("y")


def conv_v6(
    layer: Layer,
    shape: Fused,
    args: FusedArgs,
    *,
    x_stride: int,
    y_stride: int,
    first: int = 0,
    run: int | None = None,
    finish: bool = True,
) -> Launch:
    """Everything of a layer at once.

    Makes `run` of the splits from `first` on; `finish`: adds them all, stores and normalises.
    """
    run = shape.split - first if run is None else run
    constants = {
        "KIND": shape.kind, "SIZE": layer.size, "CIN": shape.cin, "COUT": shape.cout,
        "X_STRIDE": x_stride, "Y_STRIDE": y_stride,
        "TILE_H": shape.tile[0], "TILE_W": shape.tile[1], "WM": shape.warps[0], "WN": shape.warps[1],
        "SPLIT": shape.split, "FIRST": first, "RUN": run, "FINISH": int(finish), "AHEAD": AHEAD, "MIX": 0,
    }  # fmt: skip
    kernel = Kernel("conv_v6", "conv_v6", tuple(constants.items()))
    grid = (shape.tiles, shape.groups, shape.phases * run)
    threads = 32 * shape.warps[0] * shape.warps[1]
    return Launch(kernel, grid, (threads, 1, 1), (*args, np.float32(layer.slope)), layer.name)


def mixing(launch: Launch, ends: Mapping[str, tuple[Ref, Ref]], mix: Ref) -> Launch:
    """The same launch while a fader moves: it reads two networks' weights and mixes them, `mix` (one float) 0 for A's
    to 1 for B's.

    ends: A's and B's weights by the name of those that it reads at rest. A launch of another kernel than conv_v6, which
    streams no weights, stays as it is.
    """
    if launch.kernel.file != "conv_v6":
        return launch
    constants = tuple((name, 1 if name == "MIX" else value) for name, value in launch.kernel.constants)
    place = FusedArgs._fields.index("w")
    a, b = ends[weights_of(launch).buffer]
    args = (*launch.args[:place], a, *launch.args[place + 1 :], b, mix)
    return replace(launch, kernel=replace(launch.kernel, constants=constants), args=args)


def weights_of(launch: Launch) -> Ref:
    """The weights that a launch of conv_v6 reads."""
    w = launch.args[FusedArgs._fields.index("w")]
    assert isinstance(w, Ref)
    return w
