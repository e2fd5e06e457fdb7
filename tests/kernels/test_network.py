"""The whole network on the emulator: doodles become the same faces as in NumPy, on every rung, in both orders."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from kernels.arena import packed
from kernels.feedback import Settings, lerp
from kernels.feedback_ref import colour_ref, feedback_ref
from kernels.launch import Plan, Ref
from kernels.loop import crossfade_launches, frame_launches, loop_buffers
from kernels.pict import Weights
from kernels.plan import unet_plan
from kernels.prepare import pad_filters
from kernels.reference import unet_ref
from kernels.weights import filters_of, load_weights, random_weights, unet_shapes
from tests.conftest import Finder, Rng
from tests.kernels.emulator import allocate, run

F32 = NDArray[np.float32]
Arrays = dict[str, NDArray[np.generic]]


def frame(plan: Plan, arrays: Arrays, picture: F32, *, reverse: bool = False, arch: int = 900) -> F32:
    arrays["picture"][:] = picture.ravel()
    for launch in plan.frame:
        run(launch, arrays, reverse=reverse, arch=arch)
    result: F32 = arrays["result"].reshape(256, 256, 3).astype(np.float32)
    return result


def start(plan: Plan, *, reverse: bool = False, arch: int = 900) -> Arrays:
    arrays = allocate(plan)
    for launch in plan.prologue:
        run(launch, arrays, reverse=reverse, arch=arch)
    return arrays


def psnr_db(got: F32, expected: F32) -> float:
    """Of pictures in 0..1; NaN compares false with everything."""
    return float(-10 * np.log10(np.mean((got - expected) ** 2)))


@pytest.fixture(scope="module")
def face_weights(weights: Finder) -> Weights:
    return load_weights(weights("pix2pix/PixFaceLightLight.pict"))


@pytest.fixture(scope="module")
def doodle(media: Finder) -> Callable[[str], F32]:
    def read(name: str) -> F32:
        bgr = cv2.imread(str(media(f"pixface_doodles/{name}.png")))
        assert bgr is not None
        small: F32 = cv2.resize(bgr, (256, 256), interpolation=cv2.INTER_AREA)[..., ::-1].astype(np.float32)
        return small / np.float32(255)

    return read


# fp32: rounding of float32 alone. fp16: 11 bits in storage, sums in fp32. Seen: 139 to 141 dB and 81 to 83 dB.
RUNGS = [
    *(pytest.param(rung, 900, 60, marks=pytest.mark.slow) for rung in (1, 2)),
    (3, 900, 60),
    (4, 900, 40),
    (5, 900, 40),
    (6, 750, 40),
    (6, 900, 40),
]


@pytest.mark.parametrize("rung, arch, least_db", RUNGS)
def test_a_doodle_becomes_the_same_face(
    face_weights: Weights, doodle: Callable[[str], F32], rung: int, arch: int, least_db: float
) -> None:
    picture = doodle("input9")
    expected = unet_ref(picture, face_weights)
    plan = unet_plan(face_weights, rung)
    for reverse in (False, True) if rung in (3, 6) else (False,):
        arrays = start(plan, reverse=reverse, arch=arch)
        assert psnr_db(frame(plan, arrays, picture, reverse=reverse, arch=arch), expected) >= least_db


def test_frame_after_frame_nothing_is_left_over(face_weights: Weights, doodle: Callable[[str], F32]) -> None:
    plan = unet_plan(face_weights, 6)
    arrays = start(plan)
    first = frame(plan, arrays, doodle("input1"))
    other = frame(plan, arrays, doodle("input17"))
    assert psnr_db(other, unet_ref(doodle("input17"), face_weights)) >= 40
    np.testing.assert_array_equal(frame(plan, arrays, doodle("input1")), first)


def test_what_no_picture_changes_is_computed_once(face_weights: Weights) -> None:
    plan = unet_plan(face_weights, 6)
    assert [launch.layer for launch in plan.prologue] == ["decoder_8", "decoder_7"]
    layers = [launch.layer for launch in plan.frame]
    assert layers == [f"encoder_{n}" for n in range(1, 8)] + [f"decoder_{n}" for n in range(7, 0, -1)]


def test_filters_that_are_no_multiple_of_16_are_filled_up(rng: Rng) -> None:
    weights = random_weights(8)
    padded = pad_filters(weights)
    assert filters_of(padded) == 16
    picture = rng.unit_f32(256, 256, 3)
    np.testing.assert_allclose(unet_ref(picture, padded), unet_ref(picture, weights), atol=1e-6)
    plan = unet_plan(weights, 6)
    assert psnr_db(frame(plan, start(plan), picture), unet_ref(picture, weights)) >= 40


def test_a_crossfade_is_a_network_of_mixed_weights(rng: Rng, face_weights: Weights) -> None:
    a = {name: face_weights[name] for name in unet_shapes(16)}
    b = random_weights(16)
    mixed: Weights = {name: a[name] + np.float32(0.25) * (b[name] - a[name]) for name in a}
    plan = unet_plan(a, 6)
    arrays, other = allocate(plan), allocate(unet_plan(b, 6))
    for name, constant in plan.constants.items():
        size, half = constant.nbytes // 16 * 16, constant.dtype == np.float16
        ends = {"a": arrays[name].copy(), "b": other[name], "out": arrays[name], "mix": np.array([0.25], np.float32)}
        if constant.nbytes % 16 == 0:  # all but the three biases of decoder 1, which an arena would fill up
            run(lerp(Ref("a"), Ref("b"), Ref("mix"), Ref("out"), nbytes=size, half=half), ends)
        else:
            arrays[name][:] = mixed[name]
    for launch in plan.prologue:
        run(launch, arrays)
    picture = rng.unit_f32(256, 256, 3)
    assert psnr_db(frame(plan, arrays, picture), unet_ref(picture, mixed)) >= 40


def test_the_loop_in_one_list_of_launches_is_the_slow_loop(rng: Rng) -> None:
    """Two steps, the fader moved between them, weights in blocks as a GPU has them."""
    a, b = random_weights(16), random_weights(16, seed=1)
    plan = unet_plan(a, 6)
    ends = packed(plan.constants), packed(unet_plan(b, 6).constants)
    arrays = allocate(plan) | {n: np.zeros(buffer.elements, buffer.dtype) for n, buffer in loop_buffers().items()}
    for letter, end in zip("ab", ends, strict=True):
        arrays |= {f"{letter}_{dtype}": block for dtype, block in end.blocks.items()}
    arrays |= {f"mixed_{dtype}": block.copy() for dtype, block in ends[0].blocks.items()}
    for name, (dtype, first, size) in ends[0].places.items():
        arrays[name] = arrays[f"mixed_{dtype}"][first : first + size]
    picture, guest = rng.unit_f32(256, 256, 3), rng.unit_f32(256, 256, 4)
    arrays["result"][:], arrays["guest"][:] = picture.ravel(), guest.ravel()
    for step, mix in enumerate((0.0, 0.4)):
        amplitudes, time_s = (0.3, 0.1, 0.0), step / 30
        settings = Settings(rate=0.9, zoom=1.02, amplitudes=amplitudes, time_s=time_s, inject_gain=0.2, hue=0.2).pack()
        arrays["settings"][:], arrays["mix"][:] = settings, mix
        for launch in (*crossfade_launches(plan, ends[0].blocks), *frame_launches(plan)):
            run(launch, arrays)
        mixed: Weights = {n: a[n] + np.float32(mix) * (b[n] - a[n]) for n in a}
        picture = unet_ref(feedback_ref(picture, settings, guest), mixed)
        shown: F32 = arrays["shown"].reshape(256, 256, 3).astype(np.float32)
        assert psnr_db(shown, colour_ref(picture, settings)) >= 40
