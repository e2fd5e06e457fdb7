"""The head: skull with hair, then the face where it can be seen, then the fringe or the hat."""

import numpy as np

from stylizer.training.data.characters.face import draw_face
from stylizer.training.data.characters.figure import Figure
from stylizer.training.data.characters.hair import cap_path, draw_fringe, draw_hat, draw_strands, hair_shape
from stylizer.training.data.characters.shapes import ellipse
from stylizer.training.data.characters.sheet import Sheet
from stylizer.training.data.characters.skull import Skull, skin_shape


def draw_head(sheet: Sheet, figure: Figure, f: Skull, rng: np.random.Generator) -> None:
    """Skull with hair, then the face where it can be seen, then the fringe or the hat."""
    style = figure.hair.style
    cap = cap_path(figure, f, rng)
    if style == "bun":
        top = f.at(-0.5 * f.side, -1.35)
        sheet.group([hair_shape(figure, ellipse(top, f.rx * 0.42, f.rx * 0.4), f)])
    skin_cap = style == "bald"
    shape = skin_shape(figure, cap, f) if skin_cap else hair_shape(figure, cap, f)
    sheet.group([shape])
    if not skin_cap:
        draw_strands(sheet, figure, f, cap, rng, (-1.1, -1.2, 1.1, 0.6))
    if f.front > -0.35:
        draw_face(sheet, figure, f, rng)
    draw_fringe(sheet, figure, f, rng)
    if style in ("hat", "beanie"):
        draw_hat(sheet, figure, f)
