"""What the ear hears, from samples: level, three bands, spectral flux, onsets, and a tempo from the onsets.

Own STFT in NumPy: 1024 samples every 256, so at 48 kHz an onset is known 5 ms after its block and placed to 5 ms. At
twice the rate twice as many, and so on.
"""

import contextlib
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylizer.errors import BadInput, Unavailable
from stylizer.logs import log

WINDOW, HOP = 1024, 256  # samples up to BASE_RATE
BASE_RATE = 48_000
BANDS_HZ = ((20.0, 250.0), (250.0, 2500.0), (2500.0, 16000.0))  # low, mid, high
FLOOR_DB = 60.0  # below the loudest of late; silence is 0, the loudest 1
FORGET_S = 4.0  # of what counts as the loudest
ONSET_MEMORY_S = 0.5  # whose median a rise must top
ONSET_TIMES, ONSET_LEAST = 2.5, 0.02
ONSET_PAUSE_S = 0.08
TEMPO_MEMORY_S, TEMPO_LEAST = 8.0, 6  # onsets

CHANNELS = 2  # of a device at most: the silence of its other inputs would make the two that are used quiet
LOOK_EVERY_S = 2.0  # for a device that came or went

F32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Heard:
    """One hop. time_s: of its middle. level, low, mid, high, flux: 0..1. onset: a beat or note begins here.

    tempo: with an onset, period in s and time of the last beat, where enough of them were heard.
    """

    time_s: float
    level: float
    low: float
    mid: float
    high: float
    flux: float
    onset: bool
    tempo: tuple[float, float] | None = None

    def features(self) -> dict[str, float]:
        """Under the names that modulators use."""
        bands = {"level": self.level, "low": self.low, "mid": self.mid, "high": self.high}
        return bands | {"flux": self.flux, "onset": float(self.onset)}


class Ear:
    """Memory between blocks: samples not yet heard, the last spectrum, the loudest of late, recent flux and onsets."""

    def __init__(self, rate: int) -> None:
        if rate < 8000:
            raise BadInput(f"sample rate: got {rate}, allowed is 8000 and more")
        times = 2 ** max(0, round(math.log2(rate / BASE_RATE)))  # or the low band would lie between two frequencies
        self.rate, self.hop, self._size = rate, HOP * times, WINDOW * times
        self._window = np.hanning(self._size).astype(np.float32)
        hz = np.fft.rfftfreq(self._size, 1 / rate)
        self._bands = [(hz >= lo) & (hz < hi) for lo, hi in BANDS_HZ]
        self._samples = np.zeros(self._size - self.hop, np.float32)  # silence before the first sample
        self._spectrum = np.zeros(self._size // 2 + 1, np.float32)
        self._loudest = np.full(5, 1e-4)
        self._fluxes: deque[float] = deque(maxlen=int(ONSET_MEMORY_S * rate / self.hop))
        self._hops, self._last_onset_s = 0, -1.0
        self.onsets: deque[tuple[float, float]] = deque(maxlen=64)  # time, and the flux of the low band

    def hear(self, samples: F32) -> Iterator[Heard]:
        """samples: [N] or [N, channels] in -1..1, any N -> one result for each hop that became complete."""
        mono = samples.mean(axis=1) if samples.ndim == 2 else samples
        known = np.clip(np.nan_to_num(mono), -1, 1)  # one NaN, or 1e20, would stay in the loudest of late for ever
        self._samples = np.concatenate((self._samples, known.astype(np.float32)))
        while len(self._samples) >= self._size:
            yield self._hop(self._samples[: self._size])
            self._samples = self._samples[self.hop :]

    def tempo(self) -> tuple[float, float] | None:
        """(period s, time of the last beat) from the onsets of the last seconds; None while they are too few.

        An onset counts by its low band: a hat between two beats is as loud as the drum on them, and would cancel it.
        """
        recent = [each for each in self.onsets if each[0] > self.onsets[-1][0] - TEMPO_MEMORY_S] if self.onsets else []
        if len(recent) < TEMPO_LEAST:
            return None
        times, weights = np.array(recent).T
        periods = np.linspace(60 / 180, 60 / 75, 200)  # a beat between 75 and 180 per minute
        turns = np.exp(2j * np.pi * (times[-1] - times)[:, None] / periods[None, :])
        turns *= (weights / weights.mean())[:, None]
        fit = np.abs(turns.mean(axis=0))
        best = int(np.flatnonzero(fit >= fit.max() - 0.02)[-1])  # the slowest that fits as well
        around = slice(max(best - 3, 0), best + 4)
        best = around.start + int(fit[around].argmax())
        late = float(np.angle(turns[:, best].mean())) / (2 * np.pi) * periods[best]
        return float(periods[best]), float(times[-1]) - late

    def _hop(self, samples: F32) -> Heard:
        spectrum = np.abs(np.fft.rfft(samples * self._window)).astype(np.float32) / (self._size / 4)
        newest = samples[-self.hop :]
        # The newest hop stands at the window's end, where the window is near zero: its middle is what was heard.
        self._hops += 1
        time_s = (self._hops * self.hop - self._size / 2) / self.rate
        energies = [float(np.sqrt((spectrum[band] ** 2).sum())) for band in self._bands]
        rise = np.maximum(spectrum - self._spectrum, 0)
        flux, low_flux = float(rise.sum()), float(rise[self._bands[0]].sum())
        self._spectrum = spectrum
        level = float(np.sqrt((newest**2).mean()))
        level, low, mid, high, shown_flux = self._scaled(np.array([level, *energies, flux]))
        onset = self._is_onset(flux, low_flux, time_s)
        return Heard(time_s, level, low, mid, high, shown_flux, onset, self.tempo() if onset else None)

    def _scaled(self, raw: NDArray[np.float64]) -> list[float]:
        """In decibels below the loudest of late, 0..1."""
        self._loudest = np.maximum(self._loudest * 0.5 ** (self.hop / self.rate / FORGET_S), np.maximum(raw, 1e-4))
        decibels = 20 * np.log10(np.maximum(raw, 1e-9) / self._loudest)
        return [float(v) for v in np.clip(1 + decibels / FLOOR_DB, 0, 1)]

    def _is_onset(self, flux: float, low_flux: float, time_s: float) -> bool:
        usual = float(np.median(self._fluxes)) if self._fluxes else 0.0
        self._fluxes.append(flux)
        rises = flux > ONSET_TIMES * usual + ONSET_LEAST
        if not rises or time_s - self._last_onset_s < ONSET_PAUSE_S:
            return False
        self._last_onset_s = time_s
        self.onsets.append((time_s, low_flux + 1e-6))
        return True


class Microphone:
    """Sound from a device into an ear; looks for the device until it is there, and again when it is gone.

    heard(sound, when): for each hop, on the sound thread; when: seconds of time.monotonic at which it was in the air.
    Raises Unavailable without sounddevice. library: sounddevice itself.
    """

    def __init__(
        self, heard: Callable[[Heard, float], None], device: str | None = None, library: Any | None = None
    ) -> None:
        self._heard, self._sound, self._device = heard, library or _sounddevice(), device
        self.reason = ""  # why nothing is heard
        self._stream: Any = None
        self._looked = False
        self._closing = threading.Event()
        self.look()
        self._thread = threading.Thread(target=self._keep_looking, name="sound-look", daemon=True)
        self._thread.start()

    def look(self) -> bool:
        """Opens the device if it is not open; True while sound comes in."""
        if self._stream is not None and self._stream.active:
            return True
        try:
            if self._looked:
                self._list_anew()
            self._looked = True
            about = self._sound.query_devices(self._device, "input")
            rate, channels = int(about["default_samplerate"]), min(CHANNELS, about["max_input_channels"])
            self.ear = Ear(rate)
            stream = self._sound.InputStream(
                device=self._device, samplerate=rate, channels=channels, blocksize=self.ear.hop, callback=self._block
            )
            stream.start()
        except (self._sound.PortAudioError, ValueError) as error:
            self._tell(str(error))
            return False
        self._stream = stream
        self._tell("")
        return True

    def close(self) -> None:
        self._closing.set()
        self._thread.join()
        if self._stream is not None:
            self._stream.close()

    def _list_anew(self) -> None:
        """PortAudio lists its devices once, at its start."""
        gone, self._stream = self._stream, None
        with contextlib.suppress(self._sound.PortAudioError):
            if gone is not None:
                gone.close()
        with contextlib.suppress(self._sound.PortAudioError):  # it may not have started the last time
            self._sound._terminate()
        self._sound._initialize()

    def _tell(self, reason: str) -> None:
        if reason != self.reason:
            log.info("sound", input="gone" if reason else "back", reason=reason)
        self.reason = reason

    def _keep_looking(self) -> None:
        while not self._closing.wait(LOOK_EVERY_S):
            self.look()

    def _block(self, samples: F32, _frames: int, times: Any, _status: Any) -> None:
        when = time.monotonic() - max(0.0, times.currentTime - times.inputBufferAdcTime)
        for heard in self.ear.hear(samples):
            self._heard(heard, when)


def _sounddevice() -> Any:
    try:
        import sounddevice
    except (ImportError, OSError) as error:  # OSError: PortAudio itself is missing
        raise Unavailable(f"sound needs sounddevice and PortAudio ({error})") from None
    return sounddevice
