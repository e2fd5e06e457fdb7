"""A guest enters as its blend says, where its alpha is, as strongly as it is let; colours turn as they are told."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from stylizer.vj.colour import coloured
from stylizer.vj.inject import Guest, guest, injected, middle_square
from stylizer.vj.noise import SIZE
from tests.conftest import Rng

Blend = Callable[[float, float], float]  # what is there, what comes -> what is seen at full gain
BLENDED: dict[str, Blend] = {
    "mix": lambda there, comes: comes,
    "add": lambda there, comes: there + comes,
    "screen": lambda there, comes: there + comes - there * comes,
    "multiply": lambda there, comes: there * comes,
    "difference": lambda there, comes: abs(there - comes),
}


@pytest.mark.parametrize("blend", BLENDED)
def test_a_blend_is_what_its_name_says_where_the_guest_is(rng: Rng, blend: str) -> None:
    there, comes = (torch.from_numpy(rng.unit_f32(1, 3, 4, 4)) for _ in range(2))
    alpha = torch.zeros(1, 1, 4, 4)
    alpha[..., :2] = 1
    full = injected(there, Guest(comes, alpha), 1.0, blend)
    for place in np.ndindex(1, 3, 4, 2):
        assert float(full[place]) == pytest.approx(BLENDED[blend](float(there[place]), float(comes[place])), abs=1e-6)
    torch.testing.assert_close(full[..., 2:], there[..., 2:])
    assert torch.equal(injected(there, Guest(comes, alpha), 0.0, blend), there)
    # Every blend is linear in the gain.
    torch.testing.assert_close(injected(there, Guest(comes, alpha), 0.25, blend), there + 0.25 * (full - there))


def test_edges_are_lines_where_brightness_jumps_and_nothing_elsewhere() -> None:
    pixels = np.zeros((SIZE, SIZE, 3), np.uint8)
    pixels[:, SIZE // 2 :] = 255
    lines = guest(pixels, "edges", None).alpha[0, 0]
    assert float(lines[:, SIZE // 2 - 1 : SIZE // 2 + 1].min()) > 0.9
    assert float(lines[:, : SIZE // 2 - 10].max()) == 0 == float(lines[:, SIZE // 2 + 10 :].max())


def test_a_wide_and_a_tall_guest_show_their_middle() -> None:
    wide = np.zeros((300, 500, 3), np.uint8)
    wide[:, 100:400] = 200
    for pixels in (wide, wide.transpose(1, 0, 2)):
        square = middle_square(pixels)
        assert square.shape == (SIZE, SIZE, 3) and square.min() == 200


def test_colours_turn_by_shares_of_the_circle_and_greys_stay() -> None:
    red, grey = (torch.tensor(rgb).view(1, 3, 1, 1) for rgb in ((1.0, 0.0, 0.0), (0.4, 0.4, 0.4)))
    green, blue = torch.tensor([0.0, 1.0, 0.0]), torch.tensor([0.0, 0.0, 1.0])
    for turns, expected in ((1 / 3, green), (-1 / 3, blue), (0.0, red.flatten())):
        turned = coloured(red, hue=turns, invert=0.0, false_colour=0.0, time_s=0.0)
        torch.testing.assert_close(turned.flatten(), expected, atol=1e-6, rtol=0)
        assert float((coloured(grey, hue=turns, invert=0, false_colour=0, time_s=0) - grey).abs().max()) < 1e-6
    half = coloured(grey, hue=0.0, invert=0.5, false_colour=0.0, time_s=0.0)
    torch.testing.assert_close(half, torch.full_like(half, 0.5))
    negative = coloured(red, hue=0.0, invert=1.0, false_colour=0.0, time_s=0.0)
    assert negative.flatten().tolist() == [0.0, 1.0, 1.0]
