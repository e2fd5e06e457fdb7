"""Whoever else stands in the crop is taken out of the matte; what the person holds stays."""

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import NoReturn

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stylizer.frame import Frame
from stylizer.job import Job
from stylizer.media import Reader
from stylizer.picture import read_picture
from stylizer.pipeline import Pipeline
from stylizer.stages.apart import Apart
from stylizer.stages.box import Box
from stylizer.stages.crop import paste_region, uncut
from stylizer.stages.detect import Detection
from stylizer.stages.matte import MatteState, View
from stylizer.stages.pose import PoseMatte
from stylizer.visitor import VisitorState
from tests.conftest import Finder
from tests.stages.passer_by import PasserBy

CROP, SIDE = Box(0, 0, 256, 256), 256
VIEW = View(np.zeros((SIDE, SIDE, 3), np.uint8), CROP)
NOBODY = torch.zeros(1, 3, SIDE, SIDE)
PERSON, OTHER = Box(100, 40, 150, 240), Box(160, 60, 220, 250)


def shape(*boxes: Box) -> Tensor:
    matte = torch.zeros(1, 1, SIDE, SIDE)
    for box in boxes:
        matte[..., int(box.y0) : int(box.y1), int(box.x0) : int(box.x1)] = 1
    return matte


class Drawn(PoseMatte):
    """A silhouette that the test draws."""

    def __init__(self, silhouette: Tensor) -> None:
        self.silhouette = silhouette

    def __call__(
        self, crops: Tensor, states: object, views: object
    ) -> tuple[Tensor, Tensor, list[MatteState]]:  # the network's own needs a picture
        return crops, self.silhouette, []


def left(matte: Tensor, others: list[Box], silhouette: Tensor) -> Tensor:
    free = Apart(Drawn(silhouette))(NOBODY, matte, VIEW, others)
    return matte if free is None else matte * free


def covered(matte: Tensor, box: Box) -> float:
    """How much of a box the matte fills, 0..1."""
    return float(matte[..., int(box.y0) : int(box.y1), int(box.x0) : int(box.x1)].mean())


def test_with_nobody_near_the_matte_is_not_touched() -> None:
    assert Apart(Drawn(shape()))(NOBODY, shape(PERSON), VIEW, []) is None
    assert Apart(Drawn(shape()))(NOBODY, shape(PERSON), VIEW, [Box(300, 0, 400, 256)]) is None


def test_whom_the_matte_has_left_out_costs_no_silhouette() -> None:
    class Costly(Drawn):
        def __call__(self, *_: object) -> NoReturn:
            raise AssertionError

    assert Apart(Costly(shape()))(NOBODY, shape(PERSON), VIEW, [OTHER.moved(30, 0)]) is None


def test_who_stands_beside_goes_and_the_person_stays() -> None:
    alone = left(shape(PERSON, OTHER), [OTHER], shape(PERSON))
    assert covered(alone, PERSON) > 0.99 and covered(alone, OTHER) < 0.01


def test_who_stands_behind_goes_as_far_as_the_silhouette_says() -> None:
    behind = Box(120, 60, 200, 250)
    alone = left(shape(PERSON, behind), [behind], shape(PERSON))
    assert covered(alone, PERSON) > 0.99 and covered(alone, Box(158, 60, 200, 250)) < 0.01


def test_a_near_head_has_no_holes_where_the_silhouette_has() -> None:
    head, beside = Box(100, 20, 160, 100), Box(0, 30, 130, 250)
    matte, without_face = shape(PERSON, head), shape(Box(100, 110, 150, 240))
    free = Apart(Drawn(without_face))(NOBODY, matte, VIEW, [beside], head)
    assert free is not None and covered(matte * free, Box(106, 30, 154, 90)) > 0.99
    assert covered(free, Box(0, 30, 60, 100)) < 0.01, "nobody else comes with it"
    followed = Apart(Drawn(without_face))(NOBODY, matte, VIEW, [beside], head, PERSON.moved(-90, 0))
    assert followed is not None and covered(followed, Box(106, 30, 126, 90)) < 0.01, "a bystander's head stays theirs"


def test_a_bust_of_which_little_is_found_is_looked_at_from_farther() -> None:
    """BlazePose finds the face in the crop; in a square of 4.4 heads the whole of them, beside whom somebody leans."""
    head, bust, beside = Box(100, 20, 160, 120), Box(60, 20, 180, 256), Box(150, 100, 256, 256)

    class Shy(Drawn):
        def __call__(self, crops: Tensor, states: object, views: object) -> tuple[Tensor, Tensor, list[MatteState]]:
            (place,) = (view.box for view in views)  # type: ignore[attr-defined]
            seen = head if place == CROP else bust
            step = SIDE / place.height
            return crops, shape(seen.moved(-place.x0, -place.y0).scaled(step, step).within(SIDE, SIDE)), []

    matte = shape(bust, beside)
    free = Apart(Shy(shape()))(NOBODY, matte, VIEW, [beside], head, bust)
    assert free is not None and covered(matte * free, Box(64, 130, 174, 250)) > 0.99
    assert covered(matte * free, Box(190, 130, 256, 256)) < 0.01
    without_body = Apart(Shy(shape()))(NOBODY, matte, VIEW, [beside], head, bust.moved(-130, 0))
    assert without_body is not None and covered(matte * without_body, Box(155, 130, 174, 250)) < 0.01, (
        "a head beside the body is somebody else's"
    )


def test_no_scrap_is_left_where_the_detector_s_box_was_too_small() -> None:
    arm = Box(220, 100, 250, 110)
    alone = left(shape(PERSON, OTHER, arm), [OTHER], shape(PERSON))
    assert covered(alone, arm) == 0


def test_a_ball_in_the_air_is_nobody_s_and_stays() -> None:
    ball = Box(60, 20, 80, 40)
    alone = left(shape(PERSON, OTHER, ball), [OTHER], shape(PERSON))
    assert covered(alone, ball) == 1 and covered(alone, OTHER) < 0.01


def test_a_silhouette_that_found_nobody_takes_nobody_away() -> None:
    assert Apart(Drawn(shape()))(NOBODY, shape(PERSON, OTHER), VIEW, [OTHER]) is None


def test_what_lies_on_a_card_is_freed_of_others_as_well(full_pipeline: Pipeline) -> None:
    """On a card the drawing is made from what the matte's network left there, not from what was fetched."""
    parts = replace(full_pipeline._parts, apart=Apart(Drawn(shape(PERSON))))
    line, state = Pipeline(parts), full_pipeline.new_state()
    state.tracker.update([Detection(PERSON, 0.9), Detection(OTHER, 0.8)], 0.0)
    job = Job.of(Frame(VIEW.pixels, 0), state)
    job.crop, job.matte = NOBODY, shape(PERSON, OTHER)
    job.on_card = NOBODY, shape(PERSON, OTHER)
    line._keep_apart(job, VIEW)
    for matte in (job.matte, job.on_card[1]):
        assert covered(matte, PERSON) > 0.99 and covered(matte, OTHER) < 0.01


def whole_matte(pipeline: Pipeline, frame: Frame, state: VisitorState) -> NDArray[np.bool_]:
    state.look_s = 0.0  # looks are as frequent on a slow machine as on a quick one
    (job,) = pipeline.see([frame], [state])
    assert job.error is None and job.box is not None and job.matte is not None
    region, whole = paste_region(job.box, frame.size), np.zeros(frame.pixels.shape[:2], np.uint8)
    whole[region] = uncut((job.matte[0, 0].numpy() * 255).astype(np.uint8), job.box, region, border=0)
    return whole > 127


def seen(pipeline: Pipeline, path: Path, part: tuple[slice, slice] = (slice(None), slice(None))) -> NDArray[np.bool_]:
    """The matte of a photo's whole frame, or of the camera's part of it, in its third picture."""
    pixels, state = read_picture(path)[part].copy(), pipeline.new_state()
    *_, last = [whole_matte(pipeline, Frame(pixels, pts=tick), state) for tick in range(3)]
    return last


def test_of_two_men_in_a_street_one_is_drawn(full_pipeline: Pipeline, media: Finder) -> None:
    """bus.jpg: the man in the light coat, and one in blue who walks beside him. Places were read by eye."""
    matte = seen(full_pipeline, media("bus.jpg"))
    coat, blue = matte[500:690, 90:180], matte[470:650, 255:310]
    assert coat.mean() > 0.95
    assert blue.mean() < 0.02


def test_of_friends_who_lean_on_each_other_one_is_drawn_whole(full_pipeline: Pipeline, media: Finder) -> None:
    """multiface.jpg: a man between two friends, as a camera sees the three. Places were read by eye."""
    matte = seen(full_pipeline, media("multiface.jpg"), (slice(82, 518), slice(79, 661)))
    trousers, waistcoat, sleeve = matte[370:430, 320:440], matte[190:290, 280:320], matte[150:260, 460:520]
    assert trousers.mean() > 0.95 and waistcoat.mean() > 0.95
    assert sleeve.mean() < 0.3


def test_a_passer_by_is_not_drawn(full_pipeline: Pipeline, media: Finder) -> None:
    """The juggler stands at x = 700; a man as large as he walks past before him, 350 px a second."""
    man, beside = PasserBy(media("bus.jpg"), 640), list[float]()
    alone, crossed = full_pipeline.new_state(), full_pipeline.new_state()
    with Reader(media("sam2_juggle.mp4")) as film:
        for frame in islice(film, 70):
            middle = round(350 * frame.time_s)
            want = whole_matte(full_pipeline, frame, alone)
            got = whole_matte(full_pipeline, frame.with_pixels(man.over(frame.pixels, middle, 715)), crossed)
            if 430 < middle < 540 or middle > 980:  # he is in the crop beside the juggler, or was just now
                beside.append((want & got).sum() / (want | got).sum())
    assert min(beside) > 0.9, np.round(beside, 2)
