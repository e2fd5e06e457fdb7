"""A dance without a seam: where feet, hips, arms, head and face are at each moment of a loop.

Every value is a sum of whole periods or a pulse that has ended before the loop does. Feet stand where they were set
down; legs follow from there.
"""

from dataclasses import dataclass

import numpy as np

from stylizer.training.data.humans.limbs import Vector, unit

SECONDS, RATE = 7, 24
FRAMES = SECONDS * RATE
BEATS = 14  # one step on each, left and right in turn
STEP = 0.42  # of a foot's two beats, the share it is in the air
LIFT, APART = 0.75, 1.12  # dm: how high a foot goes; from the middle to each foot
HEEL = 24.0  # degrees that it is raised then


@dataclass(frozen=True, slots=True, eq=False)
class Foot:
    """place [2]: x and z on the floor, dm; yaw: degrees to the person's left; up: dm; heel: degrees it is raised."""

    place: Vector
    yaw: float
    up: float
    heel: float


@dataclass(frozen=True, slots=True, eq=False)
class Arm:
    """Where upper arm, forearm and palm point [3], x away from the body, z forward, in the chest's axes. grip: 0 the
    open hand .. 1 the loose one."""

    upper: Vector
    fore: Vector
    palm: Vector
    grip: float


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """hips [3]: from where they rest, dm; yaw, roll: theirs, degrees. chest: (yaw, roll, pitch) on top of the hips'.
    head: (yaw, pitch, roll) against the world. smile, open, shut, brow: 0..1. Pairs are (left, right)."""

    hips: Vector
    yaw: float
    roll: float
    chest: tuple[float, float, float]
    head: tuple[float, float, float]
    feet: tuple[Foot, Foot]
    arms: tuple[Arm, Arm]
    smile: float
    open: float
    shut: float
    brow: float


@dataclass(frozen=True, slots=True)
class Manner:
    """How somebody dances: swing 0..1.5, of the hips; bounce, dm; way: 1, or -1 to do everything with the other side;
    late: share of the loop by which the gestures come later."""

    swing: float = 1.0
    bounce: float = 0.22
    way: int = 1
    late: float = 0.0


def smooth(x: float) -> float:
    x = min(max(x, 0.0), 1.0)
    return x * x * x * (x * (6 * x - 15) + 10)


def pulse(t: float, begin: float, end: float, ramp: float) -> float:
    """0 outside begin..end (seconds of the loop), 1 inside, smooth over `ramp` seconds at both edges."""
    s = (t * SECONDS - begin) % SECONDS
    return smooth(s / ramp) * smooth((end - begin - s) / ramp)


def turned_to(t: float) -> float:
    """Degrees that the dance looks to the left."""
    return 26.0 * float(np.sin(2 * np.pi * (2 * t + 0.05))) * (1 - 0.75 * near(t))


def near(t: float) -> float:
    """How near the camera looks: 0 the whole figure .. 1 a bust."""
    return pulse(t, 3.95, 6.75, 0.85)


def _stood(t: float, side: int) -> tuple[Vector, float]:
    """Where a foot is set down at t: x and z [2], and its yaw."""
    yaw = turned_to(t)
    a = np.radians(yaw)
    drift = 0.9 * np.sin(2 * np.pi * t), 0.7 * np.sin(2 * np.pi * (t + 0.1))
    place = np.array([drift[0] + side * APART * np.cos(a), drift[1] - side * APART * np.sin(a)])
    return place, yaw + side * 9.0


def foot(t: float, side: int) -> Foot:
    """side: 1 the left, -1 the right."""
    each = 2 / BEATS
    phase = t / each + (0.0 if side > 0 else 0.5)
    number, share = np.floor(phase), phase % 1
    begun = (number - (0.0 if side > 0 else 0.5)) * each
    stance = STEP + (1 - STEP) / 2  # of the two beats: the middle of its standing
    before, after = (_stood((begun + (stance + k) * each) % 1, side) for k in (-1, 0))
    going = share / STEP
    way = smooth(going)
    lift = float(np.sin(np.pi * going) ** 2) if going < 1 else 0.0
    return Foot(
        before[0] + (after[0] - before[0]) * way, before[1] + (after[1] - before[1]) * way, LIFT * lift, HEEL * lift
    )


def _v(*xyz: float) -> Vector:
    return np.array(xyz)


def _blend(rest: Arm, *others: tuple[float, Arm]) -> Arm:
    upper, fore, palm, grip = rest.upper, rest.fore, rest.palm, rest.grip
    for share, arm in others:
        upper, fore, palm = (
            a * (1 - share) + b * share for a, b in ((upper, arm.upper), (fore, arm.fore), (palm, arm.palm))
        )
        grip = grip * (1 - share) + arm.grip * share
    return Arm(unit(upper), unit(fore), unit(palm), grip)


def arms(t: float, manner: Manner) -> tuple[Arm, Arm]:
    """(left, right)."""
    g = (t - manner.late) % 1
    beat = 2 * np.pi * BEATS * t
    wave, up, shake = pulse(g, 0.15, 2.25, 0.55), pulse(g, 2.1, 4.3, 0.6), np.sin(beat)
    result = []
    for side in (1, -1):
        swing = side * np.sin(beat / 2)
        groove = Arm(
            unit(_v(0.34, -0.92, 0.06 + 0.16 * swing)),
            unit(_v(0.10, -0.30 + 0.22 * swing, 0.86)),
            _v(-0.9, -0.1, 0.1), 0.85,
        )  # fmt: skip
        high = Arm(
            unit(_v(0.86, 0.36 + 0.06 * shake, 0.24)),
            unit(_v(0.10 + 0.22 * side * np.sin(beat / 2), 0.95, 0.16)),
            _v(-0.25, 0, 1), 0.15,
        )  # fmt: skip
        waving = Arm(
            unit(_v(0.82, -0.42, 0.30)), unit(_v(0.34 + 0.30 * shake, 0.9, 0.30)), _v(-0.1, 0, 1), 0.0
        )  # fmt: skip
        mine = side * manner.way < 0
        result.append(_blend(groove, (wave if mine else 0.0, waving), (up, high)))
    return result[0], result[1]


def pose(t: float, manner: Manner) -> Pose:
    """t: 0..1 of the loop."""
    t %= 1
    beat, calm = 2 * np.pi * BEATS * t, 1 - 0.6 * near(t)
    feet = foot(t, 1), foot(t, -1)
    between = (feet[0].place + feet[1].place) / 2
    # the left foot is in the air about beat phase 0.42 of its two: the weight is then on the right one
    sway = -np.cos(beat / 2 - 2 * np.pi * STEP / 2) * manner.swing * calm
    yaw = turned_to(t)
    a = np.radians(yaw)
    side = np.array([np.cos(a), -np.sin(a)])
    at = between + side * 0.42 * sway
    dip = manner.bounce * (0.5 + 0.5 * np.cos(beat - 0.6)) * calm + 0.10
    wink = max(pulse(t, b, b + 0.22, 0.1) for b in (0.9, 3.0, 5.9))
    tilt = 5 * np.sin(beat / 2 - 0.8) * calm + 6 * near(t)
    joy = max(pulse((t - manner.late) % 1, 2.2, 4.2, 0.5), pulse(t, 4.2, 6.8, 0.6))
    return Pose(
        np.array([at[0], -dip, at[1]]), yaw, 3.4 * sway, (yaw * 0.25 + 5 * np.sin(beat / 2) * calm, -4.2 * sway, 3.0),
        (yaw * 0.2 * (1 - near(t)), 1.5 + 2.5 * np.cos(beat - 0.9) * calm, tilt),
        feet, arms(t, manner), 0.75 + 0.3 * joy, 0.06 * joy, wink, 0.25 + 0.15 * joy,
    )  # fmt: skip
