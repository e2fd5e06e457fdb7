"""VJ mode's loop on the emulator: it draws what the slow loop draws, whatever its fader does."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray

from kernels.card import Arrays
from kernels.feedback import Settings
from kernels.feedback_loop import STILL, FeedbackLoop, prepared
from kernels.feedback_ref import colour_ref, feedback_ref
from kernels.launch import Launch
from kernels.pict import Weights
from kernels.reference import unet_ref
from kernels.weights import random_weights
from tests.conftest import Rng
from tests.kernels.emulator import require_emulator
from tests.kernels.emulator.machine import EmulatedCard

F32 = NDArray[np.float32]


@pytest.fixture(autouse=True)
def emulator() -> None:
    require_emulator()


def lively(seed: int) -> Weights:
    """Untrained weights are drawn at 0.02, and nearly nothing comes out: times three there is something to compare."""
    return {n: w * 3 if n.endswith("kernel") else w for n, w in random_weights(16, seed).items()}


A, B = lively(1), lively(2)


def psnr_db(got: F32, expected: F32) -> float:
    """Of pictures in 0..1; NaN compares false with everything."""
    return float(-10 * np.log10(np.mean((got - expected) ** 2) + 1e-30))


def test_the_loop_is_the_slow_loop(rng: Rng) -> None:
    """The fader rests, moves, stands still until all weights are mixed, and rests there."""
    loop = FeedbackLoop(prepared(A), prepared(B), EmulatedCard())
    picture, guest = rng.unit_f32(256, 256, 3), rng.unit_f32(256, 256, 4)
    loop.start(picture)
    loop.let_in(guest)
    for step, mix in enumerate((0.0, *[0.4] * (STILL + 2))):
        amplitudes, time_s = (0.3, 0.1, 0.0), step / 30
        settings = Settings(rate=0.9, zoom=1.02, amplitudes=amplitudes, time_s=time_s, inject_gain=0.2, hue=0.2)
        loop.step(settings, mix)
        mixed: Weights = {n: A[n] + np.float32(mix) * (B[n] - A[n]) for n in A}
        picture = unet_ref(feedback_ref(picture, settings.pack(), guest), mixed)
        assert psnr_db(loop.shown, colour_ref(picture, settings.pack())) >= 40


def test_a_moving_fader_draws_what_weights_mixed_beforehand_draw(rng: Rng) -> None:
    """Bit for bit, so that nothing is seen when the fader comes to rest; at its ends with one network's own weights."""
    picture, ends = rng.unit_f32(256, 256, 3), {0.0: prepared(A), 1.0: prepared(B)}
    loop = FeedbackLoop(ends[0.0], ends[1.0], EmulatedCard())

    def drawn(graph: Callable[[], None]) -> F32:
        loop.start(picture)
        graph()
        return loop.picture

    moving = {}
    for mix in (1.0, 0.3, 0.0):
        loop.arrays["mix"][:] = mix
        moving[mix] = drawn(loop.graphs.moving)
        np.testing.assert_array_equal(drawn(loop.graphs.settling), moving[mix])
        if mix in ends:
            np.testing.assert_array_equal(loop.arrays["mixed_float16"], ends[mix].weights.blocks["float16"])
    np.testing.assert_array_equal(drawn(loop.graphs.resting), moving[0.0])
    seen = [psnr_db(moving[0.3], moving[end]) for end in (0.0, 1.0)]
    assert max(seen) < 35


class Watched(EmulatedCard):
    """Runs nothing; says which of the graphs a loop launches, by the order in which it captures them."""

    def __init__(self) -> None:
        super().__init__()
        self.names, self.steps = iter(("settling", "resting", "moving")), list[str]()

    def captured(self, launches: Sequence[Launch], arrays: Arrays) -> Callable[[], None]:
        del launches, arrays
        return partial(self.steps.append, next(self.names))


def test_weights_are_mixed_beforehand_only_where_the_fader_stays() -> None:
    card, a, b = Watched(), prepared(A), prepared(B)
    loop = FeedbackLoop(a, b, card)

    def steps(*mixes: float) -> list[str]:
        card.steps.clear()
        for mix in mixes:
            loop.step(Settings(), mix)
        return [step[0] for step in card.steps]

    assert steps(0.0, 0.0) == ["r", "r"], "A's weights are there from the start"
    assert steps(0.1, 0.1, 0.2, 0.2, 0.3) == ["m"] * 5, "by single events, at half the rate of the steps"
    assert steps(*[0.3] * 5) == [*["m"] * (STILL - 1), "s", "r", "r"]
    loop.load(b, b)
    assert steps(*[0.3] * 5) == [*["m"] * STILL, "s", "r"], "another network is mixed in like another share"
    with pytest.raises(ValueError, match=r"mix must be in 0..1, got 1.1"):
        loop.step(Settings(), 1.1)
