"""A live show: the session's steps in time, with hands and ears attached and the pictures handed out."""

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from pathlib import Path
from statistics import median
from typing import Protocol

from stylizer.errors import StylizerError
from stylizer.frame import PixelsU8
from stylizer.logs import log
from stylizer.vj.bank import SLOTS
from stylizer.vj.inputs.audio import Heard
from stylizer.vj.inputs.keyboard import GESTURES, SLOW, key_change
from stylizer.vj.inputs.mapping import Mapper, save_map
from stylizer.vj.outputs.outlet import Outlet
from stylizer.vj.outputs.recorder import Recorder
from stylizer.vj.presets import Preset
from stylizer.vj.session import VjSession

LONGEST_STEP_S = 0.1  # after a stall the show goes on where it was, it does not leap
MORPH_BEATS = 4.0
TELL_EVERY_S = 1.0
SILENT_AFTER_S = 0.5  # without a word from the ear, which speaks 190 times a second
LATENCIES = 200  # whose median is told


@dataclass(frozen=True, slots=True)
class Touch:
    """The newest message of a knob or key. count: of all messages, so that a page sees that there was one."""

    address: str
    position: float
    count: int


@dataclass(frozen=True, slots=True)
class Trouble:
    """The newest thing that could not be done, in words. count: of all, so that a page sees that there was one."""

    text: str
    count: int


class Screen(Protocol):
    def show(self, pixels: PixelsU8) -> str:
        """-> the key pressed, or ""."""
        ...

    def close(self) -> None: ...


class Show:
    """outlets: virtual camera and the like, given every picture. map_path: where learned knobs are saved.

    tell: takes a line of text about the show each second. clock and sleep: seconds, monotonic; given so that a show can
    be tested without waiting.
    """

    def __init__(
        self,
        session: VjSession,
        screen: Screen,
        presets: list[Preset],
        mapper: Mapper,
        *,
        rate: float = 60.0,
        recordings: Path = Path("."),
        outlets: Sequence[Outlet] = (),
        map_path: Path | None = None,
        tell: Callable[[str], None] = lambda line: None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.session, self._screen, self._presets, self._mapper = session, screen, presets, mapper
        self._rate, self._recordings, self._clock, self._sleep = rate, recordings, clock, sleep
        self._running = True
        self._recorder: Recorder | None = None
        self._closing: list[threading.Thread] = []  # recordings
        self.film: Path | None = None  # of the newest recording, under way or closed
        self.touched: Touch | None = None
        self.trouble: Trouble | None = None
        self._outlets, self._map_path, self._tell = outlets, map_path, tell
        self._told_s, self._sound_s = -1e9, 0.0
        self._heard_s: float | None = None
        self._latencies_s: deque[float] = deque(maxlen=LATENCIES)
        self._by_key = ""  # the control that a key turned last
        self._slow = ThreadPoolExecutor(1, "show-slow")  # what waits for a disk, one after the other

    @property
    def recording(self) -> bool:
        return self._recorder is not None

    def run(self) -> None:
        """Until `quit`. Closes the screen and the recording, whatever ends it."""
        last = self._clock() - 1 / self._rate
        try:
            while self._running:
                now, sound_s = self._clock(), self._newest_sound_s()
                pixels = self.session.step(min(max(now - last, 1e-3), LONGEST_STEP_S), now)
                last = now
                self._record(pixels, now)
                for outlet in self._outlets:
                    outlet.offer(pixels)
                self.key(self._screen.show(pixels))
                self._note(sound_s)
                self._sleep(max(0.0, 1 / self._rate - (self._clock() - now)))
        finally:
            self._slow.shutdown()
            self._stop_recording()
            for closing in self._closing:
                closing.join()
            for outlet in self._outlets:
                outlet.close()
            self._screen.close()

    @property
    def sound_to_picture_ms(self) -> float:
        """Median time from sound in the air to the picture handed to the screen; 0 before any was heard."""
        return 1e3 * median(self._latencies_s) if self._latencies_s else 0.0

    def status(self) -> str:
        """One line about how the show stands."""
        state = self.session.state()
        parts = [f"{state.fps:.0f} fps", f"step {state.step_ms:.1f} ms", f"{state.bpm:.0f} bpm", f"guard {state.guard}"]
        parts += ["strobe guard holds"] if state.strobe_holding else []
        parts += [f"sound to picture {self.sound_to_picture_ms:.0f} ms"] if self._latencies_s else []
        return " · ".join(parts + (["recording"] if self._recorder else []))

    def _newest_sound_s(self) -> float:
        """When what this picture hears was in the air; 0 when that is nothing new. A device that is gone is silence."""
        when, self._sound_s = self._sound_s, 0.0
        if self._heard_s is not None and self._clock() - self._heard_s > SILENT_AFTER_S:
            self.session.modulators.features, self._heard_s = {}, None
        return when

    def _note(self, sound_s: float) -> None:
        """After a picture was shown. sound_s: when the sound that moved it was in the air, 0 for nothing new."""
        now = self._clock()
        if sound_s:
            self._latencies_s.append(now - sound_s)
        if now - self._told_s >= TELL_EVERY_S:
            self._told_s = now
            self._tell(self.status())

    def key(self, key: str) -> None:
        """As a window or page tells it, from any thread, "" for none; Caps Lock is no matter."""
        key = key.lower()
        if key in GESTURES:
            self.gesture(GESTURES[key])
        elif change := key_change(key, self.session.controls):
            self._by_key = next(iter(change))
            self._safely(self._by_key, lambda: self.session.apply(change))

    def turned(self, address: str, position: float) -> None:
        """A knob or key of a MIDI device. A fault is told and the show goes on, and so does its clock, see `change`."""
        self.touched = Touch(address, position, self.touched.count + 1 if self.touched else 1)
        self._safely(
            address, lambda: self.change(address, self._mapper.change(address, position, self.session.controls))
        )

    def change(self, by: str, changes: Mapping[str, object]) -> None:
        """Sets controls. Whoever calls goes on while a model is read, and a fault in that is told. by: whose words.

        Raises as VjSession.apply where no model is changed.
        """
        if changes.keys() & set(SLOTS):
            self._slow.submit(self._beside, by, lambda: self.session.apply(changes))
        elif changes:
            self.session.apply(changes)

    def unplugged(self, addresses: Collection[str]) -> None:
        """The device of these knobs and keys is gone."""
        self._mapper.unplugged(addresses)

    def midi_clock(self, kind: str) -> None:
        if kind == "clock":
            self.session.tempo.midi_clock(self._clock())
        elif kind == "start":
            self.session.tempo.midi_start()
        elif kind == "stop":
            self.session.tempo.midi_stop()

    def link(self, bpm: float, beat: float) -> None:
        self.session.tempo.link(bpm, beat, self._clock())

    def set_tempo(self, bpm: float) -> None:
        """Raises BadInput."""
        self.session.tempo.set(bpm, self._clock())

    def heard(self, sound: Heard, when: float = 0.0) -> None:
        """when: on this show's clock, the moment at which the sound was in the air; 0 leaves the latency alone."""
        self.session.modulators.hear(sound.features())
        self._sound_s, self._heard_s = when, (now := self._clock())
        if sound.tempo is not None:
            period_s, beat_s = sound.tempo
            self.session.tempo.heard(period_s, (when or now) - (sound.time_s - beat_s), now)

    def gesture(self, name: str) -> None:
        """A name of the keyboard's GESTURES. A fault is told and the show goes on, and so does whoever calls while a
        model or a file is waited for."""
        if name in SLOW:
            self._slow.submit(self._beside, name, lambda: self._carry_out(name))
        else:
            self._safely(name, lambda: self._carry_out(name))

    def _beside(self, what: str, work: Callable[[], None]) -> None:
        """In a thread of its own, where nobody would hear of what was not foreseen."""
        try:
            self._safely(what, work)
        except Exception as error:
            log.exception("input failed", input=what)
            self._complain(f"{what}: {error}")

    def _safely(self, what: str, work: Callable[[], None]) -> None:
        try:
            work()
        except (StylizerError, OSError) as error:
            log.warning("input refused", input=what, reason=str(error))
            self._complain(f"{what}: {error}")

    def _complain(self, text: str) -> None:
        self._tell(text)
        self.trouble = Trouble(text, self.trouble.count + 1 if self.trouble else 1)

    def _carry_out(self, name: str) -> None:
        match name:
            case "tap":
                self.session.tempo.tap(self._clock())
            case "undo":
                self.session.undo()
            case "next preset" if self._presets:
                names = [preset.name for preset in self._presets]
                after = names.index(self.session.playing) + 1 if self.session.playing in names else 0
                self.session.play(self._presets[after % len(names)], beats=MORPH_BEATS)
            case "learn" if self._by_key:
                self._mapper.learn(self._by_key)
                self._tell(f"touch the knob for {self._by_key}")
            case "save map" if self._map_path:
                save_map(self._map_path, self._mapper.bindings.values())
                self._tell(f"knobs saved to {self._map_path}")
            case "record":
                if self._recorder:
                    self._stop_recording()
                else:
                    self._start_recording()
            case "quit":
                self._running = False

    def _start_recording(self) -> None:
        film = self._free_path()
        recorder = Recorder(film, Fraction(30))
        self.film, self._recorder = film, recorder
        log.info("recording", path=str(film))

    def _free_path(self) -> Path:
        """An empty file, ours alone: two recordings of one second, of two shows perhaps, or of the hour that a clock
        repeats, do not write over one another. Raises OSError."""
        name = time.strftime("show-%Y%m%d-%H%M%S")
        paths = ((self._recordings / f"{name}{f'-{n}' if n > 1 else ''}.mp4").resolve() for n in count(1))
        return next(path for path in paths if _made(path))

    def _record(self, pixels: PixelsU8, now: float) -> None:
        recorder = self._recorder
        if recorder is not None and recorder.fault:
            self._stop_recording()
        elif recorder is not None:
            recorder.offer(pixels, now)

    def _stop_recording(self) -> None:
        """In a thread of its own: the encoder's last pictures and a slow disk are nothing that the show waits for."""
        recorder, self._recorder = self._recorder, None
        if recorder:
            self._closing = [thread for thread in self._closing if thread.is_alive()]
            self._closing.append(threading.Thread(target=self._close, args=(recorder,), name="recorder-end"))
            self._closing[-1].start()

    def _close(self, recorder: Recorder) -> None:
        recorder.close()
        if recorder.fault:
            self._complain(recorder.fault)
        if not recorder.frames:
            recorder.path.unlink(missing_ok=True)
        log.info("recorded", frames=recorder.frames, dropped=recorder.dropped, fault=recorder.fault or "none")


def _made(path: Path) -> bool:
    """False where there is such a file already. Raises OSError."""
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
