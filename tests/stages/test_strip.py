"""The matte on a strip: as good as the whole one, left when it no longer holds the person, each visitor's own."""

from itertools import islice

import numpy as np
import pytest
import torch
from torch import Tensor

from stylizer.engines.openvino import OpenVinoEngine
from stylizer.media import Reader
from stylizer.stages.box import Box
from stylizer.stages.crop import cut
from stylizer.stages.matte import MatteState, RvmMatte
from stylizer.stages.strip import CALM_FRAMES, STRIP, StripMatte, StripState
from tests.conftest import Finder
from tests.stages.test_matte import RVM, overlap

STANDING = Box(404, 60, 1044, 700)  # all of the juggler, arms down
NEAR = Box(600, 60, 840, 300)  # his head and shoulders fill it


@pytest.fixture(scope="module")
def matte(weights: Finder, tmp_path_factory: pytest.TempPathFactory) -> StripMatte:
    return StripMatte.load(weights(RVM), OpenVinoEngine(2, tmp_path_factory.mktemp("openvino")))


@pytest.fixture(scope="module")
def crops(media: Finder) -> list[Tensor]:
    """24 of the standing man, then 12 as if he had stepped up to the camera."""
    with Reader(media("sam2_juggle.mp4")) as film:
        frames = [frame.pixels for frame in islice(film, 36)]
    return [cut(pixels, STANDING if i < 24 else NEAR) for i, pixels in enumerate(frames)]


def run(matte: StripMatte | RvmMatte, crops: list[Tensor]) -> tuple[list[Tensor], list[MatteState]]:
    state: MatteState | None = None
    alphas, states = [], []
    for crop in crops:
        foreground, alpha, (state,) = matte(crop, [state], [])
        assert foreground.shape == crop.shape and alpha.shape == (1, 1, 256, 256)
        alphas.append(alpha)
        states.append(state)
    return alphas, states


def narrow(state: MatteState) -> bool:
    return isinstance(state, StripState) and state.narrow


def test_a_strip_gives_the_matte_of_the_whole_and_is_left_when_it_is_too_narrow(
    matte: StripMatte, crops: list[Tensor]
) -> None:
    alphas, states = run(matte, crops)
    whole, _ = run(matte._whole, crops)
    assert [narrow(state) for state in states] == [i in range(CALM_FRAMES - 1, 24) for i in range(36)]
    alike = [overlap(ours, theirs) for ours, theirs in zip(alphas, whole, strict=True)]
    assert np.mean(alike[CALM_FRAMES:24]) > 0.95, "in the strip"
    assert alphas[24][..., : STRIP.start].max() == 0, "one frame is cut at the strip's sides"
    assert np.mean(alike[26:]) > 0.95, "the memory goes on in all columns"


def test_two_visitors_of_one_batch_in_strips_of_their_own(matte: StripMatte, crops: list[Tensor]) -> None:
    """One stands in a strip, the other fills the crop: together as apart."""
    near = [crops[24 + i % 12] for i in range(20)]
    alone = [run(matte, crops[:20])[0], run(matte, near)[0]]
    states: list[MatteState | None] = [None, None]
    for i in range(20):
        _, together, after = matte(torch.cat([crops[i], near[i]]), states, [])
        states = list(after)
        torch.testing.assert_close(together, torch.cat([alone[0][i], alone[1][i]]), rtol=0, atol=0)
    assert [state is not None and narrow(state) for state in states] == [True, False]


def test_an_empty_picture_enters_no_strip(matte: StripMatte) -> None:
    _, states = run(matte, [torch.full((1, 3, 256, 256), 0.5)] * (CALM_FRAMES + 3))
    assert not narrow(states[-1])
