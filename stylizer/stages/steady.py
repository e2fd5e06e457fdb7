"""Holds the drawing still where the camera's picture stands still.

Generators answer the noise of a camera, and every small fold, with new tones; dark shadows showed it most (flicker 1.35
in the style `comic`, 1.2 now). So small changes of the drawing come slowly where the person's picture is as it was.
What moves, or what is drawn quite differently than before, such as a line that has left, is taken at once: a filter
that looks at the camera alone left faint arcs behind a ball.
"""

from collections.abc import Mapping
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stylizer.controls import Value
from stylizer.stages.track import rescaled_alpha

Planes = NDArray[np.float32]  # [4, H, W] unit
Share = NDArray[np.float32]  # [H, W]

MOVED = 0.2  # change of the camera's picture, mean over 5 px, from which on the new drawing is taken whole
REDRAWN = 0.3  # the same for the drawing, mean over 3 px
REACH_PX = 5  # a line drawn beside what moves belongs to it
LEAST_NEW = 0.3  # of the new drawing where nothing has changed, at 16 frames a second: 0.3 s until nine tenths are new


class Drawn(NamedTuple):
    """What is remembered of a visitor's last drawing: straight colours and opacity.

    given: the person it shows, premultiplied, and their matte.
    """

    given: Planes
    drawing: Planes
    time_s: float
    controls: Mapping[str, Value]

    @property
    def picture(self) -> Tensor:
        """[1, 3, H, W]"""
        return torch.from_numpy(self.drawing[None, :3])

    @property
    def alpha(self) -> Tensor:
        """[1, 1, H, W]"""
        return torch.from_numpy(self.drawing[None, 3:])


def settled(
    before: Drawn | None,
    person: tuple[Tensor, Tensor],
    drawing: tuple[Tensor, Tensor],
    time_s: float,
    controls: Mapping[str, Value],
) -> Drawn:
    """The new drawing, held to the one before where the person has not changed.

    person, drawing: colours [1, 3, H, W] unit, straight, and opacity [1, 1, H, W]. With other controls, a clock that
    ran backwards, or a drawing of another size than the person, the new drawing is taken as it is.

    Raises FloatingPointError where one of them holds NaN or infinity: remembered, it would be in every drawing to come.
    """
    foreground, matte = (t[0].float().cpu().numpy() for t in person)
    given = np.concatenate((foreground * matte, matte))
    now = torch.cat(drawing, 1)[0].float().cpu().numpy()
    if not np.isfinite(now.sum() + given.sum()):
        raise FloatingPointError("a network gave numbers that are not finite")
    if before is None or before.controls is not controls or time_s < before.time_s:
        return Drawn(given, now, time_s, controls)
    if not given.shape == now.shape == before.drawing.shape:
        return Drawn(given, now, time_s, controls)
    share = np.maximum(moved(before.given, given), redrawn(before.drawing, now))
    least = rescaled_alpha(LEAST_NEW, time_s - before.time_s)
    return Drawn(given, mixed(before.drawing, now, share, least), time_s, controls)


def moved(before: Planes, now: Planes) -> Share:
    """0 where the person looks as before, 1 and more where they have moved."""
    change: Share = cv2.blur(cv2.absdiff(before, now).max(0), (5, 5)) / np.float32(MOVED)
    reaching: Share = cv2.dilate(change, np.ones((REACH_PX, REACH_PX), np.uint8))
    return reaching


def redrawn(before: Planes, now: Planes) -> Share:
    """0 where the drawing is as before, 1 and more where it is quite another."""
    change: Share = cv2.blur(cv2.absdiff(before, now).max(0), (3, 3)) / np.float32(REDRAWN)
    return change


def mixed(before: Planes, now: Planes, share: Share, least: float) -> Planes:
    """`share` of the new drawing, at least `least` and at most all of it."""
    kept: Share = 1 - np.clip(share, np.float32(least), 1)
    result: Planes = before - now
    result *= kept  # 0 leaves the new drawing to the bit
    result += now
    return result
