"""The whole drawing of one person, from the skin outwards: body, face, beard, hair, hat, outline."""

import cv2
import numpy as np
from numpy.typing import NDArray

from stylizer.training.data.characters.sheet import LABELS
from stylizer.training.data.humans.assets import Floats
from stylizer.training.data.humans.buffer import Buffer, Mask, Window, length
from stylizer.training.data.humans.cast import Scene
from stylizer.training.data.humans.drawing import (
    Head,
    borders,
    cleaned,
    hair_tones,
    inked,
    jumps,
    line,
    seams,
    tones,
    without_specks,
)
from stylizer.training.data.humans.dye import LIGHTNESS
from stylizer.training.data.humans.face import Canvas, draw_face
from stylizer.training.data.humans.hand import Hand
from stylizer.training.data.humans.look import FACIAL, Look, flat, textured
from stylizer.training.data.humans.person import Person
from stylizer.training.data.humans.photo import Lamps, shadows
from stylizer.training.data.humans.view import Camera, head_height

PASSED = ("hair", "lashes", "brows", "beard", "hat", "glasses")  # looked through to see what lies below
PLAIN_FACE = (  # landmarks around which the face's own forms give no lines, and how far, in heads
    ("nose", 0.14), ("inner_l", 0.17), ("inner_r", 0.17), ("outer_l", 0.1), ("outer_r", 0.1), ("upper_lip", 0.15),
    ("corner_l", 0.08), ("corner_r", 0.08),
)  # fmt: skip
LEAST = {"beard": 0.05, "glasses": 0.02, "hair": 0.2, "hat": 0.2}  # heads: a smaller patch is a stray
FACE, HAIR = LABELS.index("face"), LABELS.index("hair")


class Draughtsman:
    """seen: what the picture shows. colours: flat ones of each part. scale: samples that the head is high."""

    def __init__(
        self,
        scene: Scene,
        seen: Buffer,
        person: Person,
        look: Look,
        colours: list[Floats],
        camera: Camera,
        window: Window,
        light: Lamps,
        hand: Hand,
    ) -> None:
        self.scene, self.seen, self.person, self.look, self.hand = scene, seen, person, look, hand
        self.colours = [hand.paint(own) for own in colours]
        self.camera, self.window, self.way = camera, window, light.ways[0]
        self.size = seen.surface.shape[0]
        self.kinds = [part.kind for part in person.parts]
        self.below = Scene(scene.surfaces, frozenset(self._numbers(*PASSED))).see(window, self.size)
        self.scale = head_height(person, camera)[1] / window.side * self.size
        self.head = head_of(person, camera)
        self.inner, self.outer = (
            hand.ink * float(np.clip(0.011 * self.scale, 1.7, 3.2)),
            hand.ink * float(np.clip(0.018 * self.scale, 2.6, 5.0)),
        )
        facial = np.isin(self.below.surface, self._numbers(*FACIAL))
        self.group = np.where(facial, 0, self.below.surface).astype(np.int16)
        self.facial, self.skin = facial, self.group == 0
        self.face = (self.below.label == FACE) | facial
        self.alpha = (self.below.surface >= 0).astype(np.float32)
        self.label = np.where(self.face, FACE, self.below.label)

    def drawn(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """The drawing, straight RGBA [S, S, 4], and its labels [S, S]."""
        picture = self._with_face(self._body())
        for kind in ("beard", "hair", "hat", "glasses"):  # of the last only what nothing hides
            own = np.isin(self.seen.surface, self._numbers(kind))
            own = without_specks(own, int((LEAST[kind] * self.scale) ** 2))
            if own.any():
                picture = self._over(picture, kind, own)
        solid = self.alpha > 0.5
        rim = solid & (cv2.erode(np.pad(solid, 1, mode="edge").astype(np.uint8), np.ones((3, 3)))[1:-1, 1:-1] == 0)
        picture = inked(picture, line(rim, self.outer))
        pixels = np.dstack([np.clip(picture, 0, 1) * 255 + 0.5, self.alpha * 255 + 0.5]).astype(np.uint8)
        return pixels, np.where(solid, self.label, 0).astype(np.uint8)

    def _numbers(self, *kinds: str) -> list[int]:
        return [i for i, kind in enumerate(self.kinds) if kind in kinds]

    def _body(self) -> Floats:
        """Skin and clothes [S, S, 3], without a face."""
        below, shade = self.below, self._shade()[..., None]
        picture = flat(below, self.look, self.colours)
        picture = picture * (1 - shade * (1 - np.where(self.skin[..., None], self.hand.skin, self.hand.cloth)))
        cloth = (below.surface >= 0) & ~self.skin
        lightness = textured(below, self.look.worn) @ LIGHTNESS
        picture = inked(picture, seams(lightness, below.surface, cloth, self.scale), 0.6 * min(1.0, self.hand.ink))
        deep = cv2.erode(self.face.astype(np.uint8), np.ones((5, 5))) > 0
        depth = jumps(below) & ~self.facial & ~(deep & self._plain_face())
        return inked(
            picture, line(without_specks(borders(self.group) | depth, int(0.10 * self.scale)), self.inner), 0.92
        )

    def _shade(self) -> Floats:
        """1 in the second tone, [S, S]: by form and cast shadow; the face's form is a ball's."""
        below = self.below
        reached = shadows(self.scene, below, self.way)
        cos = np.clip(below.normal @ self.way, 0, 1)
        sigma = float(np.clip(0.05 * self.scale, 1.5, 7))
        shade = tones(np.where(self.skin, cos, 0.25 + 0.75 * cos) * reached, self.group, 0.34, sigma)
        ball = below.position - self.head.middle
        light = np.clip(0.5 + 0.5 * (ball / np.maximum(length(ball), 1e-6)) @ self.way, 0, 1) * (0.45 + 0.55 * reached)
        face = np.where(self.face, 0, -1).astype(np.int16)
        return np.where(self.face, tones(light, face, 0.40, max(2.0, 0.045 * self.scale)), shade)

    def _plain_face(self) -> Mask:
        rows, columns = np.mgrid[: self.size, : self.size].astype(np.float32)
        result = np.zeros((self.size, self.size), np.bool_)
        for name, reach in PLAIN_FACE:
            x, y = self.window.pixels(self.camera.points(self.person.face[name]), self.size)
            result |= np.hypot(columns - x, rows - y) < reach * self.scale
        return result

    def _with_face(self, picture: Floats) -> Floats:
        canvas = np.dstack([np.clip(picture, 0, 1) * 255 + 0.5, np.full(self.alpha.shape, 255)]).astype(np.uint8)
        plain = canvas[..., :3].astype(np.float32)
        hair = self.colours[self.kinds.index("hair" if "hair" in self.kinds else "brows")][0]
        draw_face(Canvas(canvas, self.camera, self.window), self.person, _tuple(self.colours[0][0]), _tuple(hair))
        room = cleaned(self.face, 1.0)[..., None]  # not over a hand before the face
        return np.asarray((plain + (canvas[..., :3] - plain) * room) / 255, np.float32)

    def _over(self, picture: Floats, kind: str, own: Mask) -> Floats:
        """What lies over body and face; own: the samples that show it."""
        seen, scale = self.seen, self.scale
        if kind == "glasses":
            over, mask = flat(seen, self.look, self.colours) * np.float32(0.75), own.astype(np.float32)
        elif kind == "hat":
            mask = own.astype(np.float32)
            light = 0.25 + 0.75 * np.clip(seen.normal @ self.way, 0, 1)
            shade = tones(light, np.where(own, 0, -1).astype(np.int16), 0.4, float(np.clip(0.05 * scale, 1.5, 7)))
            over = flat(seen, self.look, self.colours) * (1 - shade[..., None] * (1 - self.hand.cloth))
        else:
            mask = cleaned(own, max(1.2, 0.016 * scale))
            colour = self.colours[self._numbers(kind)[0]][0]
            lightness = textured(seen, self.look.worn) @ LIGHTNESS
            strands = lightness / max(float(lightness[own].mean()), 1e-3)
            over = hair_tones(seen, own, self.head, self.way, colour, strands, scale, self.hand)
            locks = without_specks(jumps(seen, 0.5) & own, int(0.12 * scale))
            over = inked(over, line(locks, self.inner * 0.8), 0.55)
        beside = np.where(mask > 0.5, 1, np.where(self.alpha > 0.5, 0, -1)).astype(np.int16)
        rim = line(borders(beside), self.inner) * cv2.dilate(own.astype(np.uint8), np.ones((9, 9)))
        self.alpha = np.maximum(self.alpha, mask)
        self.label = np.where(mask > 0.5, FACE if kind == "glasses" else HAIR, self.label)
        if kind == "glasses":  # a line itself
            rim = rim * 0
        return inked(picture + (over - picture) * mask[..., None], rim, 0.5 if kind == "beard" else 0.92)


def head_of(person: Person, camera: Camera) -> Head:
    face, up, front = person.face, person.head[1], person.head[2]
    middle = (face["crown"] + face["chin"]) / 2 + up * 0.15 - front * 0.15
    return Head(camera.points(middle), camera.ways(person.head))


def _tuple(colour: Floats) -> tuple[float, float, float]:
    return float(colour[0]), float(colour[1]), float(colour[2])
