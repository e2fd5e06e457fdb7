"""Visitors apart: whoever fails, nobody gets another's pixels, and nobody sees the raw camera."""

import math
from collections.abc import Mapping

import numpy as np
import pytest

from stylizer.errors import BadInput, NotFound
from stylizer.frame import Frame
from stylizer.stages.mark import held
from tests.scene import CONTROLS, LARGE_HEADS, RAW_MARK, SMALL_HEADS, STAGES, Scene, Trouble, camera, pipeline, reds


@pytest.mark.parametrize("framing", ["figure", "scene"])
def test_drawing_replaces_the_camera(framing: str) -> None:
    line = pipeline(Trouble())
    state = line.new_state({**CONTROLS, "framing": framing})
    frame = Frame(camera(90), pts=3)
    (result,) = line.step([frame], [state])
    assert reds(result.pixels) == {90} and (result.pixels[..., 2] != RAW_MARK).all()
    assert (result.pts, result.time_base) == (frame.pts, frame.time_base)
    assert result.size == ((64, 48) if framing == "scene" else (512, 512))
    assert state.error is None and set(state.stages_ms) >= {"detect", "matte", "convert", "compose"}


@pytest.mark.parametrize(
    "stage, red", [*((stage, 90) for stage in STAGES), ("mesh", LARGE_HEADS[0]), ("closeup", SMALL_HEADS[0])]
)
def test_failed_stage_shows_the_last_good_picture_then_a_card(stage: str, red: int) -> None:
    trouble = Trouble()
    line = pipeline(trouble)
    state, healthy = line.new_state(CONTROLS), line.new_state(CONTROLS)

    def step(time_s: float) -> list[Frame]:
        pts = round(time_s * 90_000)
        return line.step([Frame(camera(red), pts), Frame(camera(60), pts)], [state, healthy])

    good = step(0.0)[0]
    trouble.always.add((stage, red))
    for time_s in (1.0, 2.0):
        mine, other = step(time_s)
        assert state.error is not None
        assert (mine.pixels == held(good.pixels)).all() and (mine.pixels != good.pixels).any()
        assert healthy.error is None and reds(other.pixels) == {60}
    later = step(3.5)[0]
    assert not reds(later.pixels) and (later.pixels[..., 2] != RAW_MARK).all()
    assert state.failed == 3
    trouble.always.clear()
    assert reds(step(4.0)[0].pixels) & set(range(red - 1, red + 2))


@pytest.mark.parametrize("every_s", [0.04, 0.11, 0.25, 0.7])
def test_the_face_is_looked_for_beside_the_person_only_where_it_would_wait_too_long(every_s: float) -> None:
    """Both in one frame would make one picture late."""
    line = pipeline(Trouble())
    state = line.new_state(CONTROLS)
    looks: list[float] = []
    for i in range(60):
        line.step([Frame(camera(90), round(i * every_s * 90_000))], [state])
        if "face" in state.stages_ms:
            looks.append(i * every_s)
            assert i == 0 or every_s == 0.7 or "detect" not in state.stages_ms
    assert looks[0] == 0
    assert max(np.diff(looks)) <= 1.5 * 0.6 + every_s


@pytest.mark.parametrize("alone", [False, True], ids=["same network", "network for heads"])
@pytest.mark.parametrize("red", [LARGE_HEADS[0], SMALL_HEADS[0]], ids=["large", "small"])
def test_a_network_for_heads_draws_them_at_every_size_with_their_eyes(red: int, alone: bool) -> None:
    line = pipeline(Trouble(), head=Scene(Trouble()) if alone else None)
    state = line.new_state(CONTROLS)
    (result,) = line.step([Frame(camera(red), 0)], [state])
    assert state.error is None and reds(result.pixels) & set(range(red - 1, red + 2))
    assert ("closeup" in state.stages_ms) == (alone or red in SMALL_HEADS)
    assert ("mesh" in state.stages_ms) == (not alone and red in LARGE_HEADS), "the formula's eyes are for the others"


def test_first_frame_that_fails_is_a_card() -> None:
    trouble = Trouble()
    trouble.always.add(("matte", 90))
    line = pipeline(trouble)
    (result,) = line.step([Frame(camera(90), 0)], [line.new_state(CONTROLS)])
    assert not reds(result.pixels) and (result.pixels[..., 2] != RAW_MARK).all()


@pytest.mark.parametrize("background", ["plain", "picture", "blur", "room"])
@pytest.mark.parametrize("framing", ["figure", "scene"])
def test_nobody_in_view_shows_no_raw_room(background: str, framing: str) -> None:
    line = pipeline(Trouble())
    state = line.new_state({**CONTROLS, "background": background, "framing": framing})
    pixels = camera(0)
    pixels[:, 1::2] = 255  # fine detail that a blur removes
    (result,) = line.step([Frame(pixels, 0)], [state])
    assert state.error is None
    assert np.abs(np.diff(result.pixels.astype(int), axis=1)).max() < 128


def test_styles_are_checked_by_name() -> None:
    line = pipeline(Trouble())
    with pytest.raises(NotFound, match="no style is called 'oil'"):
        line.new_state({"style": "oil"})
    with pytest.raises(BadInput, match="look"):
        line.checked({"look": 2})


def test_mirror_swaps_left_and_right() -> None:
    line = pipeline(Trouble())
    pixels = camera(90)
    pixels[:, 32:, 0] = 40
    controls: Mapping[str, object] = {**CONTROLS, "framing": "scene"}
    plain = line.step([Frame(pixels, 0)], [line.new_state(controls)])[0].pixels
    mirrored = line.step([Frame(pixels, 0)], [line.new_state({**controls, "mirror": True})])[0].pixels
    assert plain[20, 5, 0] > 80 > mirrored[20, 5, 0]
    assert np.abs(plain[:, ::-1].astype(int) - mirrored).max() <= 3


@pytest.mark.parametrize("change", ["turned", "mirrored"])
def test_in_another_view_the_person_is_looked_for_at_once(change: str) -> None:
    """A phone that is turned: until the next look the old box, in other pixels, would show a piece of the room."""
    line = pipeline(Trouble())
    state = line.new_state(CONTROLS)
    line.step([Frame(camera(90), 0)], [state])
    line.step([Frame(camera(90), 3000)], [state])
    assert "detect" not in state.stages_ms, "in the same view it is too early"
    pixels = camera(90)
    if change == "turned":
        pixels = np.ascontiguousarray(np.rot90(pixels))
    else:
        state.controls = {**state.controls, "mirror": True}
    (result,) = line.step([Frame(pixels, 6000)], [state])
    assert "detect" in state.stages_ms and state.error is None and reds(result.pixels) == {90}
    assert state.tracker.body is not None and state.tracker.body[2:] == (pixels.shape[1], pixels.shape[0])


def test_a_drawing_without_numbers_is_a_fault_of_one_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """A norm without an epsilon, say, of an even picture: 0 / 0."""
    line, drawn = pipeline(Trouble()), Scene.__call__
    state = line.new_state(CONTROLS)
    (good,) = line.step([Frame(camera(90), 0)], [state])
    monkeypatch.setattr(Scene, "__call__", lambda *given: tuple(t * math.nan for t in drawn(*given)))
    (kept,) = line.step([Frame(camera(90), 3000)], [state])
    assert isinstance(state.error, FloatingPointError) and (kept.pixels == held(good.pixels)).all()
    monkeypatch.setattr(Scene, "__call__", drawn)
    (after,) = line.step([Frame(camera(90), 6000)], [state])
    assert state.error is None and reds(after.pixels) == {90}
