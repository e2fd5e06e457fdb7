"""The fed-back picture moves as its controls say: how far, which way round, and with which symmetry."""

import math

import pytest
import torch
from torch import Tensor

from stylizer.vj.geometry import Motion, Mover, focused
from stylizer.vj.noise import SIZE
from tests.conftest import Rng

MIDDLE = SIZE / 2 - 0.5  # in pixels


def dot(x: float, y: float) -> Tensor:
    """A soft dot, (x, y) px right of and below the picture's middle."""
    rows, columns = torch.meshgrid(torch.arange(SIZE) - MIDDLE, torch.arange(SIZE) - MIDDLE, indexing="ij")
    return torch.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 18).expand(1, 3, SIZE, SIZE)


def place(picture: Tensor) -> tuple[float, float]:
    """Where its one dot is, px right of and below the middle."""
    light = picture[0, 0] / picture[0, 0].sum()
    axis = torch.arange(SIZE) - MIDDLE
    return float((light.sum(0) * axis).sum()), float((light.sum(1) * axis).sum())


@pytest.mark.parametrize(
    "motion, expected",
    [
        (Motion(shift_x=0.05), (40 + 0.05 * SIZE, -30)),  # to the right
        (Motion(shift_y=0.05), (40, -30 + 0.05 * SIZE)),  # downwards
        (Motion(zoom=1.1), (44, -33)),
        (Motion(zoom=0.9), (36, -27)),
    ],
)
def test_a_dot_goes_where_the_control_says(motion: Motion, expected: tuple[float, float]) -> None:
    assert place(Mover()(dot(40, -30), motion)) == pytest.approx(expected, abs=0.05)


def test_rotation_is_clockwise_and_in_degrees() -> None:
    turn = math.radians(10)
    assert place(Mover()(dot(60, 0), Motion(rotate_deg=10))) == pytest.approx(
        (60 * math.cos(turn), 60 * math.sin(turn)), abs=0.05
    )  # what was on the right goes down


def test_mirrors_repeat_the_left_and_the_upper_left(rng: Rng) -> None:
    picture = torch.from_numpy(rng.unit_f32(1, 3, SIZE, SIZE))
    half = SIZE // 2
    mirrored, quartered = (Mover()(picture, Motion(fold=fold)) for fold in ("mirror", "quad"))
    torch.testing.assert_close(mirrored[..., :half], picture[..., :half], atol=1e-4, rtol=0)
    torch.testing.assert_close(mirrored, mirrored.flip(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(quartered[..., :half, :half], picture[..., :half, :half], atol=1e-4, rtol=0)
    torch.testing.assert_close(quartered, quartered.flip(2), atol=1e-4, rtol=0)


@pytest.mark.parametrize("segments", [2, 3, 6, 16])
def test_a_kaleidoscope_repeats_itself_so_many_times_around(segments: int) -> None:
    """A dot in the first wedge comes back in every other, and in the mirror image of each."""
    angle, radius = math.pi / segments / 3, 80.0
    seen = Mover()(
        dot(radius * math.cos(angle), radius * math.sin(angle)), Motion(fold="kaleidoscope", segments=segments)
    )
    for wedge in range(segments):
        for side in (angle, -angle):
            at = 2 * math.pi * wedge / segments + side
            x, y = round(MIDDLE + radius * math.cos(at)), round(MIDDLE + radius * math.sin(at))
            assert float(seen[0, 0, y, x]) > 0.9
    between = math.pi / segments
    x, y = round(MIDDLE + radius * math.cos(between)), round(MIDDLE + radius * math.sin(between))
    assert segments > 6 or float(seen[0, 0, y, x]) < 0.5


def test_focus_blurs_with_the_mean_of_nine_and_sharpens_by_as_much(rng: Rng) -> None:
    picture = torch.from_numpy(rng.unit_f32(1, 3, SIZE, SIZE))
    mean = sum(picture[..., 1 + dy : 255 + dy, 1 + dx : 255 + dx] for dy in (-1, 0, 1) for dx in (-1, 0, 1)) / 9
    inner = picture[..., 1:-1, 1:-1]
    torch.testing.assert_close(focused(picture, -1)[..., 1:-1, 1:-1], mean)
    torch.testing.assert_close(focused(picture, 0.5)[..., 1:-1, 1:-1], inner + 0.5 * (inner - mean))
    assert focused(picture, 0) is picture
