"""A figure on a sheet, from back to front."""

from collections.abc import Callable

import numpy as np

from stylizer.training.data.characters import head as heads
from stylizer.training.data.characters.figure import Figure
from stylizer.training.data.characters.hair import draw_hair_behind
from stylizer.training.data.characters.painter import View
from stylizer.training.data.characters.sheet import Sheet
from stylizer.training.data.characters.skeleton import Skeleton
from stylizer.training.data.characters.skull import make_skull
from stylizer.training.data.characters.trunk import Body


def draw_figure(sheet: Sheet, figure: Figure, skeleton: Skeleton, view: View) -> None:
    """Back to front: far things first, by the depth of each limb's middle."""
    p = Body(sheet, figure, skeleton, view)
    s = skeleton
    f = make_skull(figure, s, view.at(s.head), view.unit)
    hair_rng = np.random.default_rng(figure.seed + 1)
    away = f.front < -0.1

    def arm_depth(i: int) -> float:
        return float((s.elbows[i][2] + s.wrists[i][2]) / 2 - s.chest[2] * 0.5)

    def leg_depth(i: int) -> float:
        return float((s.knees[i][2] + s.ankles[i][2]) / 2)

    jobs: list[tuple[float, Callable[[], None]]] = [
        (-1.0 if not away else 0.9, lambda: draw_hair_behind(sheet, figure, f, hair_rng)),
        (0.0, p.trunk),
        (0.5, lambda: heads.draw_head(sheet, figure, f, hair_rng)),
        (1.0 if figure.seed % 3 else -0.9, p.ball),
    ]
    for i in (0, 1):
        depth = arm_depth(i)
        raised = s.wrists[i][1] < s.head[1] + 0.05
        place = -0.6 + 0.1 * depth if depth < -0.035 else (0.45 if raised and depth < 0.06 else 0.7) + 0.1 * depth
        jobs.append((place, lambda i=i: p.arm(i)))  # type: ignore[misc]
        knee = leg_depth(i)
        jobs.append(((0.2 if knee > 0.13 and s.knees[i][1] < 0.2 else -0.3) + 0.1 * knee, lambda i=i: p.leg(i)))  # type: ignore[misc]
    for _, job in sorted(jobs, key=lambda j: j[0]):
        job()
