"""The instrument: what a hand does is seen at once, nothing is half done, and everything can be taken back."""

import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from kernels.pict import Weights, write_pict
from kernels.weights import random_weights
from stylizer.controls import defaults
from stylizer.errors import BadInput, NotFound
from stylizer.frame import PixelsU8
from stylizer.vj import presets
from stylizer.vj.bank import Bank, Model
from stylizer.vj.inputs.modulation import Modulator
from stylizer.vj.loop import open_loop
from stylizer.vj.presets import Preset
from stylizer.vj.session import VjSession
from tests.conftest import Rng
from tests.vj.conftest import SMALL

DT = 1 / 30


def session(bank: Bank, seed: int = 0, **controls: object) -> VjSession:
    new = VjSession(bank, loop=open_loop(seed=seed))
    new.apply(SMALL | {"noise_2": 0.2} | controls)
    return new


def show(bank: Bank, frames: int, seed: int = 0, **controls: object) -> list[PixelsU8]:
    playing = session(bank, seed, **controls)
    return [playing.step(DT) for _ in range(frames)]


def test_the_same_seed_gives_the_same_pictures_and_another_does_not(bank: Bank) -> None:
    a, b = show(bank, 4, seed=3), show(bank, 4, seed=3)
    assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
    for seed in (4, 3 + 97, 2**31 - 1):
        assert not np.array_equal(a[-1], show(bank, 4, seed=seed)[-1])


@pytest.mark.parametrize(
    "change",
    [
        {"crossfade": 1.0},
        {"rate": 0.3},
        {"zoom": 1.05},
        {"rotate": 5.0},
        {"shift_x": 0.05},
        {"fold": "kaleidoscope"},
        {"focus": -1.0},
        {"hue": 0.3},
        {"invert": 1.0},
        {"false_colour": 1.0},
        {"blackout": True},
    ],
)
def test_a_control_is_seen_in_the_very_next_picture(bank: Bank, change: dict[str, object]) -> None:
    turned, untouched = session(bank, strobe_guard=False), session(bank, strobe_guard=False)
    for _ in range(3):
        turned.step(DT)
        untouched.step(DT)
    turned.apply(change)
    assert np.abs(turned.step(DT).astype(int) - untouched.step(DT).astype(int)).mean() > 0.2


def test_freeze_holds_the_picture_and_blackout_only_hides_it(bank: Bank) -> None:
    playing = session(bank, strobe_guard=False, false_colour=0.5)  # whose colours wander
    playing.step(DT)
    before = playing.step(DT)
    playing.apply({"freeze": True})
    assert np.array_equal(playing.step(DT), before)
    playing.apply({"freeze": False, "blackout": True})
    assert playing.step(DT).max() == 0
    playing.apply({"blackout": False})
    assert playing.step(DT).max() > 0


@pytest.mark.parametrize("master", ["blackout", "freeze"])
def test_no_preset_and_no_undo_lifts_what_a_hand_holds(
    bank: Bank, master: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A VJ who chooses the next look in the dark showed it to the room."""
    monkeypatch.setattr(presets, "ONE_GESTURE_S", 0.0)
    playing = session(bank)
    playing.apply({"hue": 0.1})
    playing.apply({master: True})
    playing.play(Preset("cut", "Cut", SMALL | {"hue": 0.2}))
    assert playing.controls["hue"] == 0.2 and playing.controls[master]
    playing.play(Preset("way", "Way", SMALL | {"hue": 0.3}), beats=1)
    for _ in range(8):
        playing.step(0.1)
        assert playing.controls[master]
    assert playing.controls["hue"] == 0.3 and not playing.state().morphing
    for hue in (0.2, 0.1, 0.0):  # the master itself was no gesture
        assert playing.undo() and playing.controls["hue"] == hue and playing.controls[master]
    assert master not in playing.preset("mine", "Mine").controls
    playing.play(Preset("light", "Light", SMALL | {master: False}))  # whoever names it means it
    assert not playing.controls[master]


def test_no_preset_sends_a_guest_away_unless_it_names_inject(bank: Bank) -> None:
    """The button of a page's camera shone, and nobody was in the picture."""
    playing = session(bank, inject="person")
    playing.play(Preset("cut", "Cut", SMALL))
    playing.play(Preset("way", "Way", SMALL | {"hue": 0.3}), beats=0.5)
    for _ in range(8):
        playing.step(0.1)
    assert playing.controls["hue"] == 0.3 and playing.controls["inject"] == "person"
    assert playing.undo() and playing.controls["inject"] == "person"
    playing.play(Preset("alone", "Alone", SMALL | {"inject": "none"}))
    assert playing.controls["inject"] == "none"


def test_a_bad_change_leaves_everything_as_it_was(bank: Bank) -> None:
    playing = session(bank)
    before = playing.controls
    for bad, error in (
        ({"rate": 1.5, "zoom": 7}, BadInput),
        ({"rate": 1.5, "model_a": "nobody"}, NotFound),
        ({"rate": 1.5, "style": "anime"}, BadInput),
    ):
        with pytest.raises(error):
            playing.apply(bad)
        assert playing.controls == before


def test_undo_goes_back_gesture_by_gesture(bank: Bank) -> None:
    playing = session(bank)
    playing.apply({"rate": 0.5})
    playing.apply({"hue": 0.1})
    playing.apply({"hue": 0.2})  # the same movement of the same hand
    assert playing.undo() and playing.controls["hue"] == 0.0
    assert playing.undo() and playing.controls["rate"] == 1.0
    assert playing.undo() and playing.controls == defaults("vj")
    assert not playing.undo()


def test_undo_passes_over_a_model_that_was_dropped_in_and_had_to_go(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looked for a file of that name, and failed once for each of them."""
    monkeypatch.setattr(presets, "ONE_GESTURE_S", 0.0)
    playing = session(bank)
    for name in ("gone.pict", "two"):
        bank.add(Model(name, 2, bank.get("two").weights))
        playing.apply({"model_a": name})
    bank.remove("gone.pict")
    assert playing.undo() and playing.controls["model_a"] == "one"


def test_two_knobs_turned_at_once_are_two_gestures_however_many_messages_they_send(bank: Bank) -> None:
    playing = session(bank)
    playing.apply({"rate": 0.5})
    before = playing.controls
    for step in range(150):
        playing.apply({"shift_x": step / 3000})
        playing.apply({"shift_y": step / 3000})
        playing.apply({"shift_x": step / 4000, "shift_y": step / 4000})  # as a page does
    assert playing.undo() and playing.undo() and playing.controls == before


def test_a_preset_is_a_gesture_of_its_own_however_soon_it_follows(bank: Bank) -> None:
    playing = session(bank)
    seen = [playing.controls]
    for name, hue in (("first", 0.1), ("second", 0.2)):
        playing.play(Preset(name, name, SMALL | {"hue": hue}))
        seen.append(playing.controls)
        playing.apply({"hue": 0.4})
        seen.append(playing.controls)
    for before in reversed(seen[:-1]):
        assert playing.undo() and playing.controls == before


@pytest.mark.parametrize("beats", [0, 4])
def test_undo_of_a_preset_takes_what_sound_drove_along(bank: Bank, beats: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was plugged in by hand stays; what was unplugged by hand since stays away."""
    monkeypatch.setattr(presets, "ONE_GESTURE_S", 0.0)
    by_hand, first, second = (Modulator("level", name, 0.5) for name in ("zoom", "hue", "rate"))
    playing = session(bank)
    playing.modulators.rows = (by_hand,)
    playing.play(Preset("first", "First", SMALL | {"hue": 0.1}, (first,)))
    playing.play(Preset("second", "Second", SMALL | {"hue": 0.3}, (second,)), beats=beats)
    assert set(playing.modulators.rows) == {by_hand, second}
    assert playing.undo() and set(playing.modulators.rows) == {by_hand, first} and playing.controls["hue"] == 0.1
    playing.modulators.rows = (by_hand,)
    playing.apply({"hue": 0.4})
    assert playing.undo() and playing.modulators.rows == (by_hand,)


def test_a_morph_takes_its_beats_and_arrives_exactly(bank: Bank) -> None:
    playing = session(bank, rate=0.0)
    playing.tempo.set(120, 0.0)
    playing.play(Preset("far", "Far", SMALL | {"rate": 2.0, "fold": "quad", "segments": 8}), beats=2)
    rates = []
    for _ in range(10):  # two beats are one second
        playing.step(0.1)
        rates.append(playing.controls["rate"])
    np.testing.assert_allclose(np.array(rates, float), np.linspace(0.2, 2.0, 10), atol=1e-6)
    assert playing.controls == defaults("vj") | SMALL | {"rate": 2.0, "fold": "quad", "segments": 8}
    assert not playing.state().morphing


def test_a_hand_takes_its_own_control_out_of_a_morph_and_no_other(bank: Bank) -> None:
    """A fader of another program that sends without end, or a button let go, would leave the show half-way."""
    playing = session(bank, rate=0.0)
    playing.play(Preset("far", "Far", SMALL | {"rate": 2.0, "hue": 0.5, "fold": "quad"}), beats=2)
    for step in range(12):
        playing.apply({"hue": -0.01 * step, "freeze": False})
        playing.step(0.1)
    assert playing.controls == defaults("vj") | SMALL | {"rate": 2.0, "hue": -0.11, "fold": "quad"}
    assert not playing.state().morphing
    playing.play(Preset("far", "Far", SMALL), beats=2)
    playing.play(Preset("cut", "Cut", SMALL))
    assert not playing.state().morphing


def test_undo_of_a_touch_on_the_way_lets_the_way_go_on(bank: Bank) -> None:
    """The show stood still half-way between two presets."""
    playing = session(bank, rate=0.0)
    playing.play(Preset("far", "Far", SMALL | {"rate": 2.0, "hue": 0.4}), beats=2)
    for step in range(10):
        playing.step(0.1)
        if step == 4:
            half = playing.controls
            playing.apply({"hue": -0.3})
            assert playing.undo() and playing.controls == half and playing.state().morphing
    assert playing.controls == defaults("vj") | SMALL | {"rate": 2.0, "hue": 0.4}
    assert playing.undo() and playing.controls["rate"] == 0.0 and not playing.state().morphing


def test_a_model_that_is_dropped_in_on_the_way_finds_what_comes_made(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half-way the other slot's model changes over: a network of 64 filters was built then, in the show."""
    playing = session(bank, model_a="one", model_b="one", crossfade=0.5)
    playing.play(Preset("far", "Far", SMALL | {"model_b": "two", "crossfade": 0.5}), beats=2)
    playing.step(0.1)
    playing.apply({"model_a": "wide"})
    monkeypatch.setattr("stylizer.vj.dreamer.Unet256", None)
    monkeypatch.setattr("stylizer.vj.dreamer.widened", None)
    for step in range(10):
        playing.apply({"hue": 0.01 * step})
        assert playing.step(0.1).std() > 0
    assert playing.controls["model_a"] == "wide" and playing.controls["model_b"] == "two"


@pytest.mark.parametrize("blend", ["mix", "add", "screen", "multiply", "difference"])
@pytest.mark.parametrize("what", ["whole", "edges", "person"])
def test_the_camera_enters_the_loop(bank: Bank, rng: Rng, what: str, blend: str) -> None:
    camera = rng.pixels_u8(90, 160, 3)
    alone = session(bank)
    joined = session(bank, inject=what, inject_blend=blend, inject_gain=0.8)
    joined.offer(camera)
    for _ in range(2):
        a, b = alone.step(DT), joined.step(DT)
    assert not np.array_equal(a, b)


def test_sound_moves_a_control_within_its_range(bank: Bank) -> None:
    playing = session(bank, invert=0.0, strobe_guard=False)
    playing.modulators.rows = (Modulator("level", "invert", gain=5.0, attack_s=0, release_s=0, hi=0.6),)
    quiet = playing.step(DT)
    playing.modulators.features = {"level": 1.0}
    loud = playing.step(DT)
    assert np.abs(loud.astype(int) - quiet.astype(int)).mean() > 5
    assert playing.controls["invert"] == 0.0  # the hand's own value stays
    with pytest.raises(BadInput, match="fold"):
        Modulator("level", "fold")
    with pytest.raises(BadInput, match=r"^zooom: .* follow sound: crossfade, .*zoom") as refused:
        Modulator("level", "zooom")
    assert "style_strength" not in str(refused.value) and "fold" not in str(refused.value)


@pytest.mark.parametrize("size", ["256", "512", "1024"])
def test_output_has_the_size_asked_for(bank: Bank, size: str) -> None:
    assert show(bank, 1, output_size=size)[0].shape == (int(size), int(size), 3)


def test_a_model_that_turns_to_nan_does_not_end_the_show(bank: Bank) -> None:
    playing = session(bank)
    playing.step(DT)  # from here on one way plays
    playing.loop._playing.start(torch.full((1, 3, 256, 256), float("nan")))
    for _ in range(3):
        playing.step(DT)
    assert torch.isfinite(playing.picture).all()
    one_pixel = torch.full((1, 3, 256, 256), 0.5)
    one_pixel[0, 2, 255, 7] = float("inf")
    playing.guard.step(one_pixel, DT)
    assert playing.guard.lost


def test_a_resting_fader_runs_compiled_and_draws_the_same(bank: Bank) -> None:
    """Off-line the compiled network takes over at the ninth picture; a fader that moves all the time never rests."""
    resting, moving = (VjSession(bank, loop=open_loop(offline=True)) for _ in range(2))
    for each in (resting, moving):
        each.apply(
            SMALL | {"noise_2": 0.0, "noise_1": 0.4, "rate": 0.0, "strobe_guard": False, "collapse_guard": False}
        )
    for step in range(12):
        moving.apply({"crossfade": 1e-9 * step})
        a, b = resting.step(DT), moving.step(DT)
    assert np.abs(a.astype(int) - b.astype(int)).mean() < 2  # of 255: bf16 against bf16


def test_a_presets_sound_goes_with_it_and_a_hands_stays(bank: Bank) -> None:
    playing = session(bank)
    by_hand, of_preset = Modulator("high", "hue"), Modulator("low", "zoom", gain=0.02)
    playing.modulators.rows = (by_hand,)
    playing.play(Preset("a", "A", SMALL, (of_preset,)))
    assert list(playing.modulators.rows) == [by_hand, of_preset]
    playing.play(Preset("b", "B", SMALL), beats=4)
    assert list(playing.modulators.rows) == [by_hand]


class SlowDisk(Bank):
    """Reads `new.pict` only when it is told to."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.reading, self.go_on = threading.Event(), threading.Event()

    def _read(self, path: Path) -> Weights:
        self.reading.set()
        assert self.go_on.wait(20)
        return random_weights(2, 5)


def test_a_morph_goes_on_while_a_model_is_read(bank: Bank, tmp_path: Path) -> None:
    slow = SlowDisk(tmp_path)
    for name in bank.names:
        slow.add(bank.get(name))
    playing = session(slow)
    playing.play(Preset("far", "Far", SMALL | {"rate": 0.5}), beats=8)
    reader = threading.Thread(target=slow.get, args=("new.pict",))
    stepper = threading.Thread(target=playing.step, args=(DT,))
    reader.start()
    assert slow.reading.wait(20)
    stepper.start()
    stepper.join(20)
    waited = stepper.is_alive()
    slow.go_on.set()
    stepper.join()
    reader.join()
    assert not waited and playing.frames == 1


class Meeting(Bank):
    """Two hands ask for a model each, and neither has it before both have asked."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._met, self._late = threading.Barrier(2), {"two", "wide"}

    def get(self, name: str) -> Model:
        if name in self._late:
            self._late.remove(name)
            self._met.wait(20)
        return super().get(name)


def test_two_files_of_one_name_are_two_models(tmp_path: Path) -> None:
    """As `stylizer train` leaves them: trained/NAME/weights.pict."""
    bank = Bank(tmp_path)
    for seed, folder in enumerate(("first", "second")):
        (tmp_path / folder).mkdir()
        write_pict(tmp_path / folder / "weights.pict", random_weights(2, seed))
    names = [bank.load(tmp_path / folder / "weights.pict") for folder in ("first", "second")]
    first, second = (bank.get(name).weights for name in names)
    assert any(not np.array_equal(first[tensor], second[tensor]) for tensor in first)


def test_two_hands_that_choose_models_at_once_both_get_theirs(bank: Bank, tmp_path: Path) -> None:
    meeting = Meeting(tmp_path)
    for name in bank.names:
        meeting.add(bank.get(name))
    playing, plain = session(meeting, model_b="one", crossfade=0.5), session(bank, model_b="one", crossfade=0.5)
    changes: list[dict[str, object]] = [{"model_a": "two"}, {"model_b": "wide"}]
    hands = [threading.Thread(target=playing.apply, args=(change,)) for change in changes]
    for hand in hands:
        hand.start()
    for hand in hands:
        hand.join()
    plain.apply(changes[0] | changes[1])
    assert playing.controls == plain.controls
    assert np.array_equal(playing.step(DT), plain.step(DT))


def test_a_fader_between_two_widths_finds_everything_made(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network of 64 filters takes seconds to build: that happened when it was put into its slot."""
    playing = session(bank, model_a="one", model_b="wide")
    monkeypatch.setattr("stylizer.vj.dreamer.Unet256", None)
    monkeypatch.setattr("stylizer.vj.dreamer.widened", None)
    for share in (0.0, 0.5, 1.0, 0.0):
        playing.apply({"crossfade": share})
        assert playing.step(DT).std() > 0
