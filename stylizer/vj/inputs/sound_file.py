"""Sound from a file: for off-line rendering step by step, or for a show in real time."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np

from stylizer.errors import Unreadable
from stylizer.soundtrack import BROKEN, url_of
from stylizer.vj.inputs.audio import F32, HOP, Ear, Heard

RATE = 48_000


def read_sound(path: Path) -> F32:
    """The first sound of a film or sound file, mono, 48 kHz, -1..1. Raises Unreadable."""
    try:
        with av.open(url_of(path)) as container:
            if not container.streams.audio:
                raise Unreadable(f"{path}: holds no sound")
            resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
            frames = [made for frame in container.decode(audio=0) for made in resampler.resample(frame)]
            frames += resampler.resample(None)
    except (OSError, *BROKEN) as error:
        raise Unreadable(f"{path}: no sound that can be read ({type(error).__name__})") from None
    parts = [frame.to_ndarray().reshape(-1) for frame in frames]
    return np.concatenate(parts).astype(np.float32) if parts else np.zeros(0, np.float32)


class SoundTrack:
    """A file heard step by step: `until` gives what became audible since the last call."""

    def __init__(self, samples: F32) -> None:
        self._samples, self._heard = samples, 0
        self.ear = Ear(RATE)

    def until(self, time_s: float) -> list[Heard]:
        end = min(round(time_s * RATE), len(self._samples))
        block, self._heard = self._samples[self._heard : max(end, self._heard)], max(end, self._heard)
        return list(self.ear.hear(block))


class SoundFilePlayer:
    """Feeds a show as a microphone would, in real time, over and over, until `close`."""

    def __init__(self, path: Path, heard: Callable[[Heard, float], None]) -> None:
        self._samples, self._heard = read_sound(path), heard
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sound", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing.is_set() and len(self._samples):
            track, start = SoundTrack(self._samples), time.monotonic()
            while not self._closing.wait(HOP / RATE):
                now = time.monotonic()
                for heard in track.until(now - start):
                    self._heard(heard, start + heard.time_s)
                if now - start > len(self._samples) / RATE:
                    break
