"""Coalescing, counted: 32-byte sectors per request of a warp for each rung, and the bytes that the headers promise."""

import numpy as np
import pytest

from kernels.feedback import Settings
from kernels.feedback_loop import STILL
from kernels.plan import unet_plan
from kernels.roofline import DATA_SHEETS
from kernels.traffic import FADER_GOAL, convolution_bytes, fader_bytes
from kernels.weights import Layer, unet_shapes
from tests.conftest import CHECKOUT, Rng
from tests.kernels import cases
from tests.kernels.cases import Case, layer
from tests.kernels.emulator import Traffic, run

DOWN, UP = layer("conv", 16, 32, 64), layer("deconv", 8, 32, 64)
FEW = layer("conv", 8, 32, 128)  # 16 positions

# (rung, layer, sectors per request of x, w and the output). A request of 32 floats is 4 sectors when they are
# neighbours, of 32 16-byte vectors 16; one address for all lanes is 1, and 32 is the worst there is.
FIGURES = [
    (1, DOWN, 1.0, 4.0, 4.0),
    (1, UP, 1.0, 32.0, 4.0),  # lanes are neighbours in k, the weights in c: the reason to transpose them at load
    (2, DOWN, 4.0, 4.0, 4.0),
    (2, UP, 4.0, 4.0, 4.0),
    (3, DOWN, 15.0, 16.0, 16.0),  # below 16: at the border some lanes are padding and load nothing
    (3, UP, 15.0, 16.0, 16.0),
    (4, DOWN, 14.06, 16.0, 4.0),
    (4, UP, 14.06, 16.0, 4.0),
    (5, FEW, 11.38, 16.0, 4.0),
    (6, DOWN, 13.47, 16.0, 16.0),
    (6, UP, 12.19, 16.0, 16.0),
]
MIXING = [  # rung 6 while a fader moves: both networks' weights
    (DOWN, 13.47, 16.0, 16.0),
    (UP, 12.19, 16.0, 16.0),
]


def make(rung: int, of: Layer, rng: Rng) -> Case:
    if rung <= 3:
        return cases.fp32_case(rung, of, rng)
    return cases.fp16_case(rung, of, rng) if rung <= 5 else cases.fused_case(of, rng)


def count(case: Case) -> dict[tuple[str, str], Traffic]:
    counts: dict[tuple[str, str], Traffic] = {}
    run(case.launch, case.arrays, counts=counts)
    return counts


def excess(counts: dict[tuple[str, str], Traffic]) -> float:
    """Sectors asked for over the fewest that would hold the same bytes; 1.0 is perfect."""
    return sum(t.sectors for t in counts.values()) / sum(t.ideal for t in counts.values())


@pytest.mark.parametrize("of, x, w, y", MIXING)
def test_mixing_asks_for_the_same_once_more_weights_aside(rng: Rng, of: Layer, x: float, w: float, y: float) -> None:
    case = cases.fused_case(of, rng, mix=0.5)
    counts, at_rest = count(case), count(make(6, of, rng))
    loads = [counts["x", "load"], counts["w", "load"], counts["w_b", "load"], counts["y", "store"]]
    assert [t.sectors_per_request for t in loads] == pytest.approx([x, w, w, y], rel=0.02)
    assert excess({key: t for key, t in counts.items() if key != ("mix", "load")}) <= 1.1
    formula = convolution_bytes(of, case.launch)
    assert counts["w", "load"].bytes == counts["w_b", "load"].bytes == formula.w // 2 == at_rest["w", "load"].bytes
    assert counts["x", "load"] == at_rest["x", "load"] and counts["y", "store"].bytes == formula.y


@pytest.mark.parametrize("rung, of, x, w, y", FIGURES)
def test_sectors_and_bytes_of_each_rung(rng: Rng, rung: int, of: Layer, x: float, w: float, y: float) -> None:
    case = make(rung, of, rng)
    counts, formula = count(case), convolution_bytes(of, case.launch)
    loads, weights = counts["x", "load"], counts["w", "load"]
    stores = counts["part" if rung in (4, 5) else "y", "store"]
    got = [t.sectors_per_request for t in (loads, weights, stores)]
    assert got == pytest.approx([x, w, y], rel=0.02)
    if (rung, of) == (1, UP):
        assert excess(counts) > 4
    else:
        assert excess(counts) <= 1.1
        assert max(loads.excess, weights.excess, stores.excess) <= 1.1
    assert weights.bytes == pytest.approx(formula.w, rel=0.15 if rung == 1 else 0)  # rung 1 skips what meets padding
    assert 0.7 * formula.x <= loads.bytes <= formula.x
    assert stores.bytes == formula.y


@pytest.mark.parametrize("document", ["kernels/README.md", "benchmarks/TODO-GPU.md", "docs/performance.md"])
def test_what_is_said_of_a_moving_crossfade_is_what_the_formula_says(document: str) -> None:
    weights = {n: np.broadcast_to(np.float32(0), s) for n, s in unet_shapes(64).items()}
    moved, text = fader_bytes(unet_plan(weights, 6)), " ".join((CHECKOUT / document).read_text().split())
    h200_us = {n: n / DATA_SHEETS["H200"].bytes_per_us for n in (moved.mixing_adds, moved.mixing_beforehand_adds)}
    for added, us in h200_us.items():
        assert f"{added / 1e6:.0f} MB" in text and f"{us:.0f} µs" in text
    assert f"{h200_us[moved.mixing_adds] / FADER_GOAL:.0f} µs or more" in text


def test_a_moving_crossfade_reads_one_more_network(rng: Rng) -> None:
    weights = {n: np.broadcast_to(np.float32(0), s) for n, s in unet_shapes(16).items()}
    plan = unet_plan(weights, 6)
    moved = fader_bytes(plan)
    packed = sum(c.nbytes for c in plan.constants.values() if c.dtype == np.float16)
    assert moved.moving == pytest.approx(2 * packed, rel=0.01)  # floats are few
    assert moved.resting < packed, "what no picture changes is not read again"
    assert 2.5 < moved.mixing_beforehand_adds / moved.mixing_adds < STILL


SETTINGS = Settings(amplitudes=(0.1, 0.1, 0.1), zoom=1.01)


@pytest.mark.parametrize(
    "name", ["norm", "norm to halves", "first", "feedback", "colour", "lerp", "bias_act", "blur_bias_act"]
)
def test_the_other_kernels_are_coalesced(rng: Rng, name: str) -> None:
    case = {
        "norm": lambda: cases.norm_case(16, 32, 1, False, rng),
        "norm to halves": lambda: cases.norm_case(16, 32, 4, True, rng),
        "first": lambda: cases.first_case(64, 64, rng),
        "feedback": lambda: cases.feedback_case(64, SETTINGS, rng),
        "colour": lambda: cases.colour_case(64, SETTINGS, rng),
        "lerp": lambda: cases.lerp_case(4096, 0.5, True, rng),
        "bias_act": lambda: cases.bias_act_case(2, 32, 32, False, True, rng),
        "blur_bias_act": lambda: cases.bias_act_case(2, 32, 32, True, True, rng),
    }[name]()
    counts = count(case)
    if name == "feedback":  # the picture is gathered from wherever the transformation says
        assert counts["x", "store"].excess == 1.0
    else:
        assert excess(counts) <= 1.1


@pytest.mark.parametrize("blur", [False, True])
def test_a_layer_moves_the_bytes_its_header_says(rng: Rng, blur: bool) -> None:
    side, channels = 32, 32
    counts = count(cases.bias_act_case(1, side, channels, blur, True, rng))
    once, rows = 2 * side * side * channels, 4
    assert counts["out", "store"].bytes == once
    if blur:  # less at the border, where nothing is read
        assert 0.9 * (4 + 12 / rows) * once < counts["x", "load"].bytes <= (4 + 12 / rows) * once
    else:
        assert counts["x", "load"].bytes == once


def test_a_strided_kernel_is_told_apart(rng: Rng) -> None:
    case = cases.colour_case(64, SETTINGS, rng)
    counts: dict[tuple[str, str], Traffic] = {}
    neighbours, every_third = "768 + e;\n        if", "768 + e % 256 * 3 + e / 256;\n        if"
    run(case.launch, case.arrays, counts=counts, edit=lambda text: text.replace(neighbours, every_third))
    assert counts["out", "store"].excess == pytest.approx(3.0)  # every third float of what 32 lanes store
