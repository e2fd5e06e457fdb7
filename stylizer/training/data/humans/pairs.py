"""One pair: a person from MakeHuman's assets as a camera and a matting network give them, and as they are drawn."""

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from stylizer.training.data.characters.camera import taken
from stylizer.training.data.characters.pairs import SIZE, Pair, continued
from stylizer.training.data.humans.assets import Assets, Floats
from stylizer.training.data.humans.buffer import Buffer, Surface, vertex_normals
from stylizer.training.data.humans.cast import Scene
from stylizer.training.data.humans.figure import Draughtsman
from stylizer.training.data.humans.hand import hand_named
from stylizer.training.data.humans.look import Look, drawn_colours, look_of, textured
from stylizer.training.data.humans.person import Person, invent, make_person
from stylizer.training.data.humans.photo import develop_scene, lamps
from stylizer.training.data.humans.view import Camera, camera_for, kind_of, window_for

FINE = 2  # samples along a pixel's side


@lru_cache(maxsize=2)
def opened(folder: Path) -> Assets:
    return Assets(folder)


def draw_pair(folder: Path, seed: int, size: int = SIZE, heads: bool = False, hand: str = "anime") -> Pair:
    """The pair of that seed, of the assets in that folder; the same one each time, each hand draws the same photo.

    heads: only the head is shown.
    """
    rng = np.random.default_rng(seed)
    assets, kind, nature = opened(folder), "head" if heads else kind_of(rng), invent(rng)
    person = make_person(assets, nature, rng, kind in ("near", "head"))
    look = look_of(person, nature.age, rng)
    camera = camera_for(person, kind, rng)
    window, light = window_for(person, camera, kind, rng), lamps(rng)
    scene = Scene(surfaces_of(person, look, camera))
    seen = scene.see(window, size * FINE)
    kinds = [part.kind for part in person.parts]
    picture = develop_scene(scene, seen, kinds, textured(seen, look.worn), light, rng)
    colours = drawn_colours(picture, seen, person, look)
    drawing, labels = Draughtsman(scene, seen, person, look, colours, camera, window, light, hand_named(hand)).drawn()
    photo = take_photo(picture, seen, rng)
    return Pair(photo, _smaller(drawing, size), np.ascontiguousarray(labels[::FINE, ::FINE]))


def surfaces_of(person: Person, look: Look, camera: Camera) -> list[Surface]:
    result = []
    for part, texture in zip(person.parts, look.worn, strict=True):
        vertices = camera.points(part.vertices)
        normals = vertex_normals(vertices, part.triangles)
        result.append(Surface(vertices, part.triangles, part.uvs, normals, texture, part.relief, part.labels))
    return result


def take_photo(picture: Floats, buffer: Buffer, rng: Generator) -> NDArray[np.uint8]:
    """picture [S, S, 3] unit -> [S / FINE, S / FINE, 4]: straight RGB and a matte as networks return them."""
    size = buffer.surface.shape[0] // FINE
    sharp = _smaller(np.dstack([np.clip(picture, 0, 1), buffer.surface >= 0]).astype(np.float32) * 255, size)
    alpha = np.asarray(sharp[..., 3] / np.float32(255), np.float32)
    return taken(continued(sharp), alpha, rng)


def _smaller(pixels: Floats | NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Straight RGBA 0..255, each pixel the mean of its samples, those that show nothing left out of its colour."""
    alpha = pixels[..., 3].astype(np.float32) / 255
    opacity = cv2.resize(alpha, (size, size), interpolation=cv2.INTER_AREA)
    rgb = cv2.resize(pixels[..., :3].astype(np.float32) * alpha[..., None], (size, size), interpolation=cv2.INTER_AREA)
    rgb /= np.maximum(opacity, 1e-3)[..., None]
    return np.dstack([rgb.clip(0, 255) + 0.5, opacity * 255 + 0.5]).astype(np.uint8)
