import numpy as np
import pytest
import torch
from torch import Tensor

from stylizer.stages.steady import LEAST_NEW, Drawn, settled

CONTROLS = {"style": "a"}
SHAPE = (1, 4, 40, 40)


def _split(rgba: Tensor) -> tuple[Tensor, Tensor]:
    return rgba[:, :3], rgba[:, 3:]


def _after(person: tuple[float, float], drawing: tuple[float, float], hz: float = 16, steps: int = 1) -> Drawn:
    """A drawing of plain grey, then others, `steps` of them at `hz`."""
    drawn = None
    for i in range(steps + 1):
        p, d = (torch.full(SHAPE, pair[min(i, 1)]) for pair in (person, drawing))
        drawn = settled(drawn, _split(p), _split(d), i / hz, CONTROLS)
    assert drawn is not None
    return drawn


def test_a_still_person_is_drawn_steadily() -> None:
    trembling = _after((0.5, 0.505), (0.5, 0.54))
    np.testing.assert_allclose(trembling.drawing, 0.5 + 0.04 * LEAST_NEW, atol=1e-6)


def test_it_settles_in_the_same_time_at_any_rate() -> None:
    slow, fast = _after((0.5, 0.5), (0.5, 0.54), 8, 2), _after((0.5, 0.5), (0.5, 0.54), 32, 8)
    assert abs(float(slow.drawing.mean() - fast.drawing.mean())) < 0.003
    assert float(fast.drawing.mean()) > 0.53


def test_what_moves_or_is_drawn_anew_is_taken_whole() -> None:
    assert (_after((0.5, 0.8), (0.5, 0.54)).drawing == np.float32(0.54)).all(), "the person has moved"
    assert (_after((0.5, 0.5), (0.5, 0.9)).drawing == np.float32(0.9)).all(), "the drawing is another"


def test_a_line_beside_what_moves_goes_with_it() -> None:
    """A white ball leaves dark cloth; the soft shade beside it must not stay behind."""
    person, drawing = torch.full((2, *SHAPE), 0.2), torch.full((2, *SHAPE), 0.3)
    person[0, ..., :16], drawing[0, ..., 16:18] = 1.0, 0.25
    before = settled(None, _split(person[0]), _split(drawing[0]), 0, CONTROLS)
    after = settled(before, _split(person[1]), _split(drawing[1]), 1 / 16, CONTROLS)
    assert (after.drawing[..., :18] == np.float32(0.3)).all()


def test_other_controls_and_a_clock_that_ran_backwards_begin_anew() -> None:
    one, two = (_split(torch.full(SHAPE, v)) for v in (0.5, 0.54))
    before = settled(None, one, one, 1.0, CONTROLS)
    for time_s, controls in ((1.1, {"style": "b"}), (0.9, CONTROLS)):
        assert (settled(before, one, two, time_s, controls).drawing == np.float32(0.54)).all()


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("which", ["person", "drawing"])
def test_numbers_that_are_not_finite_are_not_remembered(which: str, bad: float) -> None:
    given = {"person": torch.full(SHAPE, 0.5), "drawing": torch.full(SHAPE, 0.5)}
    given[which][..., 7, 7] = bad
    with pytest.raises(FloatingPointError, match="not finite"):
        settled(None, _split(given["person"]), _split(given["drawing"]), 0, CONTROLS)
