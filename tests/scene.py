"""A scene for tests of the pipeline: small real parts in the place of networks, and a script of their troubles."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from stylizer.convert import SIZE, Controls, Converter, Look
from stylizer.errors import NotFound
from stylizer.frame import PixelsU8
from stylizer.ladder import Parts, Rung
from stylizer.pipeline import Pipeline
from stylizer.stages.box import Box
from stylizer.stages.closeup import SIDE_PX
from stylizer.stages.detect import Detection
from stylizer.stages.matte import Matte, MatteState, View
from stylizer.stages.medium import Medium
from stylizer.stages.mesh import FaceMesh, Points

RAW_MARK = 7  # blue of every camera picture here; the drawings have DRAWN_MARK there
DRAWN_MARK = 200
GREEN = 200  # of them all: else they would be too dark to be drawn as they are
SMALL_HEADS = (68, 180)  # visitors whose head is drawn a second time, from nearer
LARGE_HEADS = (77,)  # visitors whose eyes are looked for


class Trouble:
    """A script: which stage fails for which visitor (by the red of the picture), decided by a seeded die."""

    def __init__(self, seed: int = 0, rate: float = 0.0) -> None:
        self._rng = np.random.default_rng(seed)
        self._rate = rate
        self.always: set[tuple[str, int]] = set()

    def struck(self, stage: str, red: int) -> bool:
        return (stage, red) in self.always or self._rng.random() < self._rate

    def strike(self, stage: str, red: int) -> None:
        if self.struck(stage, red):
            raise RuntimeError(f"scripted fault in {stage}")


STAGES = ("look", "track", "face", "crop", "matte", "convert", "compose")
RED_STEP = 30  # between the visitors of two stages: a video codec changes a red by a few


class OneStageEach(Trouble):
    """Every visitor meets the fault of one stage in each picture, by their red; who is redder than `red_of` the last
    meets none."""

    @staticmethod
    def red_of(stage: str) -> int:
        return RED_STEP * (STAGES.index(stage) + 1)

    def struck(self, stage: str, red: int) -> bool:
        return abs(red - self.red_of(stage)) < RED_STEP / 2


class Scene:
    """Small real parts: everybody fills the frame; the drawing is the camera's picture with another blue,
    and with the red of the reference."""

    def __init__(self, trouble: Trouble, head: Converter | None = None) -> None:
        """head: what its style has for heads alone, if it has it."""
        self.trouble, self.head = trouble, head
        self.names = ("plain", "other")

    def look(self, pixels: PixelsU8) -> Sequence[Detection]:
        red = int(pixels[0, 0, 0])
        self.trouble.strike("look", red)
        height, width = pixels.shape[:2]
        if self.trouble.struck("track", red):
            return [Detection(Box(*[None] * 4), 0.9)]  # type: ignore[arg-type]  # the tracker cannot but fail
        return [Detection(Box(0, 0, width, height), 0.9)] if pixels[0, 0, 0] else []

    def find_head(self, pixels: PixelsU8, body: Box) -> Box | None:
        red = int(pixels[0, 0, 0])
        self.trouble.strike("face", red)
        if self.trouble.struck("crop", red):
            return Box(*[math.nan] * 4)  # no square can be cut around that
        height, width = pixels.shape[:2]
        if red in LARGE_HEADS:
            return Box(0.3 * width, 0.1 * height, 0.7 * width, 0.5 * height)
        return Box(0.4 * width, 0.1 * height, 0.6 * width, 0.3 * height) if red in SMALL_HEADS else None

    def get(self, name: str) -> Converter:
        if name not in self.names:
            raise NotFound(f"no style is called {name!r}; there are {', '.join(self.names)}")
        return self

    load = get

    @property
    def closeup(self) -> Converter:
        return self.head or self

    @property
    def medium(self) -> Medium | None:
        return None

    def titles(self, language: str) -> dict[str, str]:
        return {name: f"{name} ({language})" for name in self.names}

    def refresh(self) -> None:
        """There is no folder to look into."""

    def warm_up(self) -> None:
        """Nothing to compile."""

    def look_of(self, foreground: Tensor, alpha: Tensor) -> Look | None:
        """Their red."""
        return Look(foreground[:, :1].mean((2, 3), keepdim=True)[..., 0], torch.zeros(1, 2, 1))

    def __call__(
        self, foreground: Tensor, alpha: Tensor, controls: Sequence[Controls], looks: Sequence[Look | None]
    ) -> tuple[Tensor, Tensor]:
        reds = [round(float(row[0].mean()) * 255) for row in foreground]
        for red in reds:
            self.trouble.strike("closeup" if foreground.shape[-1] == SIDE_PX else "convert", red)
        if any(self.trouble.struck("compose", red) for red in reds):
            if len(reds) > 1:  # asked again for each alone, so that only one is spoilt
                raise RuntimeError("scripted fault of one in a batch")
            return foreground[:, :2], alpha  # a drawing without blue: no picture can be composed of it
        drawn = foreground.clone()
        for row, look in zip(drawn, looks, strict=True):
            if look is not None:
                row[0] = look.ws
        drawn[:, 2] = DRAWN_MARK / 255
        return drawn, alpha


class OpenMatte:
    """Everything in the crop is the person. Its memory is the colour: memories must stay with their owners."""

    name = "open"

    def __init__(self, trouble: Trouble) -> None:
        self.trouble = trouble

    def __call__(
        self, crops: Tensor, states: Sequence[MatteState | None], views: Sequence[View]
    ) -> tuple[Tensor, Tensor, list[MatteState]]:
        for row, state in zip(crops, states, strict=True):
            red = round(float(row[0].mean()) * 255)
            self.trouble.strike("matte", red)
            assert state is None or (isinstance(state, Remembered) and state.red == red), "another visitor's memory"
        return crops, torch.ones_like(crops[:, :1]), [Remembered(round(float(c[0].mean()) * 255)) for c in crops]


class Remembered(MatteState):
    def __init__(self, red: int) -> None:
        self.red = red


class NoFace(FaceMesh):
    """Looks for eyes, and finds none."""

    def __init__(self, trouble: Trouble) -> None:
        self.trouble = trouble

    def __call__(self, pixels: PixelsU8, head: Box | None, before: Points | None) -> Points | None:
        self.trouble.strike("mesh", int(pixels[0, 0, 0]))
        return None


def pipeline(
    trouble: Trouble, crop_px: int = SIZE, matte: Matte | None = None, head: Converter | None = None
) -> Pipeline:
    scene = Scene(trouble, head)
    rungs = (Rung("device", "test"),)
    parts = Parts(scene.look, scene.find_head, matte or OpenMatte(trouble), scene, rungs, mesh=NoFace(trouble))
    return Pipeline(parts, crop_px=crop_px)


def camera(red: int, size: tuple[int, int] = (64, 48)) -> PixelsU8:
    """A camera's picture, (width, height): one red for each visitor, in good light; RAW_MARK tells it from drawings."""
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    pixels[:] = red, GREEN, RAW_MARK
    return pixels


def reds(pixels: PixelsU8) -> set[int]:
    """The reds of what was drawn, neutral cards and backgrounds apart."""
    drawn = np.abs(pixels[..., 2].astype(int) - DRAWN_MARK) <= 2
    return {int(v) for v in np.unique(pixels[..., 0][drawn])}


CONTROLS = {"background": "plain", "background_colour": "#000000", "style": "plain"}
