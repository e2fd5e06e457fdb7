"""Broad colours follow the camera's; tones, lines and what lies outside the person do not."""

import pytest
import torch
from torch import Tensor

from stylizer.convert.own_colours import VIVID, own_colours
from tests.conftest import Rng


def plain(*rgb: float) -> Tensor:
    return torch.tensor(rgb)[None, :, None, None].expand(1, 3, 128, 128).clone()


@pytest.fixture
def body() -> Tensor:
    matte = torch.zeros(1, 1, 128, 128)
    matte[..., 16:112, 32:96] = 1
    return matte


def test_cloth_takes_its_own_hue_and_black_gets_darker(body: Tensor) -> None:
    slate, black = plain(0.25, 0.3, 0.5), plain(0.05, 0.05, 0.05)
    middle = own_colours(slate, black, body, 1.0)[0, :, 64, 64]
    assert float(middle.max() - middle.min()) < 0.02, "no blue is left"
    assert 0.05 < float(middle.mean()) < 0.31


def test_a_drawing_in_the_right_paint_stays_and_none_is_asked_for_none(body: Tensor) -> None:
    cloth = plain(0.6, 0.4, 0.3)
    grey = cloth.mean(1, keepdim=True)
    paint = grey + VIVID * (cloth - grey)
    assert own_colours(paint, cloth, body, 1.0) == pytest.approx(paint, abs=1e-3)
    assert own_colours(plain(0.1, 0.9, 0.2), cloth, body, 0.0) is not None
    assert torch.equal(own_colours(plain(0.1, 0.9, 0.2), cloth, body, 0.0), plain(0.1, 0.9, 0.2))


def test_lines_and_tones_stay(body: Tensor, rng: Rng) -> None:
    lines = torch.from_numpy(rng.unit_f32(1, 1, 128, 128)) * 0.2
    drawing = plain(0.3, 0.4, 0.3) + lines
    coloured = own_colours(drawing, plain(0.5, 0.3, 0.3), body, 1.0)
    part = (..., slice(40, 90), slice(44, 84))
    before, after = (x[part].diff(dim=-1) for x in (drawing, coloured))
    assert float((before - after).abs().max()) < 0.02


def test_half_the_amount_goes_half_the_way(body: Tensor) -> None:
    drawing, cloth = plain(0.3, 0.4, 0.5), plain(0.5, 0.4, 0.3)
    whole, half = (own_colours(drawing, cloth, body, amount) for amount in (1.0, 0.5))
    assert half - drawing == pytest.approx((whole - drawing) / 2, abs=1e-6)
    assert float((whole - drawing)[..., 64, 64].abs().max()) > 0.2
    assert float((whole - drawing)[..., 2, 2].abs().max()) < 0.02, "nobody stands there"
