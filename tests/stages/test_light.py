"""Whom the camera sees too dark is shown as bright as others, whoever is lit well as they are."""

import cv2
import numpy as np
import pytest
import torch

from stylizer.frame import Frame, PixelsU8
from stylizer.picture import read_picture
from stylizer.pipeline import Pipeline
from stylizer.stages.light import LIT, MOST, Light, lit
from tests.conftest import Finder

MATTE = torch.zeros(1, 1, 64, 64)
MATTE[..., 16:48, 16:48] = 1


def person(face: float, suit: float = 0.02) -> torch.Tensor:
    """A dark suit and a face before a white wall."""
    picture = torch.ones(1, 3, 64, 64)
    picture[..., 16:48, 16:48] = suit
    picture[..., 16:28, 16:48] = face
    return picture


def test_a_dark_person_before_a_bright_wall_is_shown_brighter() -> None:
    light = Light().seen(person(0.22), MATTE, 0.0)
    assert light.gain == pytest.approx(LIT / 0.22)
    assert Light().seen(person(0.01), MATTE, 0.0).gain == MOST


def test_who_is_lit_well_stays_as_they_are_also_in_black() -> None:
    assert Light().seen(person(0.7), MATTE, 0.0).gain == 1
    picture = person(0.7)
    assert lit(picture, 1.0) is picture


def test_the_light_is_measured_as_the_camera_saw_it_and_followed_slowly() -> None:
    light = Light().seen(person(0.22), MATTE, 0.0)
    assert light.seen(lit(person(0.22), light.gain), MATTE, 0.1).gain == pytest.approx(light.gain)
    brighter = light.seen(lit(person(0.7), light.gain), MATTE, 1 / 16)
    assert 1 < brighter.gain < light.gain - 0.2
    for frame in range(2, 40):
        brighter = brighter.seen(lit(person(0.7), brighter.gain), MATTE, frame / 16)
    assert brighter.gain == pytest.approx(1, abs=0.05)


def test_a_lamp_that_is_switched_on_blinds_for_a_moment_only() -> None:
    """Of what is white all over nobody knows how much too bright it is: it goes dark step by step."""
    light = Light(MOST, 0.0)
    for frame in range(1, 9):
        light = light.seen(lit(person(0.9), light.gain), MATTE, frame / 16)
    assert light.gain < 1.2


def test_nobody_and_numbers_that_are_none_tell_nothing_of_the_light() -> None:
    light = Light(2.0, 0.0)
    assert light.seen(person(0.7), torch.zeros_like(MATTE), 1.0) == light
    assert light.seen(person(float("nan")), MATTE, 1.0) == light


def test_a_visitor_in_a_dark_room_is_drawn_with_a_face(full_pipeline: Pipeline, media: Finder) -> None:
    """Of the camera's 12 % a brown shape without a face was drawn."""
    photo = cv2.resize(read_picture(media("background_matting/0001_img.png"))[180:1080, 250:1450], (640, 480))

    def drawn(pixels: PixelsU8) -> PixelsU8:
        state = full_pipeline.new_state({"framing": "scene", "background": "plain", "background_colour": "#000000"})
        *_, last = [full_pipeline.step([Frame(pixels, pts=tick)], [state]) for tick in range(3)]
        return last[0].pixels[120:240, 280:370]

    day, night = (drawn(pixels).astype(float) for pixels in (photo, (photo * 0.25).astype(np.uint8)))
    assert night.mean() > 0.6 * day.mean() and night.std() > 0.6 * day.std()
