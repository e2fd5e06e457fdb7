"""Who is drawn: build, pose, clothes, hair, face, colours, light. Everything random is decided here, from one seed."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.random import Generator

Colour = tuple[float, float, float]  # RGB, 0..1
Turn = tuple[float, float]  # degrees: outwards (0 hangs down, 90 sideways, 180 up), forwards

HAIRS = ("bald", "crop", "short", "messy", "side", "bob", "long", "pony", "bun", "curly", "hat", "beanie")
HairStyle = Literal["bald", "crop", "short", "messy", "side", "bob", "long", "pony", "bun", "curly", "hat", "beanie"]
BOTTOMS = ("trousers", "jeans", "shorts", "skirt", "long_skirt", "leggings")
OBJECTS = ("none", "ball", "phone", "cup", "bag", "stick")


@dataclass(frozen=True, slots=True)
class Build:
    """Proportions; lengths in body heights."""

    head: float = 0.068  # half the height of the head
    head_width: float = 0.80  # width over height of the head
    shoulder: float = 0.098  # half the distance between the shoulder joints
    hip: float = 0.052
    girth: float = 1.0  # thickness of everything
    waist: float = 0.85  # waist over chest
    legs: float = 1.0  # length of the legs, 1 is average


@dataclass(frozen=True, slots=True)
class Angles:
    """A pose in degrees. Left and right are the figure's own; yaw > 0 turns it to the right side of the picture."""

    yaw: float = 0.0
    lean: float = 0.0  # of the trunk, forwards
    roll: float = 0.0  # of the trunk, to the side
    head_yaw: float = 0.0  # added to yaw
    head_pitch: float = 0.0
    head_roll: float = 0.0
    upper_arm: tuple[Turn, Turn] = ((10, 0), (10, 0))  # left, right
    forearm: tuple[Turn, Turn] = ((5, 15), (5, 15))
    thigh: tuple[Turn, Turn] = ((4, 0), (4, 0))
    shin: tuple[Turn, Turn] = ((2, -2), (2, -2))


@dataclass(frozen=True, slots=True)
class Clothes:
    sleeve: float = 0.4  # share of the arm that is covered, 0..1
    bottom: str = "trousers"
    looseness: float = 1.15
    coat: float = 0.0  # 0 none, else its length below the hips in body heights
    open_front: bool = False
    collar: str = "round"  # round, v, shirt, high
    pattern: str = "none"  # none, stripes, columns, plaid, print, buttons
    bottom_pattern: str = "none"
    socks: float = 0.1
    boots: float = 0.0
    belt: bool = False


@dataclass(frozen=True, slots=True)
class Face:
    eye_open: float = 1.0
    gaze: tuple[float, float] = (0.0, 0.0)
    mouth_open: float = 0.0
    smile: float = 0.3
    brow: float = 0.0  # raised > 0
    beard: float = 0.0  # 0 none, 0.3 stubble, 1 full
    glasses: str = "none"  # none, thin, thick, dark
    jaw: float = 0.7  # width of the jaw


@dataclass(frozen=True, slots=True)
class Hair:
    style: HairStyle = "short"
    length: float = 0.5
    parting: float = 0.0
    volume: float = 1.0


@dataclass(frozen=True, slots=True)
class Light:
    """Direction from which the light comes (x right, y down, z to the viewer), and how much is left in the shadow."""

    direction: tuple[float, float, float] = (-0.5, -0.6, 0.6)
    ambient: float = 0.5


@dataclass(frozen=True, slots=True)
class Figure:
    build: Build
    angles: Angles
    clothes: Clothes
    face: Face
    hair: Hair
    light: Light
    colours: dict[str, Colour]
    held: str = "none"
    held_at: tuple[float, float] = (0.0, 0.0)  # of a ball: offset from the hips in body heights
    seed: int = 0  # of the small irregularities of outlines


def _hsv(h: float, s: float, v: float) -> Colour:
    i, f = divmod((h % 1) * 6, 1)
    p, q, t = v * (1 - s), v * (1 - s * f), v * (1 - s * (1 - f))
    return ((v, t, p), (q, v, p), (p, v, t), (p, q, v), (t, p, v), (v, p, q))[int(i)]


def mix(a: Colour, b: Colour, t: float) -> Colour:
    return a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1]), a[2] + t * (b[2] - a[2])


SKINS: tuple[Colour, ...] = (
    (0.98, 0.86, 0.78),
    (0.95, 0.78, 0.67),
    (0.89, 0.69, 0.55),
    (0.78, 0.57, 0.42),
    (0.62, 0.43, 0.31),
    (0.45, 0.30, 0.21),
    (0.31, 0.20, 0.15),
)
HAIR_COLOURS: tuple[Colour, ...] = (
    (0.06, 0.05, 0.06),
    (0.12, 0.08, 0.07),
    (0.25, 0.15, 0.09),
    (0.40, 0.25, 0.14),
    (0.62, 0.44, 0.24),
    (0.86, 0.70, 0.44),
    (0.55, 0.23, 0.10),
    (0.60, 0.60, 0.60),
    (0.86, 0.85, 0.83),
)
HAIR_SHARES = (0.24, 0.2, 0.16, 0.12, 0.07, 0.08, 0.04, 0.05, 0.04)


def cloth_colour(rng: Generator) -> Colour:
    """Clothes as people wear them: much dark, grey, white and blue, some of every colour."""
    kind = rng.random()
    if kind < 0.2:
        return _hsv(rng.uniform(0.5, 0.75), rng.uniform(0, 0.5), rng.uniform(0.04, 0.25))
    if kind < 0.35:
        return _hsv(rng.random(), rng.uniform(0, 0.1), rng.uniform(0.75, 0.98))
    if kind < 0.47:
        return _hsv(rng.random(), rng.uniform(0, 0.12), rng.uniform(0.25, 0.75))
    if kind < 0.62:
        return _hsv(rng.normal(0.6, 0.04), rng.uniform(0.25, 0.8), rng.uniform(0.2, 0.75))
    if kind < 0.72:
        return _hsv(rng.uniform(0.05, 0.13), rng.uniform(0.2, 0.6), rng.uniform(0.3, 0.85))
    return _hsv(rng.random(), rng.uniform(0.3, 0.95), rng.uniform(0.3, 0.95))


def _between(rng: Generator, colours: tuple[Colour, ...]) -> Colour:
    at = rng.uniform(0, len(colours) - 1.001)
    i, t = int(at), at % 1
    return mix(colours[i], colours[i + 1], t)


def random_colours(rng: Generator) -> dict[str, Colour]:
    hair = HAIR_COLOURS[rng.choice(len(HAIR_COLOURS), p=np.array(HAIR_SHARES) / sum(HAIR_SHARES))]
    if rng.random() < 0.05:
        hair = _hsv(rng.random(), rng.uniform(0.4, 0.8), rng.uniform(0.4, 0.8))
    jitter = rng.uniform(0.85, 1.15)
    return {
        "skin": _between(rng, SKINS),
        "hair": (min(1, hair[0] * jitter), min(1, hair[1] * jitter), min(1, hair[2] * jitter)),
        **{name: cloth_colour(rng) for name in ("top", "bottom", "coat", "inner", "hat", "accent", "object", "socks")},
        "shoes": cloth_colour(rng) if rng.random() < 0.6 else _hsv(0.1, 0.05, rng.uniform(0.8, 1.0)),
        "eyes": _hsv(rng.choice([0.07, 0.08, 0.3, 0.55, 0.6]), rng.uniform(0.4, 0.7), rng.uniform(0.25, 0.6)),
    }


def _uniform_turn(rng: Generator, out: tuple[float, float], forward: tuple[float, float]) -> Turn:
    return float(rng.uniform(*out)), float(rng.uniform(*forward))


# Each row: upper limb outwards, forwards; lower limb outwards, forwards; weight. Degrees.
_ARMS: tuple[tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float], float], ...] = (
    ((3, 20), (-18, 18), (-5, 18), (0, 35), 0.30),  # hangs
    ((15, 40), (-15, 25), (0, 60), (10, 70), 0.14),  # off the body
    ((28, 52), (-25, 5), (-65, -30), (0, 30), 0.08),  # hand on the hip
    ((50, 120), (-15, 25), (120, 190), (-10, 40), 0.09),  # raised, waving
    ((55, 105), (-20, 25), (50, 115), (-10, 30), 0.07),  # to the side
    ((130, 178), (-10, 25), (135, 200), (-10, 30), 0.06),  # up
    ((0, 25), (35, 95), (0, 30), (60, 130), 0.07),  # reaches forwards
    ((8, 30), (0, 40), (-105, -60), (30, 60), 0.07),  # across the chest
    ((5, 35), (-25, 30), (-25, 35), (55, 115), 0.09),  # juggles, carries
    ((5, 40), (30, 75), (160, 205), (0, 40), 0.03),  # to the head
)
_LEGS: tuple[tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float], float], ...] = (
    ((1, 9), (-5, 6), (0, 7), (-8, 2), 0.48),  # stands
    ((0, 8), (8, 38), (0, 6), (-12, 22), 0.13),  # a step forwards
    ((0, 8), (-30, -5), (0, 6), (-70, -15), 0.12),  # and back
    ((8, 30), (-8, 15), (2, 28), (-20, 5), 0.12),  # astride
    ((0, 35), (20, 80), (-10, 25), (-40, 30), 0.10),  # lifts a knee, kicks
    ((5, 30), (65, 100), (0, 20), (-20, 15), 0.05),  # sits
)


def _limb(rng: Generator, table: tuple[tuple[tuple[float, float], ...], ...] | object, row: int) -> tuple[Turn, Turn]:
    uo, uf, lo, lf, _ = table[row]  # type: ignore[index]
    return _uniform_turn(rng, uo, uf), _uniform_turn(rng, lo, lf)


def random_angles(rng: Generator) -> Angles:
    kind = rng.random()
    yaw = rng.normal(0, 22) if kind < 0.68 else rng.uniform(-110, 110) if kind < 0.9 else rng.uniform(120, 240)
    arm_p = np.array([r[4] for r in _ARMS])
    leg_p = np.array([r[4] for r in _LEGS])
    first = int(rng.choice(len(_ARMS), p=arm_p / arm_p.sum()))
    second = first if rng.random() < 0.45 else int(rng.choice(len(_ARMS), p=arm_p / arm_p.sum()))
    leg = int(rng.choice(len(_LEGS), p=leg_p / leg_p.sum()))
    other = leg if leg in (0, 3, 5) else {1: 2, 2: 1, 4: 0}[leg]
    (ua0, fa0), (ua1, fa1) = _limb(rng, _ARMS, first), _limb(rng, _ARMS, second)
    (th0, sh0), (th1, sh1) = _limb(rng, _LEGS, leg), _limb(rng, _LEGS, other)
    if rng.random() < 0.5:
        th0, th1, sh0, sh1 = th1, th0, sh1, sh0
    return Angles(
        yaw=float(yaw),
        lean=float(rng.uniform(15, 55) if rng.random() < 0.08 else rng.normal(3, 6)),
        roll=float(rng.normal(0, 5)),
        head_yaw=float(np.clip(rng.normal(0, 24), -70, 70)),
        head_pitch=float(rng.normal(4, 11)),
        head_roll=float(rng.normal(0, 8)),
        upper_arm=(ua0, ua1),
        forearm=(fa0, fa1),
        thigh=(th0, th1),
        shin=(sh0, sh1),
    )


def random_build(rng: Generator) -> Build:
    child = rng.random() < 0.06
    return Build(
        head=float(rng.uniform(0.08, 0.095) if child else rng.uniform(0.061, 0.074)),
        head_width=float(rng.uniform(0.72, 0.86)),
        shoulder=float(rng.uniform(0.082, 0.112)),
        hip=float(rng.uniform(0.044, 0.062)),
        girth=float(np.clip(rng.normal(1.0, 0.14), 0.75, 1.5)),
        waist=float(rng.uniform(0.7, 1.02)),
        legs=float(rng.uniform(0.94, 1.06)),
    )


def random_clothes(rng: Generator) -> Clothes:
    coat = rng.random() < 0.25
    return Clothes(
        sleeve=float(rng.choice([0.0, rng.uniform(0.2, 0.5), 1.0], p=[0.08, 0.47, 0.45])),
        bottom=str(rng.choice(BOTTOMS, p=[0.34, 0.22, 0.18, 0.1, 0.06, 0.1])),
        looseness=float(rng.uniform(1.04, 1.4)),
        coat=float(rng.choice([0.02, rng.uniform(0.05, 0.3)])) if coat else 0.0,
        open_front=bool(rng.random() < 0.5),
        collar=str(rng.choice(["round", "v", "shirt", "high"], p=[0.4, 0.2, 0.28, 0.12])),
        pattern=str(
            rng.choice(
                ["none", "stripes", "columns", "plaid", "print", "buttons"], p=[0.5, 0.1, 0.04, 0.08, 0.16, 0.12]
            )
        ),
        bottom_pattern=str(rng.choice(["none", "columns", "plaid", "side"], p=[0.82, 0.04, 0.04, 0.1])),
        socks=float(rng.choice([0.0, rng.uniform(0.03, 0.3)])),
        boots=float(rng.choice([0.0, rng.uniform(0.15, 0.6)], p=[0.85, 0.15])),
        belt=bool(rng.random() < 0.3),
    )


def random_face(rng: Generator) -> Face:
    return Face(
        eye_open=float(np.clip(rng.normal(0.9, 0.25), 0.08, 1.2)),
        gaze=(float(rng.normal(0, 0.25)), float(rng.normal(0, 0.15))),
        mouth_open=float(max(0.0, rng.normal(-0.1, 0.4))),
        smile=float(rng.normal(0.25, 0.4)),
        brow=float(rng.normal(0, 0.4)),
        beard=float(rng.choice([0.0, rng.uniform(0.2, 1.0)], p=[0.72, 0.28])),
        glasses=str(rng.choice(["none", "thin", "thick", "dark"], p=[0.78, 0.09, 0.08, 0.05])),
        jaw=float(rng.uniform(0.55, 0.85)),
    )


def random_hair(rng: Generator) -> Hair:
    shares = np.array([0.05, 0.14, 0.16, 0.11, 0.1, 0.1, 0.13, 0.06, 0.04, 0.07, 0.05, 0.04])
    return Hair(
        style=HAIRS[int(rng.choice(len(HAIRS), p=shares / shares.sum()))],  # type: ignore[arg-type]
        length=float(rng.random()),
        parting=float(rng.uniform(-0.6, 0.6)),
        volume=float(rng.uniform(0.85, 1.3)),
    )


def random_light(rng: Generator) -> Light:
    direction = np.array([rng.normal(0, 0.6), rng.normal(-0.45, 0.35), abs(rng.normal(0.55, 0.3)) + 0.1])
    direction /= np.linalg.norm(direction)
    return Light((float(direction[0]), float(direction[1]), float(direction[2])), float(rng.uniform(0.25, 0.75)))


def random_figure(rng: Generator) -> Figure:
    return Figure(
        build=random_build(rng),
        angles=random_angles(rng),
        clothes=random_clothes(rng),
        face=random_face(rng),
        hair=random_hair(rng),
        light=random_light(rng),
        colours=random_colours(rng),
        held=str(rng.choice(OBJECTS, p=[0.62, 0.13, 0.08, 0.05, 0.08, 0.04])),
        held_at=(float(rng.normal(0, 0.25)), float(rng.uniform(-0.5, 0.5))),
        seed=int(rng.integers(2**31)),
    )
