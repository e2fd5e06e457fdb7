"""Sound for a show: a microphone that comes and goes, and files."""

import time
import tracemalloc
import wave
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from stylizer.errors import Unreadable
from stylizer.vj.inputs.audio import F32, HOP, Heard, Microphone
from stylizer.vj.inputs.sound_file import RATE, SoundFilePlayer, SoundTrack, read_sound
from tests.vj.waiting import eventually


@pytest.fixture
def clicks() -> F32:
    """Eight, half a second apart: [4 s] at 48 kHz."""
    samples = np.zeros(RATE * 4, np.float32)
    for beat in range(8):
        samples[beat * RATE // 2 : beat * RATE // 2 + 200] = 0.6
    return samples


class Sounds:
    """sounddevice's names that are used: one device that comes and goes, and a list of devices made at its start."""

    PortAudioError = type("PortAudioError", (Exception,), {})

    def __init__(self, inputs: int = 1, *, plugged: bool = False) -> None:
        self.inputs, self.plugged, self._listed = inputs, plugged, plugged
        self._started = True
        self.callback: Any = None

    def query_devices(self, device: object, kind: str) -> dict[str, Any]:
        if not self._listed:
            raise self.PortAudioError("no device")
        return {"default_samplerate": float(RATE), "max_input_channels": self.inputs}

    def InputStream(self, callback: Any, channels: int | None = None, **_: object) -> "Sounds":  # noqa: N802
        self.callback, self.channels = callback, channels or self.inputs
        return self

    @property
    def active(self) -> bool:
        return self.plugged

    def start(self) -> None: ...

    def close(self) -> None: ...

    def _terminate(self) -> None:
        if not self._started:
            raise self.PortAudioError("not initialized")
        self._started = False

    def _initialize(self) -> None:
        self._started, self._listed = True, self.plugged


def test_a_microphone_may_come_late_and_go() -> None:
    sounds, heard = Sounds(), list[tuple[Heard, float]]()
    microphone = Microphone(lambda sound, when: heard.append((sound, when)), library=sounds)
    assert "no device" in microphone.reason
    sounds.plugged = True
    assert microphone.look() and not microphone.reason
    before = time.monotonic()
    sounds.callback(np.zeros((2 * HOP, 1), np.float32), 0, SimpleNamespace(currentTime=5.0, inputBufferAdcTime=4.9), 0)
    assert len(heard) == 2
    assert before - 0.11 < heard[0][1] < time.monotonic() - 0.09  # the device's own delay counts
    sounds.plugged = False
    assert not microphone.look() and not microphone.look()  # for longer than one look
    sounds.plugged = True
    assert microphone.look()
    microphone.close()


def test_music_at_two_of_many_inputs_is_heard(clicks: F32) -> None:
    """PulseAudio alone says that it has 32."""
    sounds, heard = Sounds(32, plugged=True), list[Heard]()
    microphone = Microphone(lambda sound, when: heard.append(sound), library=sounds)
    played = np.zeros((len(clicks), sounds.channels), np.float32)
    played[:, :2] = 0.03 * clicks[:, None]
    for start in range(0, len(played), HOP):
        sounds.callback(played[start : start + HOP], 0, SimpleNamespace(currentTime=0.0, inputBufferAdcTime=0.0), 0)
    microphone.close()
    assert sum(sound.onset for sound in heard) >= 7


def test_a_file_is_heard_step_by_step(clicks: F32, tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "clicks.wav"), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes((clicks * 32767).astype(np.int16).tobytes())
    track = SoundTrack(read_sound(tmp_path / "clicks.wav"))
    heard = [sound for step in range(1, 41) for sound in track.until(step / 10)]
    onsets = [sound.time_s for sound in heard if sound.onset]
    assert all(abs(t * 2 - round(t * 2)) < 0.04 for t in onsets) and len(onsets) >= 7
    (period_s, _) = [sound.tempo for sound in heard if sound.tempo][-1] or (0, 0)
    assert period_s == pytest.approx(0.5, abs=0.01)
    with pytest.raises(Unreadable, match="none.wav"):
        read_sound(tmp_path / "none.wav")


def test_after_its_end_a_sound_is_silence() -> None:
    """What it moved in a rendered film stayed where the last moment had put it."""
    track = SoundTrack([np.random.default_rng(0).normal(size=RATE // 2, scale=0.3).astype(np.float32)])
    heard = [sound for step in range(1, 11) for sound in track.until(step / 10)]
    assert heard[80].level > 0.9 and heard[-1].time_s == pytest.approx(1.0, abs=0.05)
    assert set(heard[-1].features().values()) == {0.0}


def test_of_a_long_sound_only_what_is_heard_is_held(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "set.wav"), "wb") as file:
        file.setparams((1, 1, 8000, 0, "NONE", ""))
        file.writeframes(bytes(8000 * 600))  # ten minutes: 110 MiB as they are heard
    tracemalloc.start()
    track = SoundTrack(read_sound(tmp_path / "set.wav"))
    heard = [sound for step in range(1, 21) for sound in track.until(step / 10)]
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert heard[-1].time_s == pytest.approx(2.0, abs=0.05) and most < 10 * 2**20


def test_a_sound_is_heard_over_and_over_and_may_be_taken_away(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "short.wav"), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(bytes(2 * RATE // 4))
    starts: list[float] = []
    player = SoundFilePlayer(tmp_path / "short.wav", lambda sound, at_s: starts.append(at_s - sound.time_s))
    assert eventually(lambda: len({round(start, 3) for start in starts}) >= 2)
    (tmp_path / "short.wav").unlink()
    assert eventually(lambda: player.silent)
    player.close()
