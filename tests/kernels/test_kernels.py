"""Every kernel on the emulator against NumPy, forward and in reverse: least, real and awkward sizes."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from kernels.bias_act import bias_act
from kernels.feedback import BLENDS, Settings, lerp
from kernels.launch import Ref
from tests.conftest import Rng
from tests.kernels import cases
from tests.kernels.cases import Case, layer
from tests.kernels.emulator import aligned, device_copy, run

WILD = Settings(
    rate=1.7,
    zoom=1.1,
    rotate=0.07,
    move_x=0.2,
    move_y=-0.1,
    kaleidoscope=5,
    mirror_x=True,
    amplitudes=(0.3, 0.1, 0.05),
    time_s=3.3,
    place=12.0,
    inject_gain=0.4,
    blend="difference",
    hue=0.2,
    invert=0.3,
    false_colour=0.4,
    shown_s=7.7,
)

FP32 = [
    *itertools.product((1, 2), ("conv", "deconv"), [(2, 1, 1), (16, 16, 32), (6, 5, 35)]),  # least, real, awkward
    (1, "deconv", (1, 3, 2)),
    (2, "deconv", (1, 3, 2)),
    *itertools.product((3,), ("conv", "deconv"), [(2, 16, 16), (16, 32, 64), (22, 48, 96)]),
]
FP16 = [
    *itertools.product((4,), ("conv", "deconv"), [(2, 16, 16), (16, 32, 64), (22, 48, 96)]),
    (5, "conv", (2, 16, 16)),
    (5, "conv", (8, 32, 64)),
    (5, "conv", (6, 48, 176)),
    (5, "deconv", (1, 16, 16)),
    (5, "deconv", (4, 32, 64)),
    (5, "deconv", (3, 48, 144)),
]
FUSED = [
    ("conv", (4, 16, 16)),  # 2x2 positions: fewer than mma has columns
    ("conv", (8, 32, 64)),
    ("conv", (32, 32, 64)),
    ("conv", (48, 48, 96)),  # splits do not divide, filters fill no four warps
    ("deconv", (1, 32, 32)),  # a single pixel: the dead taps are left out
    ("deconv", (2, 16, 16)),
    ("deconv", (4, 64, 64)),
    ("deconv", (16, 16, 64)),
    ("deconv", (24, 48, 96)),
    ("deconv", (16, 32, 3)),  # decoder 1
    ("deconv", (32, 48, 3)),
]


def check(case: Case, arch: int = 900) -> None:
    for reverse in (False, True):
        assert case.error(case.run(reverse=reverse, arch=arch)) <= case.tolerance


@pytest.mark.parametrize("rung, kind, sizes", FP32)
def test_fp32_convolutions_match_numpy(rng: Rng, rung: int, kind: str, sizes: tuple[int, int, int]) -> None:
    check(cases.fp32_case(rung, layer(kind, *sizes), rng))


@pytest.mark.parametrize("arch", [750, 900])
@pytest.mark.parametrize("rung, kind, sizes", FP16)
def test_tensor_core_convolutions_match_numpy(
    rng: Rng, rung: int, kind: str, sizes: tuple[int, int, int], arch: int
) -> None:
    check(cases.fp16_case(rung, layer(kind, *sizes), rng), arch)


@pytest.mark.parametrize("arch", [750, 900])
@pytest.mark.parametrize("kind, sizes", FUSED)
def test_fused_layers_match_numpy(rng: Rng, kind: str, sizes: tuple[int, int, int], arch: int) -> None:
    check(cases.fused_case(layer(kind, *sizes), rng), arch)


@pytest.mark.parametrize("arch", [750, 900])
@pytest.mark.parametrize("kind, sizes", FUSED)
def test_fused_layers_mix_two_networks_on_their_way(
    rng: Rng, kind: str, sizes: tuple[int, int, int], arch: int
) -> None:
    """Bit for bit what mixed weights give, at both ends what each network's own give."""
    case = cases.fused_case(layer(kind, *sizes), rng, mix=0.3)
    check(case, arch)
    for mix in (0.0, 0.3, 0.7, 1.0):
        case.arrays["mix"][:] = mix
        got = case.run(arch=arch)
        np.testing.assert_array_equal(got, mixed_beforehand(case).run(arch=arch))


def mixed_beforehand(case: Case) -> Case:
    """The same with weights that `lerp` has mixed, which at an end are that network's own."""
    w, w_b, mix = (case.arrays[name] for name in ("w", "w_b", "mix"))
    arrays = {"a": w, "b": w_b, "mix": mix, "out": aligned(w.size, w.dtype)}
    run(lerp(Ref("a"), Ref("b"), Ref("mix"), Ref("out"), nbytes=w.nbytes, half=True), arrays)
    if mix[0] in (0, 1):
        assert (arrays["out"] == (w_b if mix[0] else w)).all()
    at_rest = tuple((name, 0 if name == "MIX" else value) for name, value in case.launch.kernel.constants)
    launch = replace(case.launch, kernel=replace(case.launch.kernel, constants=at_rest), args=case.launch.args[:-2])
    return replace(case, launch=launch, arrays=case.arrays | {"w": arrays["out"]})


@pytest.mark.parametrize("stall", range(6))
def test_fused_layers_wait_for_a_block_that_is_late(rng: Rng, stall: int) -> None:
    case = cases.fused_case(layer("conv", 32, 32, 64), rng)  # four tiles and two splits, which meet twice
    assert case.error(case.run(stall=stall)) <= case.tolerance


@pytest.mark.parametrize("side, channels, splits, half", [(1, 8, 1, False), (16, 32, 2, True), (7, 24, 3, False)])
def test_instance_norm_matches_numpy(rng: Rng, side: int, channels: int, splits: int, half: bool) -> None:
    check(cases.norm_case(side, channels, splits, half, rng))


@pytest.mark.parametrize("size, filters", [(16, 16), (32, 64), (48, 80)])
def test_first_layer_matches_numpy(rng: Rng, size: int, filters: int) -> None:
    check(cases.first_case(size, filters, rng))


FEEDBACKS = {
    "still": Settings(),
    "wild": WILD,
    "blurred": Settings(zoom=0.9, mirror_x=True, focus=-0.7),
    "far": Settings(zoom=0.15, move_x=0.9, rotate=0.1),  # mirrored three times over
    "sharpened": Settings(focus=1.0, mirror_y=True),
    **{blend: Settings(rate=0.9, inject_gain=0.6, blend=blend) for blend in BLENDS},
}


@pytest.mark.parametrize("side", [1, 64, 37])
@pytest.mark.parametrize("settings", FEEDBACKS.values(), ids=FEEDBACKS)
def test_feedback_and_colour_match_numpy(rng: Rng, side: int, settings: Settings) -> None:
    check(cases.feedback_case(side, settings, rng))
    check(cases.colour_case(side, settings, rng))


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("mix", [0.0, 0.3, 1.0])
def test_crossfade_is_exact(rng: Rng, mix: float, half: bool) -> None:
    for count in (8, 2048, 8 * 333):
        check(cases.lerp_case(count, mix, half, rng))


@pytest.mark.parametrize("half", [False, True])
def test_a_crossfade_at_its_end_is_the_other_network(rng: Rng, half: bool) -> None:
    """Large beside small: a + 1 * (b - a) would lose what is small."""
    case = cases.lerp_case(2048, 1.0, half, rng)
    large = 1e4 * case.arrays["a"].astype(np.float32)
    arrays = case.arrays | {"a": device_copy(large.astype(case.arrays["a"].dtype))}
    run(case.launch, arrays)
    assert (arrays["out"] == arrays["b"]).all()


@pytest.mark.parametrize("noisy", [False, True])
@pytest.mark.parametrize("blur", [False, True])
@pytest.mark.parametrize("batch, side, channels", [(1, 2, 8), (2, 32, 32), (3, 6, 88), (1, 10, 264)])
def test_the_end_of_a_layer_matches_numpy(
    rng: Rng, batch: int, side: int, channels: int, blur: bool, noisy: bool
) -> None:
    check(cases.bias_act_case(batch, side, channels, blur, noisy, rng))


@pytest.mark.parametrize(
    "shape, named",
    [
        ((1, 8, 12), "multiple of 8, got 12"),
        ((1, 8, 0), "multiple of 8, got 0"),
        ((1, 7, 8), "side 7"),
        ((0, 8, 8), "batch 0"),
        ((1, 40_000, 8), "more than"),
    ],
)
def test_a_layer_of_no_possible_size_is_refused(shape: tuple[int, int, int], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        bias_act(Ref("x"), Ref("scale"), Ref("bias"), None, Ref("out"), shape=shape, blur=True)
