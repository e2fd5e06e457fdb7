"""A reference on real people: it is cut out, encoded once for each style, and shows; without a look nothing does."""

import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from stylizer.config import EngineName, Settings
from stylizer.convert.image_model import ImageModelConfig, ImageModelConverter
from stylizer.engines import choose
from stylizer.errors import Unavailable
from stylizer.frame import Frame, PixelsU8
from stylizer.picture import read_picture
from stylizer.pipeline import Pipeline
from stylizer.reference import Reference
from stylizer.render import render
from tests.conftest import Finder
from tests.scene import CONTROLS, Trouble, camera, pipeline

FRAMES = 4


def drawn(line: Pipeline, pixels: PixelsU8, reference: Reference | None, **controls: object) -> PixelsU8:
    """The last of a few frames of one who stands still, on black."""
    state = line.new_state({"background_colour": "#000000", **controls})
    state.reference = reference
    for tick in range(FRAMES):
        (result,) = line.step([Frame(pixels, tick * 6000)], [state])
    assert state.error is None
    return result.pixels


def blueness(pixels: PixelsU8) -> float:
    seen = pixels[pixels.max(2) > 30].astype(float)
    return float((seen[:, 2] - seen[:, 0]).mean())


@pytest.fixture(scope="module")
def skier(media: Finder) -> PixelsU8:
    return read_picture(media("coco/000000000785.jpg"))  # a skier in red and black


@pytest.fixture(scope="module")
def blue(full_pipeline: Pipeline, media: Finder) -> Reference:
    """A racer in blue."""
    return full_pipeline.reference(read_picture(media("coco/000000197388.jpg")), "anime")


def test_the_colours_of_the_person_in_the_picture_are_taken_on(
    full_pipeline: Pipeline, skier: PixelsU8, blue: Reference
) -> None:
    own, half, whole = (blueness(drawn(full_pipeline, skier, blue, look=share)) for share in (0.0, 0.5, 1.0))
    assert own + 10 < half < whole - 10
    assert abs(blueness(drawn(full_pipeline, skier, blue, mix_from="256")) - own) < 5, "colour is in coarse layers"


def test_without_a_share_of_the_look_nothing_changes(full_pipeline: Pipeline, skier: PixelsU8, blue: Reference) -> None:
    for _ in range(3):
        pair = drawn(full_pipeline, skier, blue, look=0.0), drawn(full_pipeline, skier, None)
        if np.array_equal(*pair):
            return
        for thread in threading.enumerate():
            if thread.name == "compile style":  # from then on another engine draws, by a shade otherwise
                thread.join(60)
    np.testing.assert_array_equal(*pair)


def test_each_style_encodes_it_once_and_before_it_plays(
    full_pipeline: Pipeline, skier: PixelsU8, media: Finder, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = full_pipeline.reference(read_picture(media("bus.jpg")), "anime")
    styles = [full_pipeline._parts.library.get(name) for name in ("anime", "comic")]
    looks = [reference.look(styles[0])]
    full_pipeline.prepare(reference, "comic")
    for style in styles:  # from now on nobody may ask
        monkeypatch.setattr(style, "look_of", None)
    looks.append(reference.look(styles[1]))
    assert all(look is not None for look in looks)
    for name in ("comic", "anime"):
        drawn(full_pipeline, skier, reference, style=name)


def test_a_picture_without_a_person_gives_its_own_colours(full_pipeline: Pipeline, skier: PixelsU8) -> None:
    sea: PixelsU8 = np.zeros((300, 400, 3), np.uint8)
    sea[:] = 10, 60, 200
    sea[::3] = 30, 120, 240
    painting = full_pipeline.reference(sea, "anime")
    assert blueness(drawn(full_pipeline, skier, painting)) > blueness(drawn(full_pipeline, skier, None)) + 40


def test_a_network_for_heads_alone_encodes_it_too_before_it_plays(
    full_pipeline: Pipeline, blue: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    style, heads = (full_pipeline._parts.library.get(name) for name in ("anime", "paper"))
    reference = Reference(blue._figure)
    whole = type("Whole", (), {"closeup": heads, "look_of": style.look_of})()
    reference.prepare(whole)
    monkeypatch.setattr(heads, "look_of", None)  # no frame waits for it
    assert reference.closeup_look(whole) is reference.look(heads) is not reference.look(whole)


def test_a_style_of_one_look_draws_as_without(weights: Finder, cache: Path) -> None:
    engine = choose(Settings.load(cache=cache, engine=EngineName.OPENVINO))
    style = ImageModelConverter(weights("stylizers/AnimeGANv3_tiny_Cute.onnx"), ImageModelConfig(layout="NHWC"), engine)
    reference = Reference((torch.rand(1, 3, 256, 256), torch.ones(1, 1, 256, 256)))
    reference.prepare(style)
    assert reference.look(style) is None and reference.closeup_look(style) is None


def test_films_take_it_on_too(full_pipeline: Pipeline, media: Finder, tmp_path: Path) -> None:
    results = []
    for name, reference in (("own.png", None), ("blue.png", read_picture(media("coco/000000197388.jpg")))):
        controls = {"background": "plain", "background_colour": "#000000"}
        source = media("coco/000000000785.jpg")
        render(full_pipeline, source, tmp_path / name, controls, lambda done, of: None, reference=reference)
        results.append(blueness(read_picture(tmp_path / name)))
    assert results[0] + 20 < results[1]


@pytest.mark.parametrize("stage", ["look", "matte"])
def test_a_reference_on_which_a_stage_fails_is_refused(stage: str) -> None:
    trouble = Trouble()
    trouble.always.add((stage, 90))
    with pytest.raises(Unavailable, match="reference"):
        pipeline(trouble).reference(camera(90), str(CONTROLS["style"]))
