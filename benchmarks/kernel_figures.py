"""Draws the figures of kernels/README.md and prints its table.

Needs no GPU: bytes come from the headers' formulas, times are predictions.

python -m benchmarks.kernel_figures [FOLDER]     (docs/kernels by default; needs matplotlib)
"""

import sys
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np

from kernels.plan import RUNGS, unet_plan
from kernels.roofline import DATA_SHEETS, Peaks, layer_bytes, layer_floor_us, network_floor_us
from kernels.traffic import FADER_GOAL, convolution_bytes, fader_bytes
from kernels.weights import unet_layers, unet_shapes

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402  after the backend

FILTERS = 64
NAMES = ("plain", "coalesced", "register tiles", "tensor cores", "streaming", "fused")


def l1_bytes(rung: int) -> tuple[int, int, int]:
    """(input, weights, outputs) that the convolutions of one picture ask of L1; encoder 1 of rungs 4 to 6 aside."""
    weights = {n: np.broadcast_to(np.float32(0), s) for n, s in unet_shapes(FILTERS).items()}
    plan = unet_plan(weights, rung)
    layers = {layer.name: layer for layer in unet_layers(FILTERS)}
    total = [0, 0, 0]
    for launch in plan.frame:
        if not launch.kernel.file.startswith("conv"):
            continue
        layer = layers[launch.layer]
        if rung in (4, 5) and layer.cout == 3:
            layer = replace(layer, cout=16)
        moved = convolution_bytes(layer, launch)
        total = [a + b for a, b in zip(total, (moved.x, moved.w, moved.y), strict=True)]
    return total[0], total[1], total[2]


def launches(rung: int) -> int:
    weights = {n: np.broadcast_to(np.float32(0), s) for n, s in unet_shapes(FILTERS).items()}
    return len(unet_plan(weights, rung).frame)


def draw_bytes(rows: list[tuple[int, int, int]], path: Path) -> None:
    figure, axes = pyplot.subplots(figsize=(8, 3.2), layout="constrained")
    bottom = np.zeros(len(rows))
    for part, label in enumerate(("input", "weights", "outputs and partial sums")):
        values = np.array([row[part] for row in rows]) / 1e9
        axes.bar([f"{n}\n{name}" for n, name in zip(RUNGS, NAMES, strict=True)], values, bottom=bottom, label=label)
        bottom += values
    for x, value in enumerate(bottom):
        axes.text(x, value, f"{value:.2g}", ha="center", va="bottom")
    axes.set(ylabel="GB asked of L1 per picture", title=f"{FILTERS} filters, by the formulas of the headers")
    axes.legend()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def draw_floors(card: str, peaks: Peaks, path: Path) -> None:
    layers = [layer for layer in unet_layers(FILTERS) if layer.name not in ("encoder_8", "decoder_8")]
    names = [layer.name.replace("coder_", "") for layer in layers]
    places = np.arange(len(layers))
    figure, axes = pyplot.subplots(figsize=(8, 3.2), layout="constrained")
    axes.bar(places - 0.2, [layer_bytes(layer) / peaks.bytes_per_us for layer in layers], 0.4, label="bytes")
    axes.bar(places + 0.2, [2 * layer.multiply_adds / peaks.flop_per_us for layer in layers], 0.4, label="arithmetic")
    axes.set_xticks(places, names)
    floor = network_floor_us(unet_layers(FILTERS), peaks)
    axes.set(ylabel="least µs", title=f"{card} by its data sheet: floor {floor:.0f} µs per picture (prediction)")
    axes.legend()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def tell_fader(filters: int) -> None:
    """What a moving crossfade is expected to cost, by what it reads and writes, where nothing of that overlaps."""
    weights = {n: np.broadcast_to(np.float32(0), s) for n, s in unet_shapes(filters).items()}
    moved = fader_bytes(unet_plan(weights, 6))
    for what, added in (("inside", moved.mixing_adds), ("beforehand", moved.mixing_beforehand_adds)):
        for card, peaks in DATA_SHEETS.items():
            adds_us = added / peaks.bytes_per_us
            sys.stdout.write(
                f"mixing {what}, {card}: {added / 1e6:.0f} MB more, {adds_us:.0f} us, "
                f"at most {FADER_GOAL:.0%} of a network that takes {adds_us / FADER_GOAL:.0f} us or more\n"
            )


def main() -> int:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/kernels")
    folder.mkdir(parents=True, exist_ok=True)
    rows = [l1_bytes(rung) for rung in RUNGS]
    for rung, row in zip(RUNGS, rows, strict=True):
        parts = " | ".join(f"{value / 1e9:.2f}" for value in row)
        sys.stdout.write(f"| {rung} | {parts} | {sum(row) / 1e9:.2f} | {launches(rung)} |\n")
    for layer in unet_layers(FILTERS):
        floors = " | ".join(f"{layer_floor_us(layer, peaks):.1f}" for peaks in DATA_SHEETS.values())
        sys.stdout.write(
            f"| {layer.name} | {2 * layer.multiply_adds / 1e9:.2f} | {layer_bytes(layer) / 1e6:.1f} | {floors} |\n"
        )
    for card, peaks in DATA_SHEETS.items():
        sys.stdout.write(f"{card}: {network_floor_us(unet_layers(FILTERS), peaks):.0f} us\n")
        draw_floors(card, peaks, folder / f"floors-{card.lower()}.png")
    draw_bytes(rows, folder / "bytes.png")
    tell_fader(FILTERS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
