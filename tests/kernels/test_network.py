"""The whole network on the emulator: doodles become the same faces as in NumPy, on every rung, in both orders."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from kernels.launch import Plan
from kernels.pict import Weights
from kernels.plan import unet_plan
from kernels.prepare import pad_filters
from kernels.reference import unet_ref
from kernels.weights import filters_of, load_weights, random_weights
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
