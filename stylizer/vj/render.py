"""Renders a show off-line: the same film for the same seed, and a report of its speed and its life."""

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from stylizer import machine
from stylizer.config import Device
from stylizer.errors import BadInput
from stylizer.vj.bank import Bank
from stylizer.vj.inputs.audio import Heard
from stylizer.vj.inputs.modulation import Modulator
from stylizer.vj.inputs.sound_file import SoundTrack, read_sound
from stylizer.vj.loop import open_loop
from stylizer.vj.outputs.recorder import FilmFile
from stylizer.vj.presets import Preset
from stylizer.vj.session import VjSession

WARM_UP = 10  # the compiled network has taken over by then: steps that are rendered but not timed


@dataclass(frozen=True, slots=True)
class RenderReport:
    """fps: of the loop alone, without the encoder. alive: brightness' variance and mean motion per second, over all.

    loop: the way that made the last picture, in words; loop_why: why nothing better did. interrupted: it was stopped,
    and the film is the shorter.
    """

    preset: str
    seed: int
    frames: int
    rate: float
    fps: float
    step_ms: dict[str, float]
    alive: dict[str, float]
    guard_interventions: int
    strobe_interventions: int
    loop: str
    loop_why: str
    machine: dict[str, object]
    interrupted: bool = False


def render(
    bank: Bank,
    preset: Preset,
    target: Path,
    *,
    seconds: float,
    rate: Fraction = Fraction(30),
    seed: int = 0,
    device: Device = Device.CPU,
    cache: Path | None = None,
    sound: Path | None = None,
    follow: Sequence[Modulator] = (),
    tell: Callable[[int, int], None] = lambda done, total: None,
    stop: threading.Event | None = None,
) -> RenderReport:
    """Plays `preset` from black into the film `target`. Once `stop` is set it ends early; what is done so far is
    playable. Raises BadInput when that is less than one frame, for a `target` that cannot be written to, and for one
    that is `sound`.

    device, cache: see open_loop; without a cache wide models stay in floating point. sound: a file that is listened to,
    follow: what follows it besides the preset's own.
    """
    frames = round(seconds * rate)
    if frames < 1:
        raise BadInput(f"seconds: got {seconds:g}, at {float(rate):g} frames per second that is not one frame")
    if target.is_dir() or (target.parent.is_dir() and not os.access(target.parent, os.W_OK)):
        raise BadInput(f"{target}: is a folder, or in one that cannot be written to")
    film = FilmFile(target, rate, threads=1)  # beside the steps it would be timed with them
    track = SoundTrack(read_sound(sound)) if sound else None
    if sound and target.exists() and target.samefile(sound):
        raise BadInput(f"{target}: is the sound that is listened to, which would be lost")
    session = VjSession(bank, loop=open_loop(device, seed=seed, cache=cache, offline=True))
    session.play(preset)
    session.modulators.always = tuple(follow)
    steps_ms, variances, motions = [], [], []
    with film:
        for count in range(frames):
            if count and stop is not None and stop.is_set():
                break
            if track:
                listen(session, track.until(count / float(rate)))
            start = time.perf_counter()
            pixels = session.step(float(1 / rate))
            steps_ms.append((time.perf_counter() - start) * 1e3)
            variances.append(session.guard.health.deviation**2)
            motions.append(session.guard.health.motion)
            film.write(pixels)
            tell(count + 1, frames)
    timed = slice(min(WARM_UP, film.frames - 1), None)
    p50, p95, p99 = (round(float(p), 2) for p in np.percentile(steps_ms[timed], (50, 95, 99)))
    return RenderReport(
        preset=preset.name,
        seed=seed,
        frames=film.frames,
        rate=float(rate),
        fps=round(1e3 / float(np.mean(steps_ms[timed])), 1),
        step_ms={"p50": p50, "p95": p95, "p99": p99},
        alive={
            "variance": round(float(np.mean(variances[timed])), 5),
            "motion_per_s": round(float(np.mean(motions[timed])), 4),
        },
        guard_interventions=session.guard.interventions,
        strobe_interventions=session.strobe.interventions,
        loop=session.loop.standing,
        loop_why=session.loop.why,
        machine=dict(machine.describe()),
        interrupted=film.frames < frames,
    )


def listen(session: VjSession, sounds: Sequence[Heard]) -> None:
    """Since the last step: the newest features, an onset if there was one, and the tempo."""
    for sound in sounds:
        session.modulators.hear(sound.features())
        if sound.tempo is not None:
            period_s, beat_s = sound.tempo
            session.tempo.heard(period_s, beat_s, session.time_s)
