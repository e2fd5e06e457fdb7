"""Ink: what it may change, and what it must not."""

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from stylizer.convert.ink import LIFT, SATURATION, TONE_SLOPE, TONES, _flat, guided, ink, lines
from tests.conftest import Rng

SIDE = 64


def half(left: float, right: float, channels: int = 3, soft_px: int = 0) -> Tensor:
    """Left and right half in two greys, [1, C, SIDE, SIDE]; the border may be soft."""
    x = (np.arange(SIDE) - SIDE / 2 + 0.5) / max(soft_px, 1e-6)
    row = left + (right - left) * np.clip(x + 0.5, 0, 1)
    return torch.from_numpy(np.broadcast_to(row.astype(np.float32), (1, channels, SIDE, SIDE)).copy())


ONES = torch.ones(1, 1, SIDE, SIDE)


def guided_ref(colour: NDArray[np.float32], guide: NDArray[np.float32], r: int, eps: float) -> NDArray[np.float64]:
    """He et al., equations 5, 6 and 8, window by window; only where no window leaves the picture. colour [H, W, C]."""
    height, width, channels = colour.shape
    slopes, offsets = np.zeros((height, width, channels)), np.zeros((height, width, channels))
    for y in range(r, height - r):
        for x in range(r, width - r):
            window = slice(y - r, y + r + 1), slice(x - r, x + r + 1)
            g, c = guide[window].astype(float), colour[window].astype(float)
            slopes[y, x] = ((g[..., None] * c).mean((0, 1)) - g.mean() * c.mean((0, 1))) / (g.var() + eps)
            offsets[y, x] = c.mean((0, 1)) - slopes[y, x] * g.mean()
    result = np.full(colour.shape, np.nan)
    for y in range(2 * r, height - 2 * r):
        for x in range(2 * r, width - 2 * r):
            window = slice(y - r, y + r + 1), slice(x - r, x + r + 1)
            result[y, x] = slopes[window].mean((0, 1)) * guide[y, x] + offsets[window].mean((0, 1))
    return result


def test_guided_filter_equals_its_definition(rng: Rng) -> None:
    colour, guide = rng.unit_f32(20, 18, 3), rng.unit_f32(20, 18)
    wanted = guided_ref(colour, guide, 2, 1e-2)
    inside = ~np.isnan(wanted)
    assert inside.sum() > 300
    filtered = guided(colour.transpose(2, 0, 1), guide, 2, 1e-2).transpose(1, 2, 0)
    np.testing.assert_allclose(filtered[inside], wanted[inside], atol=1e-4)


def flat_ref(colour: NDArray[np.float32]) -> NDArray[np.float32]:
    """By way of OpenCV's HSV."""
    hsv = cv2.cvtColor(np.ascontiguousarray(colour.transpose(1, 2, 0)), cv2.COLOR_RGB2HSV)
    value = hsv[..., 2] * TONES
    step = np.floor(value)
    hsv[..., 2] = np.clip((step + 1 / (1 + np.exp(-TONE_SLOPE * (value - step - 0.5)))) / TONES + LIFT, 0, 1)
    hsv[..., 1] = np.clip(hsv[..., 1] * SATURATION, 0, 1)
    return np.asarray(np.moveaxis(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), 2, 0), np.float32)


def test_tones_and_colours_are_those_of_hsv(rng: Rng) -> None:
    colour = rng.unit_f32(3, 40, 50)
    colour[:, :5], colour[:, 5:10], colour[1:, 10:15] = 0, 0.4, 0  # black, grey, fully saturated
    np.testing.assert_allclose(_flat(colour), flat_ref(colour), atol=1e-4)


def test_a_speck_in_a_corner_is_neither_inked_nor_kept() -> None:
    picture = half(0.3, 0.7, soft_px=9)
    alpha, matte = torch.zeros(1, 1, SIDE, SIDE), torch.zeros(1, 1, SIDE, SIDE)
    alpha[..., 40:56, 40:56] = matte[..., 40:56, 40:56] = 1
    alpha[..., 0, :2] = 0.4
    drawn, opacity = ink(picture, alpha, picture, matte, 0.75)
    torch.testing.assert_close(opacity[..., 0, :2], torch.full((1, 1, 2), 0.1))
    assert torch.equal(drawn[..., :10, :10], picture[..., :10, :10])


def test_soft_border_moves_to_where_the_camera_saw_it() -> None:
    soft, sharp = half(0.2, 0.8, soft_px=12), half(0.1, 0.9)
    drawn, _ = ink(soft, ONES, sharp, ONES, 1.0)
    before, after = (float((p[0, 0, 32, 33] - p[0, 0, 32, 30]).abs()) for p in (soft, drawn))
    assert after > 1.4 * before


def test_amount_0_changes_nothing_and_1_is_all() -> None:
    picture, alpha = half(0.3, 0.7, soft_px=9), half(0.2, 1, channels=1, soft_px=9)
    same, same_alpha = ink(picture, alpha, half(0.1, 0.9), ONES, 0.0)
    assert torch.equal(same, picture) and torch.equal(same_alpha, alpha)
    full, middle = (ink(picture, alpha, half(0.1, 0.9), ONES, amount)[0] for amount in (1.0, 0.5))
    torch.testing.assert_close(middle, (picture + full) / 2, atol=1e-5, rtol=0)


def test_dark_stroke_becomes_a_line_and_an_even_face_stays_clean() -> None:
    light = np.full((SIDE, SIDE), 0.7, np.float32)
    matte = np.ones_like(light)
    assert lines(light, matte).min() == 1
    light[:, 30:32] = 0.3
    found = lines(light, matte)
    assert found[32, 30] < 0.1 and found[32, 10] == 1


def test_figure_gets_an_outline_inside_its_border() -> None:
    picture, alpha = half(0.7, 0.7), half(0, 1, channels=1, soft_px=8)
    drawn, opacity = ink(picture, alpha, half(0.6, 0.6), ONES, 1.0)
    row = drawn[0, 0, 32]
    assert row[30:36].min() < 0.8 * row[50]
    assert opacity[0, 0, 32, 20] == 0 and opacity[0, 0, 32, 50] == 1


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_result_stays_in_range(value: float, rng: Rng) -> None:
    noise = torch.from_numpy(rng.unit_f32(1, 3, SIDE, SIDE))
    for p in ink(noise, ONES * value, noise.flip(3), ONES * value, 1.0):
        assert p.min() >= 0 and p.max() <= 1 and torch.isfinite(p).all() and p.dtype == torch.float32
