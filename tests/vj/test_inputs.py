"""Hands and ears: MIDI through mido's parser, sound from generated tones and clicks."""

import time
from collections.abc import Callable
from typing import Any

import mido
import numpy as np
import pytest
import rtmidi

from stylizer.controls import defaults
from stylizer.vj.inputs.audio import HOP, Ear, Heard
from stylizer.vj.inputs.clock import Tempo
from stylizer.vj.inputs.mapping import Binding, Mapper, ngx_map
from stylizer.vj.inputs.midi import MidiInput
from stylizer.vj.inputs.modulation import Modulator, Modulators
from tests.conftest import Rng
from tests.web.doubles import wait_for

RATE = 48_000


class Cables:
    """A small MIDI system: devices come and go, bytes go through mido's own parser."""

    def __init__(self, *names: str) -> None:
        self.plugged = list(names)
        self.listeners: dict[str, Callable[[Any], None]] = {}

    def get_input_names(self) -> list[str]:
        return list(self.plugged)

    def open_input(self, name: str, callback: Callable[[Any], None]) -> "Cables":
        if name == "busy":
            raise OSError("in use")
        if name == "pulled":
            raise rtmidi.InvalidPortError("no such port")
        self.listeners[name] = callback
        return self

    def close(self) -> None:
        pass

    def send(self, name: str, *data: int) -> None:
        parser = mido.Parser()
        parser.feed(data)
        for message in parser:
            self.listeners[name](message)


def test_midi_bytes_become_addresses_and_clocks() -> None:
    turned: list[tuple[str, float]] = []
    clocks: list[str] = []
    cables = Cables("knobs")
    midi = MidiInput(lambda a, p: turned.append((a, p)), clocks.append, cables)
    cables.send("knobs", 0xB0, 77, 127, 0x92, 41, 127, 0x82, 41, 64, 0xF8, 0xFA, 0xE0, 0x7F, 0x7F, 0xFE)
    midi.close()
    assert turned == [("cc:0:77", 1.0), ("note:2:41", 1.0), ("note:2:41", 0.0), ("bend:0", 1.0)]
    assert clocks == ["clock", "start"]


def test_a_midi_device_that_goes_while_it_is_opened_keeps_no_other_away() -> None:
    midi = MidiInput(lambda address, position: None, backend=Cables("pulled", "knobs"))
    assert midi.devices == ("knobs",)
    midi.close()


def test_a_midi_device_may_be_unplugged_and_come_back() -> None:
    cables = Cables("knobs", "busy")
    midi = MidiInput(lambda a, p: None, backend=cables)
    assert list(midi.devices) == ["knobs"]
    cables.plugged = ["keys"]
    midi.look()
    assert list(midi.devices) == ["keys"]
    cables.plugged = ["keys", "knobs"]
    midi.look()
    assert list(midi.devices) == ["keys", "knobs"]
    midi.close()


def test_a_pad_that_is_held_while_its_device_is_pulled_is_let_go() -> None:
    """Blackout, say. Another device's pads stay as they are held."""
    turned: list[tuple[str, float]] = []
    cables = Cables("pads", "keys")
    midi = MidiInput(lambda a, p: turned.append((a, p)), backend=cables)
    cables.send("pads", 0x90, 36, 127, 0x90, 37, 127, 0x90, 37, 0, 0xB0, 7, 127)
    cables.send("keys", 0x91, 60, 127)
    cables.plugged, before = ["keys"], len(turned)
    midi.look()
    assert turned[before:] == [("note:0:36", 0.0)]
    midi.close()
    assert len(turned) == before + 1


def test_a_fader_that_stands_elsewhere_when_its_device_is_back_moves_nothing_until_it_meets_its_control() -> None:
    """It held its control when the cable was pulled, and threw it with the first touch."""
    mapper, now = Mapper([Binding("cc:0:1", "invert"), *ngx_map([])]), defaults("vj")

    def turned(address: str, position: float) -> None:
        now.update(mapper.change(address, position, now))

    cables = Cables("knobs")
    midi = MidiInput(turned, backend=cables, gone=mapper.unplugged)
    for controller in (1, 82):
        cables.send("knobs", 0xB0, controller, 0, 0xB0, controller, 32)
    invert, rate = now["invert"], now["rate"]
    assert invert == pytest.approx(32 / 127) and rate == pytest.approx(1 + 32 / 127)
    cables.plugged = []
    midi.look()
    cables.plugged = ["knobs"]
    midi.look()
    for controller in (1, 82):
        cables.send("knobs", 0xB0, controller, 100, 0xB0, controller, 101)
    assert (now["invert"], now["rate"]) == (invert, rate)
    for controller in (1, 82):
        cables.send("knobs", 0xB0, controller, 20, 0xB0, controller, 21)
    assert (now["invert"], now["rate"]) == pytest.approx((21 / 127, 1 + 21 / 127))
    midi.close()


def test_a_midi_device_that_is_put_back_at_once_is_opened_anew() -> None:
    """Its port is dead, under the name that it had; a USB plug takes half a second and more to be there again."""
    cables = Cables("knobs")
    midi = MidiInput(lambda address, position: None, backend=cables)
    cables.listeners.clear()
    time.sleep(0.1)
    cables.plugged = []
    time.sleep(0.8)
    cables.plugged = ["knobs"]
    wait_for(lambda: "knobs" in cables.listeners, 5)
    midi.close()


def tone(hz: float, seconds: float, amplitude: float = 0.5) -> Any:
    return (amplitude * np.sin(2 * np.pi * hz * np.arange(int(seconds * RATE)) / RATE)).astype(np.float32)


def heard(samples: Any, block: int = 480) -> list[Heard]:
    ear = Ear(RATE)
    return [h for start in range(0, len(samples), block) for h in ear.hear(samples[start : start + block])]


@pytest.mark.parametrize("hz, band", [(80, "low"), (800, "mid"), (6000, "high")])
def test_a_tone_is_heard_in_its_band(hz: float, band: str) -> None:
    last = heard(tone(hz, 0.5))[-1].features()
    assert last[band] > 0.9 and last["level"] > 0.9
    assert all(last[band] > last[other] + 0.3 for other in {"low", "mid", "high"} - {band} if last[other] < 1)


def test_silence_is_nothing() -> None:
    hops = heard(np.zeros(RATE, np.float32))
    assert len(hops) == RATE // HOP
    assert all(h.level == 0 and not h.onset for h in hops)


def clicks(times_s: list[float], seconds: float, noise: float = 0.002) -> Any:
    rng = np.random.default_rng(1)
    samples = (noise * rng.standard_normal(int(seconds * RATE))).astype(np.float32)
    for t in times_s:
        start = int(t * RATE)
        samples[start : start + 960] += (
            0.7 * rng.standard_normal(960).astype(np.float32) * np.exp(-np.arange(960) / 200)
        )
    return samples


@pytest.mark.parametrize("rate", [8000, 44_100, 192_000, 384_000, 768_000])
def test_a_drum_is_low_at_every_sample_rate(rate: int) -> None:
    """From 256 kHz on nothing was, and the work grew with the rate."""
    seconds = np.arange(rate) / rate
    drum = 0.6 * np.sin(2 * np.pi * 80 * seconds) * np.exp(-20 * (seconds % 0.5))
    hops = list(Ear(rate).hear(drum.astype(np.float32)))
    loudest = max(hops, key=lambda hop: hop.level)
    assert loudest.low > 0.9 and len(hops) <= 1.5 * RATE / HOP


@pytest.mark.parametrize("broken", [(np.nan, np.inf, -np.inf), (1e30, 0, -1e30)])
def test_a_moment_of_broken_samples_does_not_deafen_the_ear(rng: Rng, broken: tuple[float, ...]) -> None:
    noise = rng.normal_f32(RATE) * 0.1
    healthy, hurt = Ear(RATE), Ear(RATE)
    *_, expected = healthy.hear(noise)
    *_, heard = [*hurt.hear(np.concatenate((np.array(broken, np.float32), noise)))]
    assert heard.features() == pytest.approx(expected.features(), abs=0.2)


def test_onsets_are_placed_within_20_ms() -> None:
    times = [0.3, 0.71, 1.0, 1.13, 1.9, 2.4]
    found = [h.time_s for h in heard(clicks(times, 3)) if h.onset]
    assert len(found) == len(times)
    assert max(abs(f - t) for f, t in zip(found, times, strict=True)) < 0.02


@pytest.mark.parametrize("bpm", [90, 120, 174])
def test_tempo_is_found_from_onsets(bpm: float) -> None:
    times = [0.2 + k * 60 / bpm for k in range(int(7 * bpm / 60))]
    ear = Ear(RATE)
    for _ in ear.hear(clicks(times, 8)):
        pass
    found = ear.tempo()
    assert found is not None
    assert 60 / found[0] == pytest.approx(bpm, rel=0.02)
    phase = (found[1] - times[0]) / found[0] % 1
    assert min(phase, 1 - phase) * found[0] < 0.03


@pytest.mark.parametrize("bpm", [120, 140])
@pytest.mark.parametrize("hats", [(0.5,), (0.0, 0.5), (0.0, 0.25, 0.5, 0.75)])
def test_hats_between_the_drums_do_not_hide_the_beat(bpm: float, hats: tuple[float, ...]) -> None:
    """A bass drum on each beat and a hat on each off-beat were heard as 77 bpm."""
    beats = [0.2 + k * 60 / bpm for k in range(int(7 * bpm / 60))]
    samples = 0.4 * clicks([beat + part * 60 / bpm for beat in beats for part in hats], 8)
    drum = np.sin(2 * np.pi * 60 * np.arange(4800) / RATE) * np.exp(-np.arange(4800) / 1500)
    for beat in beats:
        samples[int(beat * RATE) :][: len(drum)] += drum
    ear = Ear(RATE)
    for _ in ear.hear(samples):
        pass
    found = ear.tempo()
    assert found is not None and 60 / found[0] == pytest.approx(bpm, rel=0.02)
    phase = (found[1] - beats[0]) / found[0] % 1
    assert min(phase, 1 - phase) * found[0] < 0.03


def test_an_envelope_rises_and_falls_with_its_time_constants_at_every_rate() -> None:
    """After one time constant 1 - 1/e of the way is done, however many pictures that took."""
    for pictures in (3, 30):
        modulators, zoom = Modulators(), 1.0
        modulators.rows = (Modulator("low", "zoom", gain=0.05, attack_s=0.3, release_s=0.6),)
        for seconds, heard, expected in ((0.3, 1.0, 1 - np.exp(-1)), (0.6, 0.0, (1 - np.exp(-1)) * np.exp(-1))):
            modulators.features = {"low": heard}
            for _ in range(pictures):
                now = modulators.applied({"zoom": zoom}, Tempo(), 0.0, seconds / pictures)
            assert now["zoom"] == pytest.approx(zoom + 0.05 * expected)


def test_sound_moves_a_control_within_the_range_asked_for_and_its_own() -> None:
    modulators = Modulators()
    modulators.features = {"level": 1.0}
    for row, expected in (
        (Modulator("level", "hue", gain=0.4, attack_s=0, hi=0.2), 0.2),
        (Modulator("level", "hue", gain=-0.4, attack_s=0, lo=-0.1), -0.1),
        (Modulator("level", "hue", gain=7.0, attack_s=0), 0.5),  # the control's own end
        (Modulator("level", "hue", lo=-9, hi=-8), -0.5),
        (Modulator("level", "hue", lo=8, hi=9), 0.5),
    ):
        modulators.rows = (row,)
        assert modulators.applied({"hue": 0.0}, Tempo(), 0.0, 0.03)["hue"] == pytest.approx(expected)


def test_an_envelope_goes_with_its_row() -> None:
    """A page that drags `gain` makes a new row with each message."""
    modulators = Modulators()
    for step in range(100):
        modulators.rows = (Modulator("level", "hue", gain=step / 100),)
        modulators.applied({"hue": 0.0}, Tempo(), 0.0, 0.03)
    assert len(modulators._envelopes) == 1
