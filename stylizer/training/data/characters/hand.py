"""The hands that draw the same figure: how wide their ink is and what they make of light and colour."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stylizer.errors import BadInput
from stylizer.training.data.characters.sheet import LABELS

Colours = NDArray[np.float32]  # [H, W, 3] unit
Plane = NDArray[np.float32]  # [H, W] unit
Labels = NDArray[np.uint8]  # [H, W], indices of LABELS

INK: Colours = np.array([0.09, 0.07, 0.11], np.float32)


@dataclass(frozen=True, slots=True)
class Hand:
    """ink: width of the lines, 1 is that of `anime`, 0 draws none. tone: flat colours, light, labels -> colours."""

    ink: float
    tone: Callable[[Colours, Plane, Labels], Colours]

    def finish(self, toon: NDArray[np.uint8], lit: NDArray[np.uint8], labels: Labels) -> NDArray[np.uint8]:
        """toon [H, W, 4] straight, lit [H, W] -> the finished drawing, straight RGBA, uint8."""
        light: Plane = np.asarray(cv2.GaussianBlur(lit / np.float32(255), (0, 0), 0.8), np.float32)
        colours = self.tone(np.asarray(toon[..., :3] / np.float32(255), np.float32), light, labels)
        rgb = (np.clip(colours, 0, 1) * 255 + 0.5).astype(np.uint8)
        return np.dstack([rgb, toon[..., 3]])


def _below(light: Plane, threshold: float, width: float = 0.07) -> Colours:
    """1 where it is darker than the threshold, [H, W, 1]; the border between is soft over `width`."""
    return np.asarray(np.clip((threshold - light) / width + 0.5, 0, 1), np.float32)[..., None]


def _where(labels: Labels, *names: str) -> Colours:
    """1 on these parts, [H, W, 1], soft over a pixel."""
    inside = np.isin(labels, [LABELS.index(name) for name in names]).astype(np.float32)
    return np.asarray(cv2.blur(inside, (3, 3)), np.float32)[..., None]


def _saturated(colours: Colours, amount: float) -> Colours:
    grey = colours @ np.array([0.3, 0.59, 0.11], np.float32)
    return np.asarray(grey[..., None] + (colours - grey[..., None]) * np.float32(amount), np.float32)


def anime(colours: Colours, light: Plane, labels: Labels) -> Colours:
    """Two tones: in the shadow colours turn cool, skin warm."""
    cloth, skin = np.array([0.72, 0.69, 0.78], np.float32), np.array([0.86, 0.69, 0.68], np.float32)
    tint = cloth + (skin - cloth) * _where(labels, "skin", "face")
    return np.asarray(colours * (1 - _below(light, 0.42) * (1 - tint)), np.float32)


def comic(colours: Colours, light: Plane, labels: Labels) -> Colours:
    """Strong colours, a dark second tone, and ink poured into the deepest shadow."""
    skin = _where(labels, "skin", "face")
    strong = np.clip(_saturated(colours, 1.3), 0, 1) ** np.float32(0.92)
    toned = strong * (1 - _below(light, 0.47, 0.04) * (np.float32(0.34) - 0.1 * skin))
    black = _below(light, 0.29, 0.04) * (1 - 0.85 * skin)
    return np.asarray(toned * (1 - black) + INK * black, np.float32)


def paper(colours: Colours, light: Plane, labels: Labels) -> Colours:
    """Cut paper: pale flat colours without lines, and the soft shadow that each sheet throws on the next."""
    pale = np.float32(0.16) + np.float32(0.84) * _saturated(colours, 0.88)
    warm = pale * np.array([1.0, 0.985, 0.95], np.float32)
    shade = np.clip((np.float32(0.62) - light) / np.float32(0.5), 0, 1)[..., None] * np.float32(0.3)
    return np.asarray(warm * (1 - shade * np.array([0.9, 1.0, 0.95], np.float32)), np.float32)


HANDS = {"anime": Hand(1.0, anime), "comic": Hand(1.8, comic), "paper": Hand(0.0, paper)}


def hand_named(name: str) -> Hand:
    """Raises BadInput naming the hands there are."""
    if name not in HANDS:
        raise BadInput(f"hand {name!r}: there are {', '.join(HANDS)}")
    return HANDS[name]
