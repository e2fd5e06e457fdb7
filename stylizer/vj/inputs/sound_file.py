"""Sound from a file: for off-line rendering step by step, or for a show in real time."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path

import av
import numpy as np

from stylizer.errors import Unreadable
from stylizer.logs import log
from stylizer.soundtrack import BROKEN, url_of
from stylizer.vj.inputs.audio import F32, HOP, Ear, Heard

RATE = 48_000
RETRY_S = 2.0


def read_sound(path: Path) -> Iterator[F32]:
    """The first sound of a film or sound file, mono, 48 kHz, -1..1, in blocks as they are decoded: hours are never
    held. Ends where the file is torn. Raises Unreadable, at the call, when there is nothing to hear."""
    blocks = _decoded(path)
    try:
        first = next(blocks, None)
    except (OSError, *BROKEN) as error:
        raise Unreadable(f"{path}: no sound that can be read ({type(error).__name__})") from None
    if first is None:
        raise Unreadable(f"{path}: holds no sound")
    return _until_torn(chain((first,), blocks))


def _decoded(path: Path) -> Iterator[F32]:
    with av.open(url_of(path)) as container:
        if not container.streams.audio:
            return
        resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
        for frame in chain(container.decode(audio=0), (None,)):
            for made in resampler.resample(frame):
                yield made.to_ndarray().reshape(-1).astype(np.float32, copy=False)


def _until_torn(blocks: Iterator[F32]) -> Iterator[F32]:
    with suppress(OSError, *BROKEN):
        yield from blocks


class SoundTrack:
    """A sound heard step by step: `until` gives what became audible since the last call. over: all of it was heard, and
    silence follows."""

    def __init__(self, blocks: Iterable[F32]) -> None:
        self._blocks, self._waiting, self._heard = iter(blocks), np.zeros(0, np.float32), 0
        self.over = False
        self.ear = Ear(RATE)

    def until(self, time_s: float) -> list[Heard]:
        count = max(0, round(time_s * RATE) - self._heard)
        parts = [self._waiting]
        while not self.over and sum(map(len, parts)) < count:
            block = next(self._blocks, None)
            self.over = block is None
            parts += [] if block is None else [block]
        samples = np.concatenate(parts)
        self._waiting, self._heard = samples[count:], self._heard + count
        return list(self.ear.hear(np.pad(samples[:count], (0, max(0, count - len(samples))))))


class SoundFilePlayer:
    """Feeds a show as a microphone would, in real time, over and over, until `close`; a file that is gone meanwhile is
    silence until it is back.

    Raises Unreadable when there is nothing to hear in the file.
    """

    def __init__(self, path: Path, heard: Callable[[Heard, float], None]) -> None:
        self._path, self._heard = path, heard
        self._blocks: Iterator[F32] | None = read_sound(path)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sound", daemon=True)
        self._thread.start()

    @property
    def silent(self) -> bool:
        """The file is gone."""
        return self._blocks is None

    def close(self) -> None:
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing.is_set():
            if self._blocks is None:
                self._closing.wait(RETRY_S)
            else:
                self._play(SoundTrack(self._blocks))
            try:
                self._blocks = read_sound(self._path)
            except Unreadable as error:
                log.debug("sound not read", reason=str(error))
                self._blocks = None

    def _play(self, track: SoundTrack) -> None:
        start = time.monotonic()
        while not track.over and not self._closing.wait(HOP / RATE):
            for heard in track.until(time.monotonic() - start):
                self._heard(heard, start + heard.time_s)
