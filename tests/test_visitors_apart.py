"""100 000 frames of visitors who come, go, resize, change style and meet faults in every stage: each sees their own."""

import itertools
import multiprocessing
from collections.abc import Sequence

import numpy as np
import pytest
from torch import Tensor

from stylizer.controls import Value
from stylizer.frame import Frame, PixelsU8
from stylizer.pipeline import Pipeline
from stylizer.reference import Reference
from stylizer.stages.matte import MatteState, SubtractionMatte, View
from stylizer.visitor import VisitorState
from tests.scene import CONTROLS, DRAWN_MARK, GREEN, Trouble, camera, pipeline

PLACES, TICK = 6, 1 / 20
BLACK, MARK = {0}, {24 | 26 << 8 | 32 << 16, 0xFFFFFF}  # the plain background; the sign on a picture shown again
CROP_PX = 8
SIZES = [(8, 6), (6, 8), (7, 9)]


class Crowd:
    """Six places and a seeded die that decides who comes, goes and does what. `frames` were shown so far."""

    def __init__(self, line: Pipeline, seed: int) -> None:
        self.line, self.rng = line, np.random.default_rng(seed)
        self.colours = itertools.cycle(range(40, 250, 7))
        self.visitors = [self.newcomer() for _ in range(PLACES)]
        self.frames = self.failed = self.drawn = 0

    def newcomer(self) -> tuple[int, VisitorState]:
        red, state = next(self.colours), self.line.new_state({**CONTROLS, **self.wishes()})
        if self.rng.random() < 0.5:
            state.reference = Reference.of(camera(red), None)  # their own red: another's would show
        return red, state

    def wishes(self) -> dict[str, Value]:
        return {
            "style": str(self.rng.choice(["plain", "other"])),
            "framing": "figure" if self.rng.random() < 0.01 else "scene",
            "mirror": bool(self.rng.random() < 0.5),
        }

    def tick(self, number: int) -> None:
        place = self.rng.integers(PLACES)
        if self.rng.random() < 0.02:
            self.visitors[place] = self.newcomer()
        if self.rng.random() < 0.02:
            state = self.visitors[place][1]
            state.controls = {**state.controls, **self.wishes()}
        chosen = [self.visitors[i] for i in self.rng.permutation(PLACES)[: self.rng.integers(2, PLACES + 1)]]
        pts = round(number * TICK * 90_000)
        frames = [Frame(camera(red, SIZES[self.rng.integers(3)]), pts) for red, _ in chosen]
        for (red, state), result in zip(chosen, self.line.step(frames, [s for _, s in chosen]), strict=True):
            self.see(red, state, result.pixels)

    def see(self, red: int, state: VisitorState, pixels: PixelsU8) -> None:
        """Every pixel is the visitor's own drawing, the background, or the mark."""
        # The head's second drawing is mixed into the first by shares that are rounded.
        mixed = (range(red - 2, red + 3), range(GREEN - 6, GREEN + 2), range(DRAWN_MARK - 6, DRAWN_MARK + 2))
        own = {r | g << 8 | b << 16 for r, g, b in itertools.product(*mixed)}
        seen = colours_of(pixels)
        assert seen <= own | BLACK | MARK, f"visitor {red} was shown {[hex(c) for c in seen - own - BLACK - MARK]}"
        self.frames += 1
        self.failed += state.error is not None
        self.drawn += bool(seen & own)


def colours_of(pixels: PixelsU8) -> set[int]:
    """Each colour that occurs, as red | green << 8 | blue << 16."""
    packed = pixels.astype(np.uint32) @ np.array([1, 1 << 8, 1 << 16], np.uint32)
    first = int(packed[0, 0])
    return {first} if (packed == first).all() else {int(v) for v in np.unique(packed)}


def watch(seed: int, frames: int = 50_000) -> tuple[int, int]:
    """How many of a crowd's frames had failed, and how many showed somebody drawn."""
    crowd = Crowd(pipeline(Trouble(seed=seed + 1, rate=0.01), CROP_PX), seed)
    number = 0
    while crowd.frames < frames:
        crowd.tick(number)
        number += 1
    return crowd.failed, crowd.drawn


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_foreign_pixel_in_a_hundred_thousand_frames() -> None:
    """Of two crowds, each in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(2) as processes:
        for failed, drawn in processes.map(watch, (5, 6)):
            assert failed > 500, "the script did strike"
            assert drawn > 40_000, "and the show went on"


def test_the_matte_of_each_frame_is_laid_on_that_frame() -> None:
    """A block that jumps: wherever it is drawn, it is where this frame has it, never where an older one had it."""
    line = pipeline(Trouble(), matte=BrightMatte())
    visitors = [(red, line.new_state({**CONTROLS, "framing": "scene"})) for red in (90, 150)]
    rng = np.random.default_rng(3)
    for number in range(60):
        places = rng.permutation(4)[:2] * 16
        frames = [
            Frame(_block((red, red), int(x)), number * 4500) for (red, _), x in zip(visitors, places, strict=True)
        ]
        for (_, state), result, x in zip(visitors, line.step(frames, [s for _, s in visitors]), places, strict=True):
            assert state.error is None
            drawn = result.pixels[..., 2] > DRAWN_MARK // 2
            columns = np.flatnonzero(drawn.any(axis=0))
            assert abs(columns.min() - x) <= 1 and abs(columns.max() - (x + 15)) <= 1, "the matte lags or runs ahead"


def _block(colour: tuple[int, int], x: int) -> PixelsU8:
    """A room with one block of the visitor's red and green, 16 px wide, at column x of 64."""
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[:, :, 0] = 5  # somebody is in view
    pixels[8:40, x : x + 16, :2] = colour
    return pixels


class BrightMatte:
    """Whatever is bright is the person; remembers nothing."""

    name = "bright"

    def __call__(
        self, crops: Tensor, states: Sequence[MatteState | None], views: Sequence[View]
    ) -> tuple[Tensor, Tensor, list[MatteState]]:
        return crops, (crops[:, :1] > 0.2).float(), [MatteState() for _ in states]


def test_the_last_rungs_matte_keeps_each_visitors_room_apart() -> None:
    """Background subtraction, a real part with a memory of the room: what is drawn has the visitor's own hue."""
    line = pipeline(Trouble(), matte=SubtractionMatte())
    hues = ((1, 0), (0, 1), (1, 1))  # red and green of the visitor's block
    states = [line.new_state({**CONTROLS, "framing": "scene"}) for _ in hues]
    drawn = 0
    for number in range(120):
        frames = [Frame(_block((200 * hue[0], 200 * hue[1]), number * 2 % 48), number * 4500) for hue in hues]
        for hue, state, result in zip(hues, states, line.step(frames, states), strict=True):
            assert state.error is None
            red, green, blue = (result.pixels[..., channel].astype(int) for channel in range(3))
            bright = (blue > DRAWN_MARK // 2) & (np.maximum(red, green) > 40)
            drawn += int(bright.any())
            foreign = np.abs(red * hue[1] - green * hue[0]) if all(hue) else red * hue[1] + green * hue[0]
            assert (foreign[bright] <= 12).all(), f"the visitor of {hue} was shown another hue"
    assert drawn > 60
