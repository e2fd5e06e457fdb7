"""Who stands there: invented at random, shaped, posed, dressed; adults only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from stylizer.training.data.characters.sheet import LABELS
from stylizer.training.data.humans import assets as lists
from stylizer.training.data.humans.assets import Assets, Floats, Garment, Ints
from stylizer.training.data.humans.glasses import make_glasses
from stylizer.training.data.humans.rig import Posture, Turn, from_quaternion, shaped, turn

# Where on the undeformed body each point of a face is; the nearest vertex is followed through shape and posture.
# The person's left is +x.
LANDMARKS = {
    "outer": (0.44, 7.285, 1.36), "inner": (0.17, 7.27, 1.39), "upper": (0.31, 7.33, 1.41),
    "lower": (0.31, 7.215, 1.41), "brow": (0.33, 7.50, 1.43), "cheek": (0.45, 6.98, 1.30), "corner": (0.27, 6.62, 1.42),
}  # fmt: skip
MIDDLE = {
    "nose": (0.0, 6.94, 1.68), "nose_root": (0.0, 7.27, 1.50), "upper_lip": (0.0, 6.68, 1.60),
    "lower_lip": (0.0, 6.59, 1.55), "chin": (0.0, 6.20, 1.43), "lip_bottom": (0.0, 6.46, 1.50),
    "crown": (0.0, 8.45, 0.3), "brows": (0.0, 7.52, 1.50),
}  # fmt: skip
# MakeHuman's own poses. The package's others were given by users and state no licence.
UPRIGHT = ("standing01", "standing02", "standing03", "standing04", "standing05", "standing06", "akimbo01")
LIVELY = (
    "run01", "sit01", "fight01", "fight02", "fight03", "fight04", "sit_on_ground01", "genuflect01",
)  # fmt: skip

GLASSES = 0.2  # share of persons
SHUT = 0.8  # share of the lids' gap that is gone when they are closed


@dataclass(frozen=True, slots=True, eq=False)
class Worn:
    """One thing seen of a person; garment None is the body, or glasses.

    kind: body, hair, beard, brows, lashes, eyes, teeth, tongue, cloth, shoes, hat or glasses. vertices [V, 3] posed;
    labels [T] (sheet.LABELS) of its triangles.
    """

    kind: str
    garment: Garment | None
    vertices: Floats
    triangles: Ints
    uvs: Floats
    labels: NDArray[np.uint8]
    colours: Floats
    relief: Floats | None


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """parts: what is seen. face: landmark -> its place [3], those of a side with "_l" or "_r" (the person's own).
    head: its axes [3, 3], rows right (person's left), up, front. crown: top of head. shut: of each eye 0 open .. 1.
    """

    parts: tuple[Worn, ...]
    face: dict[str, Floats]
    head: Floats
    gape: float
    shut: tuple[float, float]
    gaze: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Nature:
    """age 0 young .. 1 old; race: shares of african, asian, caucasian; the others -1 least .. 1 most."""

    female: bool
    age: float
    race: tuple[float, float, float]
    muscle: float
    weight: float
    height: float
    ideal: float


def invent(rng: Generator) -> Nature:
    race = rng.dirichlet((0.6, 0.7, 0.7))
    muscle, weight, height = rng.normal(0, (0.3, 0.3, 0.35)).clip(-0.9, 0.9)
    age = float(np.clip(rng.beta(1, 2.5), 0, 0.9))
    return Nature(
        bool(rng.random() < 0.5), age, (race[0], race[1], race[2]), muscle, weight, height, rng.uniform(0, 0.8)
    )


def _levels(value: float, name: str) -> list[tuple[str, float]]:
    """-1..1 -> how much of the least, the average and the most."""
    return [(f"min{name}", max(0.0, -value)), (f"average{name}", 1 - abs(value)), (f"max{name}", max(0.0, value))]


def targets_of(nature: Nature) -> dict[str, float]:
    """The body's targets, each with the product of what it stands for, as MakeHuman mixes them."""
    gender = "female" if nature.female else "male"
    amounts: dict[str, float] = {}
    ages = (("young", 1 - nature.age), ("old", nature.age))
    for (age, a), (race, r) in product(ages, zip(("african", "asian", "caucasian"), nature.race, strict=True)):
        amounts[f"macrodetails/{race}-{gender}-{age}"] = a * r
    for (age, a), (m, much), (w, heavy) in product(
        ages, _levels(nature.muscle, "muscle"), _levels(nature.weight, "weight")
    ):
        share = a * much * heavy
        amounts[f"macrodetails/universal-{gender}-{age}-{m}-{w}"] = share
        for h, tall in _levels(nature.height, "height")[::2]:
            amounts[f"macrodetails/height/{gender}-{age}-{m}-{w}-{h}"] = share * tall
        amounts[f"macrodetails/proportions/{gender}-{age}-{m}-{w}-idealproportions"] = share * nature.ideal
    return {name: amount for name, amount in amounts.items() if amount > 0.01}


_OPPOSITES = (
    ("head/head-scale-horiz", "less", "more"), ("chin/chin-width", "min", "max"), ("chin/chin-height", "min", "max"),
    ("chin/chin-prominent", "less", "more"), ("nose/nose-scale-horiz", "decr", "incr"),
    ("nose/nose-scale-vert", "decr", "incr"), ("nose/nose-scale-depth", "decr", "incr"),
    ("nose/nose-hump", "lesshump", "morehump"), ("nose/nose-point", "down", "up"),
    ("mouth/mouth-scale-horiz", "decr", "incr"), ("mouth/mouth-lowerlip-volume", "deflate", "inflate"),
    ("mouth/mouth-upperlip-volume", "deflate", "inflate"), ("eyebrows/eyebrows-angle", "down", "up"),
    ("forehead/forehead-scale-vert", "less", "more"), ("neck/neck-scale-vert", "less", "more"),
    ("head/head-age", "less", "more"),
)  # fmt: skip
_SHAPES = tuple(f"head/head-{s}" for s in ("diamond", "oval", "rectangular", "round", "square", "triangular", "fat"))
_TWO_SIDED = (
    ("eyes/{}-eye-size-small", "eyes/{}-eye-size-big"), ("eyes/{}-eye-corner1-down", "eyes/{}-eye-corner1-up"),
    ("eyes/{}-eye-move-in", "eyes/{}-eye-move-out"), ("cheek/{}-cheek-volume-deflate", "cheek/{}-cheek-volume-inflate"),
    ("cheek/{}-cheek-bones-in", "cheek/{}-cheek-bones-out"), ("ears/{}-ear-wing-in", "ears/{}-ear-wing-out"),
)  # fmt: skip


def features(rng: Generator) -> dict[str, float]:
    """The face's own shape, the same on both sides."""
    amounts = {}
    for name, less, more in _OPPOSITES:
        value = float(rng.normal(0, 0.3))
        amounts[f"{name}-{more if value > 0 else less}"] = min(abs(value), 0.9)
    for less, more in _TWO_SIDED:
        value = float(rng.normal(0, 0.35))
        for side in "lr":
            amounts[(more if value > 0 else less).format(side)] = min(abs(value), 0.9)
    amounts[str(rng.choice(_SHAPES))] = float(rng.uniform(0, 0.7))
    return amounts


def expression(nature: Nature, rng: Generator) -> dict[str, float]:
    """Targets of a face in motion: mouth, brows, lids."""
    race = ("african", "asian", "caucasian")[int(np.argmax(nature.race))]
    smile = float(rng.uniform(0.3, 1)) if rng.random() < 0.5 else 0.0
    open_ = float(rng.beta(1, 2.2)) if rng.random() < 0.4 else 0.0
    brow = float(rng.normal(0, 0.35))
    units = {"mouth-corner-puller": smile, "mouth-open": open_}
    if rng.random() < 0.15:
        units[str(rng.choice(["mouth-pursing", "mouth-elevation", "mouth-compression", "mouth-depression"]))] = float(
            rng.uniform(0.3, 0.8)
        )
    mood = rng.random()
    shut = 1.0 if mood < 0.07 else (float(rng.uniform(0.2, 0.6)) if mood < 0.25 else float(rng.uniform(0, 0.15)))
    wink = rng.random() < 0.03
    for side in ("left", "right"):
        units[f"eyebrows-{side}-{'up' if brow > 0 else 'down'}"] = min(abs(brow), 0.9)
        units[f"eye-{side}-closure"] = 1.0 if wink and side == "left" else shut
    return {f"expression/units/{race}/{unit}": amount for unit, amount in units.items() if amount > 0.01}


def posture_turns(assets: Assets, rng: Generator, near: bool) -> dict[str, Turn]:
    """Each joint's turn. near: only head and shoulders will be seen, so the arms hang or rise at random."""
    kind = rng.random()
    if near or kind < 0.6:
        name = str(rng.choice(UPRIGHT))
    else:
        name = str(rng.choice(LIVELY)) if kind < 0.85 else ""
    turns = {joint: from_quaternion(*q) for joint, q in assets.poses[name].items()} if name else {}
    if near:
        for joint in (
            "root",
            "spine05",
            "spine04",
            "spine03",
            "spine02",
            "spine01",
            "neck01",
            "neck02",
            "neck03",
            "head",
        ):
            turns.pop(joint, None)

    def more(joint: str, axis: Sequence[float], degrees: float) -> None:
        turns[joint] = turn((axis[0], axis[1], axis[2]), degrees) @ turns.get(joint, np.eye(3))

    if not name or (near and rng.random() < 0.8):
        for side, s in (("L", 1.0), ("R", -1.0)):
            for joint in ("clavicle", "shoulder01", "upperarm01", "upperarm02", "lowerarm01", "lowerarm02"):
                turns.pop(f"{joint}.{side}", None)
            down = rng.uniform(20, 42) if rng.random() < 0.75 else rng.uniform(-120, 20)
            more(f"upperarm01.{side}", (0, 0, -s), down)
            more(f"upperarm01.{side}", (1, 0, 0), -rng.uniform(-20, 50))
            more(f"lowerarm01.{side}", (-0.73, -0.68 * s, 0), rng.uniform(0, 90))
            more(f"upperleg01.{side}", (1, 0, 0), rng.normal(-6, 14))
            more(f"upperleg01.{side}", (0, 0, s), abs(rng.normal(0, 8)))
            more(f"lowerleg01.{side}", (1, 0, 0), abs(rng.normal(0, 14)))
    for joint in ("spine03", "spine01"):
        for axis in ((1, 0, 0), (0, 1, 0), (0, 0, 1)):
            more(joint, axis, rng.normal(0, 4))
    yaw, pitch, roll = rng.normal(0, 26), rng.normal(0, 9), rng.normal(0, 7)
    for joint in ("neck01", "neck02", "head"):
        more(joint, (0, 1, 0), float(np.clip(yaw, -60, 60)) / 3)
        more(joint, (1, 0, 0), float(np.clip(pitch, -25, 25)) / 3)
        more(joint, (0, 0, 1), float(np.clip(roll, -20, 20)) / 3)
    return turns


def outfit(nature: Nature, rng: Generator) -> list[tuple[str, str, str]]:
    """(kind, folder, name) of what is worn over the skin, in no order."""
    worn = [("eyes", "eyes", "HighPolyEyes"), ("teeth", "teeth", "Teeth_Base"), ("tongue", "tongue", "tongue01")]
    worn.append(("lashes", "eyelashes", str(rng.choice(lists.LASHES))))
    worn.append(("brows", "eyebrows", str(rng.choice(lists.BROWS))))
    suits = lists.FEMALE if nature.female else lists.MALE
    worn.append(("cloth", "clothes", str(rng.choice(suits))))
    worn.append(("shoes", "clothes", str(rng.choice(lists.SHOES))))
    long = ("bob01", "bob02", "long01", "long_alpha7", "ponytail01", "Braid01", "Wig_bun_blonde", "curly2")
    short = ("short01", "short02", "short03", "short04", "afro01")
    if rng.random() > (0.0 if nature.female else 0.06):
        likely = long if rng.random() < (0.85 if nature.female else 0.12) else short
        worn.append(("hair", "hair", str(rng.choice([h for h in likely if h != "afro01" or nature.race[0] > 0.3]))))
    if not nature.female and rng.random() < 0.25:
        worn.append(("beard", "hair", str(rng.choice(lists.BEARDS))))
    if rng.random() < 0.05:
        worn.append(("hat", "clothes", str(rng.choice(lists.HATS))))
    return worn


def skin_of(nature: Nature) -> str:
    age = "young" if nature.age < 0.35 else ("middleage" if nature.age < 0.7 else "old")
    race = ("african", "asian", "caucasian")[int(np.argmax(nature.race))]
    return f"{age}_{race}_{'female' if nature.female else 'male'}"


_LABEL = {"hair": "hair", "beard": "hair", "hat": "hair", "shoes": "shoes"}


def make_person(assets: Assets, nature: Nature, rng: Generator, near: bool) -> Person:
    mood = expression(nature, rng)
    calm = shaped(assets, {**targets_of(nature), **features(rng)})
    turns = posture_turns(assets, rng, near)
    gaze = (float(rng.normal(0, 9)), float(rng.normal(0, 5)))
    iris = int(rng.integers(9))
    worn = [
        (kind, assets.garment(folder, name, iris if kind == "eyes" else 0))
        for kind, folder, name in outfit(nature, rng)
    ]
    person = assembled(assets, calm, mood, turns, gaze, worn, skin_of(nature))
    if rng.random() < GLASSES:
        return glasses_on(person, rng)
    return person


def glasses_on(person: Person, rng: Generator) -> Person:
    return replace(person, parts=(*person.parts, _glasses(person.face, person.head, rng)))


def assembled(
    assets: Assets,
    calm: Floats,
    mood: Mapping[str, float],
    turns: Mapping[str, Turn],
    gaze: tuple[float, float],
    worn: Sequence[tuple[str, Garment]],
    skin: str,
) -> Person:
    """calm: the body's shape [V, 3] with its face at rest; mood: targets of its expression; turns: of its joints; gaze:
    degrees to the person's left, downwards; worn: (kind, thing) over the skin of that name."""
    shape = shaped(assets, mood, calm)
    look = turn((0, 1, 0), gaze[0]) @ turn((1, 0, 0), gaze[1])
    posture = Posture(assets.rig, shape, {**turns, "eye.L": look, "eye.R": look})
    body = posture.carried(assets.body, shape)
    parts = [_bare(assets, shape, body, worn, assets.skin(skin))]
    hips = float(shape[list(assets.rig.heads[assets.rig.names.index("spine05")])].mean(0)[1])
    parts += [_put_on(kind, garment, posture, shape, hips) for kind, garment in worn]
    axes = posture.turns[assets.rig.names.index("head")].astype(np.float32).T  # rows: where its x, y and z point
    lips = _landmarks(assets, shape)
    base, rest = _landmarks(assets, assets.body.vertices), _landmarks(assets, calm)
    gape = _apart(lips) / max(float(np.linalg.norm(lips["corner_l"] - lips["corner_r"])), 1e-3) - _apart(base) / float(
        np.linalg.norm(base["corner_l"] - base["corner_r"])
    )
    shut = _shut(lips, rest, "l"), _shut(lips, rest, "r")
    return Person(tuple(parts), _landmarks(assets, body), axes, float(gape), shut, gaze)


def _bare(assets: Assets, shape: Floats, posed: Floats, worn: Sequence[tuple[str, Garment]], colours: Floats) -> Worn:
    """The body, where nothing worn hides it."""
    hidden = np.zeros(len(shape), np.bool_)
    for kind, garment in worn:
        if len(garment.hides) == len(hidden) and kind not in ("hair", "hat"):
            hidden |= garment.hides
    triangles = assets.body.triangles
    shown = ~hidden[triangles].all(1)
    inside = _face_vertices(assets)[triangles].all(1)
    label = np.where(inside, LABELS.index("face"), LABELS.index("skin")).astype(np.uint8)
    return Worn("body", None, posed, triangles[shown], assets.body.uvs[shown], label[shown], colours, None)


def _put_on(kind: str, garment: Garment, posture: Posture, shape: Floats, hips: float) -> Worn:
    mesh, fitted = garment.mesh, garment.fitted(shape)
    labels = np.full(len(mesh.triangles), LABELS.index(_LABEL.get(kind, "face")), np.uint8)
    if kind == "cloth":
        low = fitted[mesh.triangles, 1].mean(1) < hips
        labels = np.where(low, LABELS.index("bottom"), LABELS.index("top")).astype(np.uint8)
    posed = posture.carried(mesh, fitted)
    return Worn(kind, garment, posed, mesh.triangles, mesh.uvs, labels, garment.colours, garment.relief)


def _glasses(points: dict[str, Floats], head: Floats, rng: Generator) -> Worn:
    vertices, triangles, lens = make_glasses(points, head, rng)
    frame = _frame(rng)
    colours = np.ones((2, 2, 4), np.float32)
    colours[0, :, :3], colours[1, :, :3] = frame, (0.05, 0.05, 0.06)  # lenses take the texture's lower row
    uvs = np.full((len(triangles), 3, 2), 0.75, np.float32)
    uvs[lens:] = 0.25
    labels = np.full(len(triangles), LABELS.index("face"), np.uint8)
    return Worn("glasses", None, vertices, triangles, uvs, labels, colours, None)


def _frame(rng: Generator) -> Floats:
    """Mostly black, or brown, or of any colour."""
    dark = rng.uniform(0.03, 0.15)
    kinds = ((dark, dark, dark), (0.35, 0.2, 0.1), tuple(rng.uniform(0.1, 0.9, 3)))
    return np.array(kinds[rng.choice(3, p=(0.6, 0.2, 0.2))], np.float32)


def _apart(points: dict[str, Floats]) -> float:
    return float(np.linalg.norm(points["upper_lip"] - points["lower_lip"]))


def _shut(points: dict[str, Floats], calm: dict[str, Floats], side: str) -> float:
    """Of an eye, 0 as open as when the face is at rest .. 1: narrow eyes are not shut ones."""
    gap, own = (float(np.linalg.norm(p[f"upper_{side}"] - p[f"lower_{side}"])) for p in (points, calm))
    return float(np.clip((1 - gap / max(own, 1e-3)) / SHUT, 0, 1))


def _face_vertices(assets: Assets) -> NDArray[np.bool_]:
    """Which vertices belong to the face: before the ears, from the chin up."""
    v = assets.body.vertices
    return np.asarray((v[:, 1] > 6.12) & (v[:, 2] > 0.55) & (np.abs(v[:, 0]) < 0.85) & (v[:, 1] < 8.3))


def _landmarks(assets: Assets, vertices: Floats) -> dict[str, Floats]:
    return {name: vertices[i] for name, i in _nearest(assets).items()}


def _nearest(assets: Assets) -> dict[str, int]:
    if assets.places is None:
        used = np.unique(assets.body.triangles)
        wanted = dict(MIDDLE)
        for name, (x, y, z) in LANDMARKS.items():
            wanted[f"{name}_l"], wanted[f"{name}_r"] = (x, y, z), (-x, y, z)
        assets.places = {
            name: int(used[np.linalg.norm(assets.body.vertices[used] - at, axis=1).argmin()])
            for name, at in wanted.items()
        }
    return assets.places
