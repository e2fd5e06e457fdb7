"""What a person's parts are coloured with: the textures of the photo, and the drawing's flat colours."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from stylizer.training.data.characters.sheet import toon
from stylizer.training.data.humans import dye
from stylizer.training.data.humans.assets import Floats
from stylizer.training.data.humans.buffer import Buffer
from stylizer.training.data.humans.person import Person, Worn

FACIAL = ("eyes", "teeth", "tongue", "lashes", "brows")  # the draughtsman draws his own
OWN = 0.3  # share of a thing's own colour in the drawn one; the rest is as the light shows it
KINDS = {
    "hair": "hair",
    "beard": "hair",
    "brows": "hair",
    "cloth": "cloth",
    "shoes": "cloth",
    "hat": "cloth",
    "glasses": "cloth",
}


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """For each part of a person: its texture [S, S, 4] as it is worn; areas: which of its flat colours a texel has
    [S, S]; colours: those, unlit [n, 3]."""

    worn: tuple[Floats, ...]
    areas: tuple[NDArray[np.uint8], ...]
    colours: tuple[Floats, ...]


def look_of(person: Person, age: float, rng: Generator) -> Look:
    hair = dye.hair_colour(rng, age)
    tint = (rng.uniform(0.88, 1.12) * np.exp(rng.normal(0, 0.04, 3))).astype(np.float32)
    skin = _face_colour(person.parts[0].colours) * tint
    worn, areas, colours = [], [], []
    for part in person.parts:
        one = np.zeros(part.colours.shape[:2], np.uint8)
        if part.kind in ("hair", "beard", "brows"):
            worn.append(dye.dyed_hair(part.colours, hair * (0.8 if part.kind == "brows" else 1)))
            areas.append(one)
            colours.append(hair[None])
        elif part.kind in ("cloth", "shoes", "hat"):
            palette = _palette(part)
            new = dye.new_colours(palette, rng)
            worn.append(dye.dyed(part.colours, palette, new))
            areas.append(palette.of)
            colours.append(new)
        elif part.kind == "glasses":
            worn.append(part.colours)
            areas.append(np.array([[0, 0], [1, 1]], np.uint8))
            colours.append(part.colours[:, 0, :3])
        else:
            texture = part.colours.copy()
            if part.kind == "body":
                texture[..., :3] = np.clip(texture[..., :3] * tint, 0, 1)
            worn.append(texture)
            areas.append(one)
            colours.append(skin[None])
    return Look(tuple(worn), tuple(areas), tuple(colours))


def drawn_colours(picture: Floats, buffer: Buffer, person: Person, look: Look) -> list[Floats]:
    """The flat colours [n, 3] of each part, drawn: those of its well lit places in the picture [S, S, 3], made cleaner.

    What the network shall draw must be seen in the picture: a colour that only the texture knows cannot be learnt."""
    result = []
    for i, (part, areas, own) in enumerate(zip(person.parts, look.areas, look.colours, strict=True)):
        rows, columns = np.nonzero(buffer.surface == i)
        texel = buffer.texel[rows, columns]
        area, seen = areas[texel[:, 0], texel[:, 1]], picture[rows, columns]
        drawn = own.copy()
        for k in range(len(own)):
            there = seen[area == k]
            if len(there) > 20:
                lit = there[there.sum(1) >= np.percentile(there.sum(1), 45)]
                drawn[k] = (1 - OWN) * np.median(lit, axis=0) + OWN * own[k]
        kind = KINDS.get(part.kind, "skin")
        clean = [toon((float(c[0]), float(c[1]), float(c[2])), kind) for c in drawn.clip(0, 1)]
        result.append(np.array(clean, np.float32))
    for i, part in enumerate(person.parts):
        if part.kind in FACIAL and part.kind != "brows":
            result[i] = result[0]
    return result


def flat(buffer: Buffer, look: Look, colours: list[Floats]) -> Floats:
    """[S, S, 3]."""
    result = np.zeros((*buffer.surface.shape, 3), np.float32)
    for i, (areas, own) in enumerate(zip(look.areas, colours, strict=True)):
        rows, columns = np.nonzero(buffer.surface == i)
        texel = buffer.texel[rows, columns]
        result[rows, columns] = own[areas[texel[:, 0], texel[:, 1]]]
    return result


_palettes: dict[str, dye.Palette] = {}


def _palette(part: Worn) -> dye.Palette:
    assert part.garment is not None
    if part.garment.name not in _palettes:
        _palettes[part.garment.name] = dye.palette_of(part.colours)
    return _palettes[part.garment.name]


def _face_colour(texture: Floats) -> Floats:
    """The middle colour of a skin's texture: its face lies in the middle of the upper half."""
    height, width = texture.shape[:2]
    part = texture[int(0.08 * height) : int(0.30 * height), int(0.35 * width) : int(0.65 * width), :3]
    return np.asarray(np.median(part.reshape(-1, 3), axis=0), np.float32)


def textured(buffer: Buffer, textures: tuple[Floats, ...]) -> Floats:
    """What each sample's surface has at its texel, [S, S, 3]."""
    result = np.zeros((*buffer.surface.shape, 3), np.float32)
    for i, texture in enumerate(textures):
        rows, columns = np.nonzero(buffer.surface == i)
        texel = buffer.texel[rows, columns]
        result[rows, columns] = texture[texel[:, 0], texel[:, 1], :3]
    return result
