"""What is plugged in and out: gamepad, guests, Link, outlets, each from a small real stand-in of its device."""

import os
import sys
import threading
import time
import wave
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from stylizer.errors import BadInput, Unavailable, Unreadable
from stylizer.frame import PixelsU8
from stylizer.machine import DISPLAYS
from stylizer.picture import encode_picture
from stylizer.vj.bank import Bank
from stylizer.vj.inputs.clock import TOLD_RULES_S, Tempo
from stylizer.vj.inputs.gamepad import EVENT, Gamepad, address_of
from stylizer.vj.inputs.guests import GuestFeed, film_frames
from stylizer.vj.inputs.link import AbletonLink
from stylizer.vj.inputs.mapping import Mapper
from stylizer.vj.inputs.sound_file import RATE, read_sound
from stylizer.vj.loop import open_loop
from stylizer.vj.outputs.broadcast import Broadcast
from stylizer.vj.outputs.outlet import Outlet
from stylizer.vj.outputs.recorder import FilmFile
from stylizer.vj.outputs.window import Window
from stylizer.vj.rig import Plugs, open_inputs, open_outlets
from stylizer.vj.session import VjSession
from stylizer.vj.show import Show
from tests.vj.waiting import eventually


@pytest.mark.parametrize(
    "value, kind, number, expected",
    [
        (1, 1, 3, ("button:3", 1.0)),
        (0, 2, 0, ("axis:0", 0.5)),
        (32767, 2, 1, ("axis:1", 1.0)),
        (-32767, 2, 1, ("axis:1", 0.0)),
        (3000, 2, 0, ("axis:0", 0.5)),  # a worn stick at rest
        (-3000, 2, 0, ("axis:0", 0.5)),
        (0, 0x82, 0, None),  # where a stick stands when it is plugged in
    ],
)
def test_joystick_events_become_addresses(value: int, kind: int, number: int, expected: object) -> None:
    assert address_of(EVENT.pack(12345, value, kind, number)) == expected


def test_a_gamepad_may_come_late(tmp_path: Path) -> None:
    turned: list[tuple[str, float]] = []
    device = tmp_path / "js0"
    pad = Gamepad(lambda a, p: turned.append((a, p)), device)
    os.mkfifo(device)
    descriptor = os.open(device, os.O_RDWR)
    event, other = EVENT.pack(0, 1, 1, 0), EVENT.pack(0, 0, 1, 0)
    os.write(descriptor, event + other[:3])
    assert eventually(lambda: turned == [("button:0", 1.0)])
    os.write(descriptor, other[3:])
    assert eventually(lambda: len(turned) == 2)
    pad.close()
    os.close(descriptor)


def test_a_gamepad_may_be_unplugged_and_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stylizer.vj.inputs.gamepad.LOOK_EVERY_S", 0.01)
    turned: list[tuple[str, float]] = []
    device = tmp_path / "js0"
    pad = Gamepad(lambda a, p: turned.append((a, p)), device)
    for button in (1, 2):
        os.mkfifo(device)
        descriptor = os.open(device, os.O_RDWR)
        os.write(descriptor, EVENT.pack(0, 1, 1, button))
        assert eventually(lambda button=button: (f"button:{button}", 1.0) in turned)  # type: ignore[misc]
        device.unlink()
        os.close(descriptor)
    pad.close()


def test_a_stick_that_trembles_at_rest_turns_nothing(tmp_path: Path) -> None:
    """It took its controls out of every morph, and filled the way back with nothing."""
    turned: list[tuple[str, float]] = []
    device = tmp_path / "js0"
    os.mkfifo(device)
    pad = Gamepad(lambda a, p: turned.append((a, p)), device)
    descriptor = os.open(device, os.O_RDWR)
    for value in (900, -700, 1100, 32767, 800, 300):
        os.write(descriptor, EVENT.pack(0, value, 2, 0))
    os.write(descriptor, EVENT.pack(0, 1, 1, 0))
    assert eventually(lambda: ("button:0", 1.0) in turned)
    os.close(descriptor)
    pad.close()
    assert turned[:3] == [("axis:0", 1.0), ("axis:0", 0.5), ("button:0", 1.0)]


def test_what_a_gamepad_holds_is_let_go_when_it_is_unplugged(tmp_path: Path) -> None:
    """Blackout, say: the button that would end it is gone. Sticks spring back, triggers to their end."""
    turned: list[tuple[str, float]] = []
    device = tmp_path / "js0"
    os.mkfifo(device)
    pad = Gamepad(lambda a, p: turned.append((a, p)), device)
    descriptor = os.open(device, os.O_RDWR)
    os.write(descriptor, EVENT.pack(0, 0, 0x82, 0) + EVENT.pack(0, -32767, 0x82, 2))
    for number, pressed in ((0, 1), (0, 0), (1, 1)):
        os.write(descriptor, EVENT.pack(0, pressed, 1, number))
    for number, value in ((0, 9000), (1, 9000), (1, 0), (2, 32767)):
        os.write(descriptor, EVENT.pack(0, value, 2, number))
    assert eventually(lambda: len(turned) == 7)
    device.unlink()
    os.close(descriptor)
    assert eventually(lambda: len(turned) == 10)
    pad.close()
    assert turned[7:] == [("axis:0", 0.5), ("axis:2", 0.0), ("button:1", 0.0)]


def test_a_gamepad_needs_its_interface(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="nowhere"):
        Gamepad(lambda a, p: None, tmp_path / "nowhere" / "js0")


def test_a_camera_may_be_unplugged_and_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stylizer.vj.inputs.guests.RETRY_S", 0.01)
    runs = iter([1, 0, 2])
    offered: list[int | None] = []

    def frames() -> Iterator[PixelsU8]:
        for _ in range(next(runs, 0)):
            yield np.full((4, 4, 3), 7, np.uint8)

    feed = GuestFeed("camera", lambda p: offered.append(None if p is None else int(p[0, 0, 0])), frames)
    assert eventually(lambda: offered.count(None) >= 2)
    feed.close()
    assert offered == [7, None, 7, 7, None]  # gone is told once


def test_a_picture_is_a_guest_and_a_wrong_source_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encode_picture(np.full((8, 8, 3), 9, np.uint8)))
    offered: list[PixelsU8 | None] = []
    feed = GuestFeed(str(tmp_path / "a.png"), offered.append)
    assert eventually(lambda: bool(offered))
    feed.close()
    assert offered[0] is not None and offered[0].shape == (8, 8, 3)
    with pytest.raises(BadInput, match="camera:x"):
        GuestFeed("camera:x", offered.append)
    with pytest.raises(Unreadable, match="none.mp4"):
        GuestFeed(str(tmp_path / "none.mp4"), offered.append)


def test_a_picture_is_read_once_and_again_when_it_is_another(tmp_path: Path) -> None:
    """A photograph of 24 million points was read and shrunk each second of the night."""
    path = tmp_path / "a.png"
    path.write_bytes(encode_picture(np.full((8, 8, 3), 9, np.uint8)))
    offered: list[int | None] = []
    feed = GuestFeed(str(path), lambda p: offered.append(None if p is None else int(p[0, 0, 0])))
    time.sleep(2.5)
    assert offered == [9]
    path.write_bytes(encode_picture(np.full((8, 8, 3), 200, np.uint8)))
    assert eventually(lambda: offered[1:] == [200])
    path.unlink()
    assert eventually(lambda: offered[2:] == [None])
    feed.close()


def test_a_film_is_a_guest_that_begins_again_at_its_end(tmp_path: Path) -> None:
    with FilmFile(tmp_path / "a.mp4", Fraction(30)) as film:
        for level in (40, 120, 200):
            film.write(np.full((16, 16, 3), level, np.uint8))
    offered: list[int] = []
    feed = GuestFeed(str(tmp_path / "a.mp4"), lambda p: offered.append(-1 if p is None else int(p.mean())))
    assert eventually(lambda: len(offered) >= 7)
    feed.close()
    assert offered[:7] == pytest.approx([40, 120, 200, 40, 120, 200, 40], abs=3)


def test_a_film_keeps_its_pace_when_its_pictures_take_time(tmp_path: Path) -> None:
    with FilmFile(tmp_path / "a.mp4", Fraction(10)) as film:
        for _ in range(8):
            film.write(np.zeros((32, 32, 3), np.uint8))
    begin = time.monotonic()
    for _ in film_frames(tmp_path / "a.mp4", threading.Event()):
        time.sleep(0.08)
    assert 0.75 < time.monotonic() - begin < 1.2


def test_a_film_that_is_taken_away_may_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stylizer.vj.inputs.guests.RETRY_S", 0.01)
    with FilmFile(tmp_path / "a.mp4", Fraction(100)) as film:
        film.write(np.full((16, 16, 3), 40, np.uint8))
    offered: list[bool] = []
    feed = GuestFeed(str(tmp_path / "a.mp4"), lambda p: offered.append(p is not None))
    assert eventually(lambda: True in offered)
    (tmp_path / "a.mp4").rename(tmp_path / "b.mp4")
    assert eventually(lambda: offered[-1:] == [False])
    (tmp_path / "b.mp4").rename(tmp_path / "a.mp4")
    assert eventually(lambda: offered[-1:] == [True])
    feed.close()
    assert offered.count(False) == 1  # told once


def test_files_may_have_any_name_and_say_their_colours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with FilmFile(Path("12:30.mp4"), Fraction(30)) as film:
        film.write(np.full((16, 16, 3), (180, 20, 60), np.uint8))
    with av.open(str(tmp_path / "12:30.mp4")) as made:
        assert made.streams.video[0].codec_context.colorspace == 1  # H.273: BT.709
        assert next(made.decode(video=0)).to_ndarray(format="rgb24")[8, 8] == pytest.approx([180, 20, 60], abs=4)
    with wave.open("12:31.wav", "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(bytes(2 * RATE))
    assert sum(map(len, read_sound(Path("12:31.wav")))) == RATE
    begun = "1a45dfa3a34286810142f7810142f2810442f381084282886d6174726f736b614287810442858102185380670100000000"
    Path("begun.mkv").write_bytes(bytes.fromhex(begun))  # FFmpeg's "end of file" is an error of a kind of its own
    with pytest.raises(Unreadable, match="begun.mkv"):
        read_sound(Path("begun.mkv"))


class Session:
    """aalink and its Link in one: who else plays comes and goes."""

    num_peers, tempo, beat, enabled = 0, 90.0, 1.25, False

    def Link(self, bpm: float) -> "Session":  # noqa: N802
        return self


def test_link_is_followed_while_somebody_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stylizer.vj.inputs.link.ASK_EVERY_S", 0.005)
    told: list[tuple[float, float]] = []
    session = Session()
    link = AbletonLink(lambda bpm, beat: told.append((bpm, beat)), library=session)
    try:
        assert not told
        session.num_peers = 2
        assert eventually(lambda: told[:1] == [(90.0, 1.25)])
        session.num_peers = 0
        assert eventually(lambda: link.peers == 0)
        count = len(told)
        session.num_peers = 1
        assert eventually(lambda: len(told) > count), "and again when they are back"
    finally:
        link.close()


def test_a_told_tempo_rules_over_a_heard_one_for_a_while() -> None:
    tempo = Tempo()
    tempo.heard(0.4, 1.0, 1.0)
    assert tempo.bpm == pytest.approx(150)
    tempo.link(100.0, 7.25, 2.0)
    assert tempo.bpm == pytest.approx(100) and tempo.phase(2.0) == pytest.approx(0.25)
    tempo.heard(0.4, 3.0, 3.0)
    assert tempo.bpm == pytest.approx(100)
    tempo.heard(0.4, 3.0, 2.0 + TOLD_RULES_S)
    assert tempo.bpm == pytest.approx(150)


def test_what_is_not_there_is_said_and_the_rest_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without the packages of a venue: each absence is one line with what would help."""
    for library in ("pyvirtualcam", "cyndilib", "cyndilib.sender", "aalink", "sounddevice"):
        monkeypatch.setitem(sys.modules, library, None)
    told: list[str] = []
    outlets = open_outlets(256, virtual_camera=True, ndi=True, missing=lambda error: told.append(str(error)))
    show = Show(VjSession(Bank(), loop=open_loop(compiles=False)), Broadcast(), [], Mapper())
    opened = open_inputs(show, Plugs(osc_port=0, link=True), lambda error: told.append(str(error)))
    for each in opened:
        each.close()
    assert outlets == []
    for words in ("needs pyvirtualcam", "needs cyndilib", "needs aalink", "needs sounddevice"):
        assert sum(words in line for line in told) == 1, (words, told)


@pytest.mark.parametrize(
    "code, key", [(-1, ""), (0x71, "q"), (0x100071, "q"), (0x1B, "\x1b"), (0xFF51, ""), (0x10FF52, ""), (0xFF67, "")]
)
def test_arrows_are_no_letters(code: int, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The left arrow ended the show, the one upwards began a recording: their lower bytes are Q and R."""
    monkeypatch.setattr("stylizer.vj.outputs.window.has_screen", lambda: True)
    for name in ("namedWindow", "imshow", "destroyWindow"):
        monkeypatch.setattr(cv2, name, lambda *_: None)
    monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: 1.0)
    monkeypatch.setattr(cv2, "waitKeyEx", lambda delay: code)
    monkeypatch.setattr(cv2, "waitKey", lambda delay: code if code < 0 else code & 0xFF)  # as OpenCV has it
    assert Window().show(np.zeros((4, 4, 3), np.uint8)) == key


def test_without_a_display_the_browser_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    for name in DISPLAYS:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(Unavailable, match="DISPLAY, WAYLAND_DISPLAY is set; --web plays"):
        Window()


def test_an_outlet_sends_the_newest_and_its_fault_is_its_own() -> None:
    sent: list[int] = []
    closed: list[bool] = []

    def write(pixels: PixelsU8) -> None:
        if pixels[0, 0, 0] == 9:
            raise RuntimeError("driver gone")
        sent.append(int(pixels[0, 0, 0]))

    outlet = Outlet("camera", 2, write, lambda: closed.append(True))
    outlet.offer(np.full((2, 2, 3), 1, np.uint8))
    assert eventually(lambda: sent == [1])
    outlet.offer(np.full((2, 2, 3), 9, np.uint8))
    assert eventually(lambda: outlet.fault == "driver gone")
    outlet.offer(np.full((2, 2, 3), 2, np.uint8))  # nobody listens any more, nobody waits
    outlet.close()
    assert closed == [True] and sent == [1]


def test_a_device_gets_one_size_whatever_the_shows_is() -> None:
    """A preset may change `output_size`; a virtual camera or an NDI source refuses another one, for the night."""
    sent: list[tuple[int, ...]] = []
    outlet = Outlet("camera", 4, lambda pixels: sent.append(pixels.shape), lambda: None)
    for side in (4, 8, 2):
        sent.clear()
        outlet.offer(np.zeros((side, side, 3), np.uint8))
        assert eventually(lambda: sent == [(4, 4, 3)])
    outlet.close()
    assert outlet.fault == ""


def test_pages_that_come_and_go_at_once_take_no_picture_from_those_who_stay() -> None:
    """All pages come back together when a show is started again: one of them stayed without pictures."""
    broadcast, seen = Broadcast(), list[int]()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:

        def page(number: int) -> None:
            for _ in range(1000):
                broadcast.listen(lambda pixels, at_s: seen.append(-1))()
            broadcast.listen(lambda pixels, at_s: seen.append(number))

        pages = [threading.Thread(target=page, args=(number,)) for number in range(16)]
        for each in pages:
            each.start()
        for each in pages:
            each.join()
    finally:
        sys.setswitchinterval(interval)
    broadcast.show(np.zeros((2, 2, 3), np.uint8))
    assert sorted(seen) == list(range(16))
