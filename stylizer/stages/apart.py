"""Keeps other people out of the picture: a matte holds whoever is in its crop.

BlazePose's silhouette is of one person, but coarse, and it leaves out what they hold. So it decides only where somebody
else was seen, and the matte everywhere else.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stylizer.frame import u8_from_unit
from stylizer.stages.box import Box, shared
from stylizer.stages.crop import cut, square
from stylizer.stages.matte import View
from stylizer.stages.pose import PoseMatte

AIR = 0.06  # of a person's height: so much of them, hair or a hand, may stand out of a detector's box
SOFT = 0.04  # of the height as well: over so much the edge of a box fades
EDGE_PX = 5  # by so much the silhouette may be too narrow
LIKELY, SURE = (0.27, 3.0), (0.8, 8.0)  # where a silhouette's border lies, and its slope
FOUND = 0.8  # of what is nobody else's for certain; a silhouette that is sure of less is looked for from farther
HEADS = 4.4  # side of the square then, in heads: of a bust that fills its picture BlazePose finds hardly but the face
ABOVE, WITHIN = 0.8, 0.8  # air above the head there, in heads; of a head's width, in the body that it belongs to
FRINGE_PX = 9  # around a scrap there may be more of it, too faint to hang together
SEEN = 0.3  # opacity from which on a pixel hangs together with its neighbour
HEAD, FADING = 1.2, 0.1  # of half a head's box: radius of the oval that holds hair and chin, and its edge
LEAST = 0.2  # of the body's matte that a silhouette covers; with less it is nobody's

Weights = NDArray[np.float32]


class Apart:
    """Immutable; serves every visitor."""

    def __init__(self, silhouette: PoseMatte) -> None:
        self._silhouette = silhouette

    def __call__(
        self,
        crop: Tensor,
        matte: Tensor,
        view: View,
        others: Sequence[Box],
        head: Box | None = None,
        body: Box | None = None,
    ) -> Tensor | None:
        """How far each pixel of a matte [1, 1, S, S] is free of others, 0..1 alike; None when all of it is, or nobody
        can say.

        crop: the picture, [1, 3, S, S] unit, on the CPU. others: boxes of everybody else; head, body: the person's,
        where they are known; all in pixels of the frame.
        """
        near = [box for box in others if shared(view.box, box).area > 0]
        if not near:
            return None
        opacity = matte[0, 0].numpy()
        theirs = np.maximum.reduce([_inside(view.box, box, len(opacity)) for box in near])
        if (theirs * opacity).max() < SEEN:  # the matte has left them out
            return None
        if head is not None and body is not None and shared(head, body).width < WITHIN * head.width:
            head = None  # somebody else's
        own = self._own(crop, view, _farther(view.box, head, body), opacity * (1 - theirs))
        if (own * opacity).sum() < LEAST * opacity.sum() / (1 + len(near)):
            return None
        if head is not None:  # of a near one the silhouette has holes
            own = np.maximum(own, _oval(view.box, head, len(opacity)))
        free = 1 - theirs * (1 - own)
        free[_scraps(opacity, free, own)] = 0
        return torch.from_numpy(free)[None, None]

    def _own(self, crop: Tensor, view: View, farther: Box | None, certain: Weights) -> Weights:
        """The person's silhouette where the crop is, [S, S] unit: of what BlazePose finds in the crop and, if that is
        too little, `farther`, a larger square in the frame, the one that holds more of what is theirs for certain."""
        near = self._silhouette(crop, [None], [view])[1][0, 0].numpy()
        found, whole = (_soft(near, *SURE) * certain).sum(), certain.sum()
        if farther is not None and found < FOUND * whole:
            wide = u8_from_unit(self._silhouette(cut(view.pixels, farther), [None], [View(view.pixels, farther)])[1])
            step = wide.shape[0] / farther.height
            inner = view.box.moved(-farther.x0, -farther.y0).scaled(step, step)
            own = _soft(cut(cv2.merge([wide[..., 0]] * 3), inner, crop.shape[-1])[0, 0].numpy(), *SURE)
            if (own * certain).sum() > found:
                return own
        return _soft(near, *LIKELY)


def _farther(crop: Box, head: Box | None, body: Box | None) -> Box | None:
    """The square around a bust as BlazePose knows people; None where the crop is no smaller."""
    if head is None or body is None or HEADS * head.height <= crop.height:
        return None
    return square(head.centre[0], head.y0 - ABOVE * head.height, HEADS * head.height)


def _soft(silhouette: Weights, border: float, slope: float) -> Weights:
    wide = cv2.dilate(silhouette, np.ones((EDGE_PX, EDGE_PX), np.uint8))
    soft: Weights = cv2.GaussianBlur(np.clip(slope * (wide - border) + 0.5, 0, 1), (0, 0), 1)
    return soft


def _scraps(opacity: Weights, free: Weights, own: Weights) -> NDArray[np.bool_]:
    """What is left over of others: pieces that were cut off, all but the one that the silhouette lies on. What hung
    together with nobody, a ball say, is none."""
    _, before = cv2.connectedComponents((opacity > SEEN).astype(np.uint8))
    _, after = cv2.connectedComponents((opacity * free > SEEN).astype(np.uint8))
    severed = np.bincount(before.ravel(), (free < 0.5).ravel()) > 0
    largest = np.argmax(np.bincount(after.ravel(), (own * (after > 0)).ravel()))
    scraps = (after > 0) & (after != largest) & severed[before]
    fringed = cv2.dilate(scraps.astype(np.uint8), np.ones((FRINGE_PX, FRINGE_PX), np.uint8)) > 0
    gone: NDArray[np.bool_] = fringed & (after != largest)
    return gone


def _inside(crop: Box, box: Box, size: int) -> Weights:
    """[size, size]: 1 in the box and the air around it, and from there down to 0."""
    columns = _ramp(crop.x0, crop.width, box.x0, box.x1, box.height, size)
    rows = _ramp(crop.y0, crop.height, box.y0, box.y1, box.height, size)
    inside: Weights = np.minimum(rows[:, None], columns[None])
    return inside


def _oval(crop: Box, head: Box, size: int) -> Weights:
    """[size, size]: 1 in a head, and from there down to 0."""
    at = (np.arange(size, dtype=np.float32) + 0.5) * np.float32(crop.width / size)
    x, y = crop.x0 + at, crop.y0 + at
    across, down = (x - head.centre[0]) / head.width * 2, (y - head.centre[1]) / head.height * 2
    inside: Weights = np.clip((HEAD - np.hypot(across[None], down[:, None])) / FADING, 0, 1)
    return inside


def _ramp(start: float, length: float, low: float, high: float, height: float, size: int) -> Weights:
    at = start + (np.arange(size, dtype=np.float32) + 0.5) * np.float32(length / size)
    beyond = np.maximum(low - at, at - high) / height - AIR
    inside: Weights = np.clip(1 - beyond / SOFT, 0, 1).astype(np.float32)
    return inside
