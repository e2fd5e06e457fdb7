"""Beats: told by hands, clocks and other programs, on the time of the music and not of the pictures."""

import math
import threading
from itertools import pairwise

import pytest

from stylizer.errors import BadInput
from stylizer.vj.bank import Bank
from stylizer.vj.inputs.clock import CLOCKS_PER_BEAT, Tempo
from stylizer.vj.inputs.mapping import Binding, Mapper
from stylizer.vj.session import VjSession
from stylizer.vj.show import Show
from tests.vj.conftest import SMALL
from tests.vj.test_show import Hand, Stage


def test_beats_are_counted_on_whoever_tells_the_tempo() -> None:
    """A page lights one lamp of four with each beat."""
    period_s, beats = 0.5, range(1, 9)
    clock, taps, link, heard = Tempo(100), Tempo(100), Tempo(100), Tempo(100)
    seen: dict[str, list[float]] = {"clock": [], "taps": [], "link": [], "heard": []}
    for tick in range(CLOCKS_PER_BEAT * 10):
        now = 50 + tick * period_s / CLOCKS_PER_BEAT
        beat, rest = divmod(tick, CLOCKS_PER_BEAT)
        clock.midi_clock(now)
        link.link(120, 17 + tick / CLOCKS_PER_BEAT, now)
        if rest == 0:
            taps.tap(now)
            heard.heard(period_s, now, now)
        if rest == CLOCKS_PER_BEAT // 2 and beat in beats:
            for name, tempo in (("clock", clock), ("taps", taps), ("link", link), ("heard", heard)):
                seen[name].append(math.floor(tempo.beat(now)))
    for name, counted in seen.items():
        assert all(after == before + 1 for before, after in pairwise(counted[1:])), (name, counted)
    assert seen["link"] == [17 + beat for beat in beats]  # the bars of all who take part


def test_a_midi_clock_that_starts_begins_a_bar_with_its_first_tick() -> None:
    tempo = Tempo(120)
    for tick in range(37):
        tempo.midi_clock(10 + tick * 0.5 / CLOCKS_PER_BEAT)
    tempo.midi_start()
    for tick in range(60):
        tempo.midi_clock(14.2 + tick * 0.5 / CLOCKS_PER_BEAT)
        assert tempo.beat(14.2 + tick * 0.5 / CLOCKS_PER_BEAT) == pytest.approx(tick / CLOCKS_PER_BEAT)


@pytest.mark.parametrize("stops", [False, True])
def test_after_a_gap_a_midi_clock_is_where_its_music_is(stops: bool) -> None:
    """A cable that is pulled and put back: the music went on. One that stops goes on where it was."""
    tempo, tick_s, lost = Tempo(100), 0.5 / CLOCKS_PER_BEAT, 80
    for tick in range(96):
        tempo.midi_clock(10 + tick * tick_s)
    if stops:
        tempo.midi_stop()
    for tick in range(96 + lost, 200 + lost):
        tempo.midi_clock(10 + tick * tick_s)
    now = tick - lost if stops else tick
    assert tempo.bpm == pytest.approx(120)
    assert tempo.beat(10 + tick * tick_s) == pytest.approx(now / CLOCKS_PER_BEAT)


def test_a_clock_is_timed_when_it_ticks_while_a_model_is_read(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that chooses a model, and the clock, come by one cable: its ticks waited for the disk."""
    ticked, waited = threading.Event(), list[bool]()
    monkeypatch.setattr(VjSession, "apply", lambda *_: waited.append(ticked.wait(5)))
    show = Show(VjSession(bank), Stage([]), [], Mapper([Binding("note:0:41", "model_a", value="two")]))
    show.turned("note:0:41", 1.0)
    show.midi_clock("clock")
    ticked.set()
    show._slow.shutdown()
    assert waited == [True]


def played(bank: Bank, hand: Hand, pictures: int) -> tuple[Show, Stage]:
    """A show of 25 pictures a second in whose every picture `hand` does something."""
    stage = Stage([hand] * pictures + ["q"])
    session = VjSession(bank)
    session.apply(SMALL)
    return Show(session, stage, [], Mapper(), clock=lambda: stage.now, sleep=lambda s: None), stage


def test_a_clock_is_timed_when_it_ticks_and_not_when_a_picture_is_drawn(bank: Bank) -> None:
    ticks = iter([k * 60 / 127 / CLOCKS_PER_BEAT for k in range(1000)])
    ahead: list[float] = [next(ticks)]
    bpms: list[float] = []

    def hand() -> None:
        now = stage.now
        while ahead[0] <= now:
            stage.now = ahead[0]
            show.midi_clock("clock")
            ahead[0] = next(ticks)
        stage.now = now
        if now > 2:
            bpms.append(show.session.state().bpm)

    show, stage = played(bank, hand, 100)
    show.run()
    assert min(bpms) == pytest.approx(127) == pytest.approx(max(bpms))


def test_the_beat_is_not_lost_while_the_show_stands_still(bank: Bank) -> None:
    """The picture goes on where it was; the music went on."""

    def hand() -> None:
        if stage.shown == 2:
            show.link(120, 8.0)
        if stage.shown == 5:
            stage.now += 3.1  # a stall

    show, stage = played(bank, hand, 10)
    show.run()
    drawn_s = stage.now - 0.04  # the last picture's time
    assert show.session.state().beat == pytest.approx(8 + (drawn_s - 0.08) * 2)
    assert show.session.time_s < 1


def test_taps_and_midi_clock_set_the_tempo() -> None:
    tempo = Tempo()
    for k in range(4):
        tempo.tap(10 + 0.4 * k)
    assert tempo.bpm == pytest.approx(150)
    assert tempo.phase(11.2) == pytest.approx(0, abs=1e-9) or tempo.phase(11.2) == pytest.approx(1)
    tempo.tap(20.0)  # after a pause a new beginning
    assert tempo.bpm == pytest.approx(150)
    tempo.midi_start()
    for tick in range(100):
        tempo.midi_clock(30 + tick * 60 / 100 / 24)
    assert tempo.bpm == pytest.approx(100)
    assert tempo.beat(30 + 96 * 60 / 100 / 24) == pytest.approx(4, abs=1e-6)


def test_a_clock_whose_ticks_come_at_once_tells_no_tempo() -> None:
    tempo = Tempo()
    for _ in range(60):
        tempo.midi_clock(0.0)
    assert tempo.bpm == 120
    for tick in range(100):
        tempo.midi_clock(tick * 60 / 100 / 24)
    assert tempo.bpm == pytest.approx(100)


def test_a_new_tempo_does_not_move_the_beat() -> None:
    tempo = Tempo(120)
    before = tempo.beat(3.3)
    tempo.set(90, 3.3)
    assert tempo.beat(3.3) == pytest.approx(before)
    with pytest.raises(BadInput, match="bpm: got 10"):
        tempo.set(10, 0)
