"""Joint angles -> joints in space, in body heights: x right, y down, z to the viewer, the hips' middle at 0."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stylizer.training.data.characters.figure import Angles, Build, Turn

Vector = NDArray[np.float64]

TRUNK, NECK = 0.285, 0.044  # hips to shoulders, shoulders to chin
UPPER_ARM, FOREARM, HAND = 0.165, 0.140, 0.045
THIGH, SHIN, FOOT = 0.240, 0.235, 0.075


class Skeleton(NamedTuple):
    """Pairs are (left, right); each point is [x, y, z]."""

    hips: tuple[Vector, Vector]
    waist: Vector
    chest: Vector  # between the shoulders
    shoulders: tuple[Vector, Vector]
    elbows: tuple[Vector, Vector]
    wrists: tuple[Vector, Vector]
    hands: tuple[Vector, Vector]
    knees: tuple[Vector, Vector]
    ankles: tuple[Vector, Vector]
    toes: tuple[Vector, Vector]
    head: Vector  # its middle
    head_yaw: float  # degrees, with the body's
    head_pitch: float
    head_roll: float


def _rotate(axis: str, degrees: float) -> Vector:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    match axis:
        case "x":
            return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
        case "y":
            return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def _direction(turn: Turn, side: int) -> Vector:
    """Unit vector of a limb: outwards (towards `side`, +1 is the figure's left, right in the picture) and forwards."""
    out, forward = np.radians(turn[0]), np.radians(turn[1])
    return np.array([side * np.sin(out), np.cos(out) * np.cos(forward), np.cos(out) * np.sin(forward)])


def pose(build: Build, angles: Angles) -> Skeleton:
    turn = _rotate("y", angles.yaw)
    trunk = turn @ _rotate("z", angles.roll) @ _rotate("x", angles.lean)
    hips, shoulders, elbows, wrists, hands, knees, ankles, toes = rows = [list[Vector]() for _ in range(8)]
    chest = trunk @ np.array([0, -TRUNK, 0])
    for i, side in ((0, 1), (1, -1)):
        hip = turn @ np.array([side * build.hip, 0, 0])
        knee = hip + turn @ _direction(angles.thigh[i], side) * THIGH * build.legs
        ankle = knee + turn @ _direction(angles.shin[i], side) * SHIN * build.legs
        shoulder = chest + trunk @ np.array([side * build.shoulder * 0.94, 0.030, 0])
        elbow = shoulder + trunk @ _direction(angles.upper_arm[i], side) * UPPER_ARM
        fore = trunk @ _direction(angles.forearm[i], side)
        wrist = elbow + fore * FOREARM
        toe = ankle + turn @ _rotate("y", side * 14) @ np.array([0, 0.022, FOOT])
        for row, joint in zip(rows, (hip, shoulder, elbow, wrist, wrist + fore * HAND, knee, ankle, toe), strict=True):
            row.append(joint)
    neck_top = chest + trunk @ np.array([0, -NECK, 0.012])
    pitch = _rotate("x", angles.head_pitch + 0.5 * angles.lean)
    head = neck_top + turn @ pitch @ np.array([0, -build.head * 0.86, build.head * 0.12])
    return Skeleton(
        (hips[0], hips[1]), trunk @ np.array([0, -0.42 * TRUNK, 0]), chest, (shoulders[0], shoulders[1]),
        (elbows[0], elbows[1]), (wrists[0], wrists[1]), (hands[0], hands[1]), (knees[0], knees[1]),
        (ankles[0], ankles[1]), (toes[0], toes[1]), head,
        (angles.yaw + angles.head_yaw + 180) % 360 - 180, angles.head_pitch + 0.5 * angles.lean,
        angles.head_roll + angles.roll * 0.7,
    )  # fmt: skip
