"""VJ mode's loop on the emulator: it draws what the slow loop draws, whatever its fader does."""

from collections.abc import Callable, Sequence
from functools import partial

import pytest

from kernels.card import Arrays
from kernels.check import check_loop, lively_weights
from kernels.feedback import Settings
from kernels.feedback_loop import STILL, FeedbackLoop, prepared
from kernels.launch import Launch
from tests.kernels.emulator import require_emulator
from tests.kernels.emulator.machine import EmulatedCard


@pytest.fixture(autouse=True)
def emulator() -> None:
    require_emulator()


A, B = lively_weights(16, 1), lively_weights(16, 2)


def test_what_is_checked_on_a_card_holds_on_the_emulator() -> None:
    """The loop is the slow loop whatever its fader does, a moving fader draws the bits that mixed weights draw."""
    checks = list(check_loop(A, B, EmulatedCard()))
    assert len(checks) == 6
    for line, held in checks:
        assert held, line


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
