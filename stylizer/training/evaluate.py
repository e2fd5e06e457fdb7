"""A style measured: on drawn pairs, and through the whole pipeline on films with a person."""

from collections.abc import Mapping
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from encoders.losses import over, silhouette_iou
from stylizer.config import Settings
from stylizer.convert.toonify import load_style
from stylizer.errors import BadInput
from stylizer.media import FILM_SUFFIXES, Reader
from stylizer.pipeline import Pipeline
from stylizer.styles import CLIP
from stylizer.training.export import measure
from stylizer.training.measures import flicker, hue_agreement
from stylizer.weights.card import Kind, Scalar
from stylizer.weights.registry import Registry

GREY = 0.5  # what both the person and the drawing are laid over
TOLERANCE = 0.05  # of a card's number: what another machine's arithmetic may change


def report(
    settings: Settings, style: str, footage: Path | None, *, frames: int, pairs: int
) -> tuple[dict[str, float], Mapping[str, Scalar]]:
    """Everything measured now, and what the card says. Numbers named pairs_, clip_ (the embedded clip) and film_.

    Raises NotFound, ModelRejected, or BadInput when nobody is seen in a film.
    """
    found = Registry(settings).style(style)
    clips = None if footage is None else films(footage)  # nothing there: told before minutes of drawing
    measured: dict[str, float] = {}
    if pairs and found.card.kind == Kind.TOONIFY:  # a style of other data is measured on anime pairs all the same
        measured |= measure(load_style(found.weights), pairs, found.card.hand or "anime")
    pipeline = Pipeline.open(settings)
    if clips is None:
        clip = evaluate(pipeline, style, CLIP, frames)
        measured |= {name.replace("film_", "clip_", 1): value for name, value in clip.items()}
    else:
        measured |= together([evaluate(pipeline, style, film, frames) for film in clips])
    return measured, found.card.measures


def films(footage: Path) -> list[Path]:
    """The film, or those of the folder. Raises BadInput when there is none."""
    if footage.is_file():
        return [footage]
    found = sorted(f for f in footage.glob("*") if f.suffix.lower() in FILM_SUFFIXES)
    if not found:
        raise BadInput(f"{footage}: neither a film nor a folder of films ({', '.join(FILM_SUFFIXES)})")
    return found


def together(rows: list[dict[str, float]]) -> dict[str, float]:
    """One set of numbers for several films: frames add up, the lowest stays the lowest, others are averaged."""
    result = {}
    for name in rows[0]:
        values = [row[name] for row in rows]
        total = sum(values) if name.endswith("frames") else sum(values) / len(values)
        result[name] = round(min(values) if name.endswith("lowest") else total, 4)
    return result


def beyond(measured: Mapping[str, float], card: Mapping[str, Scalar]) -> list[str]:
    """The names of numbers that are further than TOLERANCE from what the card says, or have become NaN."""
    noted = {name: float(value) for name, value in card.items() if name in measured and not isinstance(value, str)}
    return [name for name, value in noted.items() if not abs(measured[name] - value) <= TOLERANCE * abs(value)]


def evaluate(pipeline: Pipeline, style: str, film: Path, frames: int) -> dict[str, float]:
    """Runs the film's first `frames` frames. Raises BadInput when nobody is seen in two of them."""
    state = pipeline.new_state({"style": style})
    given: list[Tensor] = []
    made: list[Tensor] = []
    with Reader(film) as reader:
        for frame in islice(reader, frames):
            (job,) = pipeline.draw(pipeline.see([frame], [state]))
            if job.error is not None:
                raise job.error
            if job.foreground is None or job.matte is None or job.picture is None or job.alpha is None:
                continue
            given.append(torch.cat((job.foreground, job.matte), 1).cpu().float())
            made.append(torch.cat((job.picture, job.alpha), 1).cpu().float())
    if len(made) < 2:
        raise BadInput(f"{film}: a person is seen in {len(made)} of {frames} frames, at least 2 are needed")
    return summary(torch.cat(given), torch.cat(made))


def summary(given: Tensor, made: Tensor) -> dict[str, float]:
    """given, made [T, 4, S, S] unit, straight RGBA of person and drawing -> the film's measures."""
    grey = torch.full((1, 3, 1, 1), GREY)
    alpha = given[:, 3:]
    person, drawing = over(given[:, :3], alpha, grey), over(made[:, :3], made[:, 3:], grey)
    iou = silhouette_iou(made[:, 3:], alpha)
    return {
        "film_frames": float(len(made)),
        "film_silhouette_iou": round(float(iou.mean()), 4),
        "film_silhouette_iou_lowest": round(float(iou.min()), 4),
        "film_flicker": round(flicker(person, drawing), 3),
        "film_hue_agreement": round(float(hue_agreement(person, drawing, alpha).mean()), 4),
    }
