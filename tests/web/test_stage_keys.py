"""Keys of a control page: what is done at once, and what waits for the next picture."""

import threading
from pathlib import Path

import pytest

from stylizer.vj.bank import Bank, Model
from stylizer.vj.inputs.mapping import Mapper
from stylizer.vj.outputs.broadcast import Broadcast
from stylizer.vj.presets import Preset
from stylizer.vj.session import VjSession
from stylizer.vj.show import Show
from tests.vj.waiting import eventually
from tests.web.stages import small_bank, staged
from web.vj.stage import Stage


def test_a_tap_is_timed_when_it_comes_and_not_at_the_next_picture(tmp_path: Path) -> None:
    now = [5.0]
    session, broadcast = VjSession(small_bank(tmp_path)), Broadcast()
    show = Show(session, broadcast, [], Mapper(), clock=lambda: now[0])
    stage = Stage(show, broadcast, Mapper(), [])
    for _ in range(4):
        stage.press(" ")
        now[0] += 0.4
    assert session.tempo.bpm == pytest.approx(150)


def test_a_key_of_a_page_waits_for_no_picture_and_for_no_key_before_it(tmp_path: Path) -> None:
    """Of a held key thirty repeats may wait for a slow show: blackout came after all of them, seconds late."""
    session, broadcast = VjSession(small_bank(tmp_path)), Broadcast()
    stage = Stage(Show(session, broadcast, [], Mapper()), broadcast, Mapper(), [])
    for key in "6666b":
        stage.press(key)
    assert session.controls["noise_2"] == pytest.approx(0.25) and session.controls["blackout"]


class Slow(Bank):
    """Reads the model `new` until it is told to go on."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.reading, self.go_on = threading.Event(), threading.Event()

    def get(self, name: str) -> Model:
        if name == "new":
            self.reading.set()
            self.go_on.wait(20)
            name = "two"
        return super().get(name)


def test_the_show_does_not_wait_while_the_next_presets_model_is_read(tmp_path: Path) -> None:
    slow, broadcast = Slow(tmp_path), Broadcast()
    for name in ("one", "two", "spirals", "flames"):
        slow.add(small_bank(tmp_path).get(name))
    session = VjSession(slow)
    show = Show(session, broadcast, [Preset("next", "Next", {"model_a": "new", "model_b": "one"})], Mapper())
    stage = Stage(show, broadcast, Mapper(), [])
    playing, page = threading.Thread(target=show.run), threading.Thread(target=stage.press, args=("n",))
    playing.start()
    page.start()
    assert slow.reading.wait(20)
    before = session.frames
    went_on = eventually(lambda: session.frames > before + 2, 10)
    slow.go_on.set()
    page.join()
    show.gesture("quit")
    playing.join()
    assert went_on and session.state().morphing


def test_blackout_does_not_wait_for_a_model_that_its_page_has_chosen(tmp_path: Path) -> None:
    """Of 64 filters one takes seconds; what the page asked for meanwhile came after it. A preset still does."""
    with staged(tmp_path) as show, show.socket() as page:
        bank = show.session.bank
        read, dark = bank.get, threading.Event()

        def slow(name: str) -> Model:
            if name == "two":
                dark.wait(10)
            return read(name)

        page.send(type="set", changes={"model_a": "one", "model_b": "one"})
        page.until_controls(model_b="one")
        bank.get = slow  # type: ignore[method-assign]
        page.send(type="set", changes={"model_b": "two"})
        page.send(type="set", changes={"blackout": True})
        page.send(type="preset", name="wild")
        went_dark = eventually(lambda: show.session.controls["blackout"] is True, 5)
        before = show.session.controls
        dark.set()
        assert went_dark and before["model_b"] == "one" and before["noise_2"] != 0.8
        assert eventually(lambda: show.session.controls["noise_2"] == 0.8, 10)
        assert show.session.controls["model_b"] == "one", "the preset's, which came last"
