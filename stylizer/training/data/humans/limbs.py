"""Arms and legs: the turns of their joints from where they shall point."""

import numpy as np
from numpy.typing import NDArray

from stylizer.training.data.humans.rig import Turn, turn

Vector = NDArray[np.float64]  # [3]
TWIST = 0.4  # of an arm's twist about itself, what its upper half takes: all at once would wring the skin


def unit(vector: Vector) -> Vector:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9))


def axes(along: Vector, across: Vector) -> Turn:
    """Columns: along, what of `across` is square to it, and the third."""
    first = unit(along)
    second = unit(across - first * float(across @ first))
    return np.stack([first, second, np.cross(first, second)], 1)


def bent(rest: tuple[Vector, Vector], wanted: tuple[Vector, Vector]) -> tuple[Turn, Turn]:
    """The world's turns of a limb's two bones, which pointed along `rest` and shall point along `wanted`. The joint
    between them stays a hinge, so neither pair may be straight."""
    was, now = np.cross(*rest), np.cross(*wanted)
    upper, lower = (axes(b, now) @ axes(a, was).T for a, b in zip(rest, wanted, strict=True))
    return upper, lower


def swing_and_twist(whole: Turn, axis: Vector) -> tuple[Turn, float]:
    """A turn as the shortest one that takes `axis` where it goes, after degrees about that axis."""
    end = whole @ axis
    swing = turn(tuple(np.cross(axis, end)), float(np.degrees(np.arccos(np.clip(axis @ end, -1, 1)))))
    left = swing.T @ whole
    sine = 0.5 * float(axis @ np.array([left[2, 1] - left[1, 2], left[0, 2] - left[2, 0], left[1, 0] - left[0, 1]]))
    return swing, float(np.degrees(np.arctan2(sine, (np.trace(left) - 1) / 2)))


def reach(hip: Vector, ankle: Vector, lengths: tuple[float, float], forward: Vector) -> tuple[Vector, Vector]:
    """Where thigh and shin point so that the foot is at `ankle`, the knee towards `forward`; as near as they reach."""
    way = ankle - hip
    far = min(float(np.linalg.norm(way)), 0.9995 * sum(lengths))
    way = unit(way)
    thigh, shin = lengths
    cosine = np.clip((thigh**2 + far**2 - shin**2) / (2 * thigh * far), -1, 1)
    side = unit(forward - way * float(forward @ way))
    upper = way * cosine + side * np.sqrt(1 - cosine**2)
    return upper, unit(way * far - upper * thigh)


def angle_about(axis: Vector, one: Vector, other: Vector) -> float:
    """Degrees from `one` to `other`, seen along `axis`."""
    a, b = (unit(v - axis * float(v @ axis)) for v in (one, other))
    return float(np.degrees(np.arctan2(float(axis @ np.cross(a, b)), float(a @ b))))
