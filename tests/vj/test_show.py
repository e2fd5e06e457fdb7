"""A show from the first key to the last, and the film that is rendered off-line."""

import json
import signal
import sys
import threading
import wave
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from stylizer.cli import main
from stylizer.errors import BadInput, ModelRejected
from stylizer.frame import PixelsU8
from stylizer.media import Reader
from stylizer.vj.bank import Bank
from stylizer.vj.inputs.audio import Heard
from stylizer.vj.inputs.keyboard import GESTURES, TOGGLES, TURNS
from stylizer.vj.inputs.mapping import Binding, Mapper, read_map
from stylizer.vj.inputs.modulation import Modulator
from stylizer.vj.loop import open_loop
from stylizer.vj.presets import Preset
from stylizer.vj.render import RenderReport, render
from stylizer.vj.session import VjSession
from stylizer.vj.show import Show
from tests.vj.conftest import SMALL

Hand = Callable[[], None]  # something that happens between two pictures


class Stage:
    """A screen whose keys and hands are scripted, with a clock that only its own frames move."""

    def __init__(self, keys: Sequence[str | Hand]) -> None:
        self.keys, self.shown, self.closed, self.now = list(keys), 0, False, 0.0
        self.brightness: list[float] = []

    def show(self, pixels: PixelsU8) -> str:
        self.shown += 1
        self.now += 0.04
        self.brightness.append(float(pixels.mean()))
        key = self.keys.pop(0)
        if isinstance(key, str):
            return key
        key()
        return ""

    def close(self) -> None:
        self.closed = True


def test_a_show_is_played_by_keys_and_recorded(bank: Bank, tmp_path: Path) -> None:
    stage = Stage(["r", "2", "f", "f", " ", "n", "u", "z", "", "q"])
    session = VjSession(bank)
    session.apply(SMALL)
    show = Show(
        session,
        stage,
        [Preset("a", "A", SMALL), Preset("b", "B", SMALL | {"rate": 0.5})],
        Mapper([Binding("cc:0:1", "invert"), Binding("note:0:1", "model_a", value="nobody")], soft=False),
        recordings=tmp_path,
        clock=lambda: stage.now,
        sleep=lambda s: None,
    )
    show.turned("cc:0:1", 1.0)
    show.turned("note:0:1", 1.0)  # a model that is gone does not end the show
    show.run()
    assert stage.shown == 10 and stage.closed
    assert session.controls["crossfade"] == 0.05 and session.controls["invert"] == 1.0
    (film,) = tmp_path.glob("show-*.mp4")
    with Reader(film) as reader:
        assert 5 <= sum(1 for _ in reader) <= 9


def played(
    bank: Bank, keys: Sequence[str | Hand], mapper: Mapper | None = None, presets: Sequence[Preset] = (), **options: Any
) -> tuple[Show, Stage]:
    """A show and its screen, not yet run; the screen's clock is the show's. Between two pictures there is time for
    what a key set going beside the show."""
    stage, session = Stage(keys), VjSession(bank, loop=open_loop(compiles=False))
    session.apply(SMALL | {"noise_2": 0.2, "strobe_guard": False})

    def sleep(_: float) -> None:
        show._slow.submit(int).result()

    clock: dict[str, Any] = {"clock": lambda: stage.now, "sleep": sleep}
    show = Show(session, stage, list(presets), mapper or Mapper(soft=False), **clock | options)
    return show, stage


def test_caps_lock_does_not_take_the_keys_away(bank: Bank) -> None:
    show, _ = played(bank, ["F", "", "Q"])
    show.run()
    assert show.session.controls["freeze"]


def test_next_is_the_preset_after_the_one_that_plays(bank: Bank) -> None:
    """Whoever began with the second one met it again."""
    first, second, third = (Preset(name, name, SMALL | {"segments": n}) for n, name in enumerate("abc", 3))
    went: list[object] = []

    def note() -> None:
        while show.session.state().morphing:
            show.session.step(0.1)
        went.append(show.session.controls["segments"])

    def choose() -> None:
        show.session.play(first)

    show, _ = played(
        bank, ["n", note, "u", "n", note, "n", note, choose, "n", note, "q"], presets=[first, second, third]
    )
    show.session.play(second)
    show.run()
    assert went == [5, 5, 3, 4]


def test_a_knob_is_learned_and_saved_by_keys_alone(bank: Bank, tmp_path: Path) -> None:
    told: list[str] = []

    def knob() -> None:
        show.turned("cc:3:9", 0.5)

    keys: list[str | Hand] = ["l", "6", "l", knob, "m", "q"]  # the first `l` has nothing to learn yet
    show, _ = played(bank, keys, map_path=tmp_path / "mine.toml", tell=told.append)
    show.run()
    assert read_map(tmp_path / "mine.toml") == (Binding("cc:3:9", "noise_2"),)
    assert show.session.controls["noise_2"] == 0.5
    assert "touch the knob for noise_2" in told and any("mine.toml" in line for line in told)
    again, _ = played(bank, ["q"], Mapper(read_map(tmp_path / "mine.toml"), soft=False))
    again.turned("cc:3:9", 1.0)
    assert again.session.controls["noise_2"] == 1.0


def test_a_knob_is_seen_two_pictures_later_at_most(bank: Bank) -> None:
    def knob() -> None:
        show.turned("cc:0:1", 1.0)

    show, stage = played(bank, ["", "", knob, "", "q"], Mapper([Binding("cc:0:1", "blackout")], soft=False))
    show.run()
    assert min(stage.brightness[:3]) > 0
    assert stage.brightness[3:] == [0.0, 0.0]  # the knob was turned after the third: the fourth is black


def test_sound_is_timed_from_the_air_to_the_screen_and_ends_with_its_device(bank: Bank) -> None:
    loud = Heard(0.0, level=0.9, low=0.9, mid=0.9, high=0.9, flux=0.9, onset=True)

    def sound() -> None:
        show.heard(loud, stage.now - 0.03)

    def quiet() -> None:
        assert show.session.modulators.features == {}, "a device that is gone is no loud tone for ever"

    keys: list[str | Hand] = ["", sound, sound, *[""] * 14, quiet, "q"]
    show, stage = played(bank, keys)
    show.run()
    assert show.sound_to_picture_ms == pytest.approx(70)  # 30 in the device, 40 until the screen had the picture
    assert "sound to picture 70 ms" in show.status()


def test_a_beat_is_where_it_was_in_the_air_not_where_the_device_gave_it(bank: Bank) -> None:
    show, stage = played(bank, [])
    stage.now = 10.0
    show.heard(Heard(2.0, 1, 1, 1, 1, 1, onset=True, tempo=(0.5, 1.9)), 9.85)  # 150 ms in the device
    assert show.session.tempo.bpm == pytest.approx(120)
    assert show.session.tempo.beat(9.75) == pytest.approx(round(show.session.tempo.beat(9.75)))


def test_an_onset_between_two_pictures_is_seen_once(bank: Bank) -> None:
    click, silence = (Heard(0.0, 0, 0, 0, 0, 0, onset=onset) for onset in (True, False))

    def hops() -> None:
        for hop in (silence, click, silence, silence):  # 5 ms each: all between two pictures
            show.heard(hop)

    def quiet_hops() -> None:
        show.heard(silence)
        show.heard(silence)

    show, stage = played(bank, [hops, quiet_hops, quiet_hops, "q"])
    show.session.modulators.always = (Modulator("onset", "invert", gain=1.0, attack_s=0, release_s=0),)
    show.run()
    unmoved, straight = played(bank, ["", "", "", "q"])
    unmoved.run()
    moved = [abs(a - b) for a, b in zip(stage.brightness, straight.brightness, strict=True)]
    assert moved[1] > 5 and moved[0] == moved[2] == moved[3] == 0


def test_no_key_means_two_things() -> None:
    keys = [*TOGGLES, *TURNS, *GESTURES, "i"]
    assert len(set(keys)) == len(keys)


def test_a_rendered_show_is_the_same_for_the_same_seed(bank: Bank, tmp_path: Path) -> None:
    preset = Preset("mine", "Mine", SMALL | {"noise_2": 0.2})
    reports = [render(bank, preset, tmp_path / f"{i}.mp4", seconds=0.3, seed=seed) for i, seed in enumerate((7, 7, 8))]
    films = [(tmp_path / f"{i}.mp4").read_bytes() for i in range(3)]
    assert films[0] == films[1] != films[2]
    report = reports[0]
    assert report.frames == 9 and report.step_ms["p50"] <= report.step_ms["p99"]
    assert report.fps > 0 and report.alive["variance"] > 0
    with pytest.raises(BadInput, match="not one frame"):
        render(bank, preset, tmp_path / "none.mp4", seconds=0.001)
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(BadInput, match=r"folder\.mp4: is a folder"):
        render(bank, preset, tmp_path / "folder.mp4", seconds=0.1)


def test_a_rendered_show_never_takes_the_place_of_its_sound(bank: Bank, tmp_path: Path) -> None:
    song = tmp_path / "song.mp4"
    with wave.open(str(song), "wb") as file:  # a sound by any name
        file.setparams((1, 2, 48_000, 0, "NONE", ""))
        file.writeframes(bytes(96_000))
    before = song.read_bytes()
    with pytest.raises(BadInput, match=r"song\.mp4: is the sound"):
        render(bank, Preset("mine", "Mine", SMALL), song, seconds=0.1, sound=song)
    assert song.read_bytes() == before


def test_a_rendered_show_takes_its_name_when_it_is_whole(bank: Bank, tmp_path: Path) -> None:
    target, preset = tmp_path / "a.mp4", Preset("small", "Small", SMALL)
    target.write_bytes(b"before")
    found: list[bytes] = []
    render(bank, preset, target, seconds=0.3, tell=lambda done, total: found.append(target.read_bytes()))
    assert set(found) == {b"before"}
    with Reader(target) as reader:
        assert sum(1 for _ in reader) == 9
    assert [each.name for each in tmp_path.iterdir()] == ["a.mp4"]


def test_a_rendered_show_that_is_stopped_is_playable_and_says_so(
    bank: Bank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second of it had taken the place of a film without a word; SIGTERM left none at all."""
    target, preset = tmp_path / "a.mp4", Preset("small", "Small", SMALL)

    def small(*_: object, stop: threading.Event | None = None, **__: object) -> RenderReport:
        def tell(done: int, _total: int) -> None:
            if done == 5:
                signal.raise_signal(signal.SIGINT)

        return render(bank, preset, target, seconds=1, stop=stop, tell=tell)

    monkeypatch.setattr("stylizer.vj.render.render", small)
    monkeypatch.setattr(sys, "argv", ["stylizer", "vj", "render", str(target), "--json", str(tmp_path / "a.json")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130 and "5 frames" in (told := capsys.readouterr().out) and "(stopped early)" in told
    assert json.loads((tmp_path / "a.json").read_text())["interrupted"] is True
    with Reader(target) as reader:
        assert sum(1 for _ in reader) == 5


@pytest.mark.parametrize(
    "key, waits",
    [("n", "session.VjSession.play"), ("u", "session.VjSession.undo"), ("r", "show._made"), ("m", "show.save_map")],
)
def test_the_show_does_not_wait_for_what_a_key_reads_or_writes(
    bank: Bank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, waits: str
) -> None:
    """`n` with a model of 64 filters held the picture for two seconds."""
    shown, waited = threading.Event(), list[bool]()

    def slow(*_: object, **__: object) -> bool:
        waited.append(shown.wait(5))
        return True

    monkeypatch.setattr(f"stylizer.vj.{waits}", slow)
    options: dict[str, Any] = {"recordings": tmp_path, "map_path": tmp_path / "knobs.toml", "sleep": lambda s: None}
    show, _ = played(bank, [key, "", shown.set, "q"], presets=[Preset("a", "A", SMALL)], **options)
    show.run()
    assert waited == [True], "pictures came meanwhile"


def test_what_nobody_foresaw_in_a_gesture_is_told_and_the_show_goes_on(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(VjSession, "undo", fails)
    show, stage = played(bank, ["u", "", "q"])
    show.run()
    assert not stage.keys and show.trouble is not None and "out of memory" in show.trouble.text


def test_a_gesture_that_fails_is_told_and_the_show_goes_on(
    bank: Bank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def torn() -> bool:
        raise ModelRejected("wide.pict: is torn")

    monkeypatch.setattr(VjSession, "undo", lambda session: torn())
    nowhere = tmp_path / "unplugged"
    keys: list[str | Hand] = ["r", "m", "u", "", "q"]
    show, stage = played(bank, keys, recordings=nowhere, map_path=nowhere / "mine.toml", tell=told.append)
    show.run()
    assert not stage.keys
    refused = [line for line in told if line.startswith(("record:", "save map:", "undo:"))]
    assert len(refused) == 3 and not show.recording
