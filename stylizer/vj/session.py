"""The instrument: turn its controls, ask for the next picture. Web page, window and renderer all drive this."""

import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from stylizer.controls import Value, checked, control, defaults
from stylizer.errors import BadInput
from stylizer.frame import PixelsU8, u8_from_unit
from stylizer.vj import feedback
from stylizer.vj.bank import Bank, Model
from stylizer.vj.colour import coloured
from stylizer.vj.dreamer import Dreamer
from stylizer.vj.geometry import Motion, Mover, focused
from stylizer.vj.guard import CollapseGuard
from stylizer.vj.inject import Guest, Matte, guest, injected
from stylizer.vj.inputs.clock import Tempo
from stylizer.vj.inputs.modulation import Modulator, Modulators
from stylizer.vj.presets import History, Morph, Preset
from stylizer.vj.strobe import StrobeGuard

METER_FRAMES = 100  # over which fps and step times are told


@dataclass(frozen=True, slots=True)
class VjState:
    """For a page's meters. step_ms: median of the last steps. guard: alive | dead | frozen | burnt | reviving."""

    frames: int
    time_s: float
    fps: float
    step_ms: float
    guard: str
    guard_noise: float
    guard_interventions: int
    strobe_holding: bool
    strobe_interventions: int
    deviation: float
    motion: float
    burnt: float
    bpm: float
    beat: float
    morphing: bool


class VjSession:
    """All memory between two frames. `step` belongs to one thread; everything else may be called from any.

    bank: the models. seed: of the noise; the same seed, controls and steps give the same pictures.
    matte: finds the person for `inject = person`; without one that is the whole picture. cache: folder for quantised
    networks. offline: nothing happens beside the steps, so the same seed gives the same bits, and no show waits.
    compiles: see Dreamer.
    """

    def __init__(
        self,
        bank: Bank,
        *,
        seed: int = 0,
        device: torch.device | None = None,
        matte: Matte | None = None,
        cache: Path | None = None,
        offline: bool = False,
        compiles: bool = True,
    ) -> None:
        self.bank, self.seed = bank, seed
        self.tempo, self.modulators = Tempo(), Modulators()
        self._matte, self._dreamer = matte, Dreamer(device, cache=cache, wait=offline, compiles=compiles)
        self._noise = feedback.noise_of(self._dreamer.device, seed, torch.get_num_threads())
        self._lock = threading.Lock()
        self._controls = defaults("vj")
        self._models: tuple[Model, Model] | None = None
        self._history = History()
        self._morph: Morph | None = None
        self._preset_sound: tuple[Modulator, ...] = ()
        self._guest_pixels: PixelsU8 | None = None
        self._guest: tuple[str, PixelsU8, Guest] | None = None
        self._mover, self.guard, self.strobe = Mover(), CollapseGuard(), StrobeGuard()
        self._steps_ms: deque[float] = deque(maxlen=METER_FRAMES)
        self._ends: deque[float] = deque(maxlen=METER_FRAMES)
        self.reset()

    def reset(self) -> None:
        """Black, and the show's clock at zero; controls stay."""
        self.frames, self.time_s, self._noise_time_s = 0, 0.0, 0.0
        self._kept = feedback.black(self._dreamer.device)
        self.guard.reset()
        self.strobe.reset()

    @property
    def controls(self) -> dict[str, Value]:
        """As they were set by hand; what sound adds on top is not in it."""
        with self._lock:
            return dict(self._controls)

    def apply(self, changes: Mapping[str, object]) -> None:
        """Sets controls, all or none; the next step shows it. Loads models where they change.

        Raises BadInput, NotFound, ModelMissing or ModelRejected, and then nothing has changed.
        """
        values = _vj_only(checked(changes))
        with self._lock:
            after = self._controls | values
        models = self._load(after)
        with self._lock:
            if self._controls != self._controls | values:
                self._history.note(self._controls, frozenset(values), time.monotonic())
            self._controls, self._models = self._controls | values, models
            self._morph = None

    def play(self, preset: Preset, *, beats: float = 0) -> None:
        """All controls to the preset's, at once or on a way of so many beats."""
        end = preset.values
        if beats <= 0:
            self.apply(end)
            return self._follow(preset)
        self._load(end)  # a bad model is told now, not in the middle of the way
        with self._lock:
            self._history.note(self._controls, frozenset(end), time.monotonic())
            self._morph = Morph(dict(self._controls), end, beats)
        self._follow(preset)

    def _follow(self, preset: Preset) -> None:
        """The preset's modulators take the place of the last preset's; those set by hand stay."""
        by_hand = tuple(row for row in self.modulators.rows if row not in self._preset_sound)
        self._preset_sound = preset.sound
        self.modulators.rows = by_hand + preset.sound

    def undo(self) -> bool:
        """Back to before the last gesture; False when there is none left."""
        with self._lock:
            before = self._history.back()
        if before is None:
            return False
        models = self._load(before)
        with self._lock:
            self._controls, self._models, self._morph = before, models, None
        return True

    def preset(self, name: str, title: str) -> Preset:
        """What is played now, as a preset."""
        usual = defaults("vj")
        return Preset(name, title, {n: v for n, v in self.controls.items() if v != usual[n]})

    def offer(self, pixels: PixelsU8 | None) -> None:
        """The camera's or film's newest frame, uint8 [H, W, 3]; None takes it away."""
        self._guest_pixels = pixels

    @property
    def guest_pixels(self) -> PixelsU8 | None:
        """What was offered last."""
        return self._guest_pixels

    def step(self, dt_s: float) -> PixelsU8:
        """The next picture, dt_s after the last: uint8 [S, S, 3], S the control `output_size`.

        Raises BadInput when dt_s is not above zero.
        """
        if dt_s <= 0:
            raise BadInput(f"dt_s: got {dt_s}, allowed is above 0")
        start = time.perf_counter()
        c, models = self._now(dt_s)
        self.time_s += dt_s
        with torch.inference_mode():
            if not c["freeze"]:
                self._dream(c, models, dt_s)
            shown = self._shown(c, dt_s)
        self.frames += 1
        self._steps_ms.append((time.perf_counter() - start) * 1e3)
        self._ends.append(time.perf_counter())
        return shown

    def _dream(self, c: Mapping[str, Value], models: tuple[Model, Model], dt_s: float) -> None:
        self._noise_time_s += dt_s * float(c["noise_speed"])
        self._dreamer.mix(*models, float(c["crossfade"]))
        self._kept = feedback.kept(self._dreamer(self._seen(c)))
        self.guard.step(self._kept, dt_s)
        if self.guard.lost:  # a broken model must not take the show with it
            self._kept = feedback.black(self._dreamer.device)

    @property
    def picture(self) -> Tensor:
        """What the loop holds: float32 [1, 3, 256, 256] in 0..1."""
        return self._kept.float()

    def state(self) -> VjState:
        steps, ends, health = sorted(self._steps_ms), list(self._ends), self.guard.health
        fps = (len(ends) - 1) / (ends[-1] - ends[0]) if len(ends) > 1 else 0.0
        return VjState(
            frames=self.frames,
            time_s=self.time_s,
            fps=fps,
            step_ms=steps[len(steps) // 2] if steps else 0.0,
            guard=self.guard.state,
            guard_noise=self.guard.noise,
            guard_interventions=self.guard.interventions,
            strobe_holding=self.strobe.holding,
            strobe_interventions=self.strobe.interventions,
            deviation=health.deviation,
            motion=health.motion,
            burnt=health.burnt,
            bpm=self.tempo.bpm,
            beat=self.tempo.beat(self.time_s),
            morphing=self._morph is not None,
        )

    def _now(self, dt_s: float) -> tuple[dict[str, Value], tuple[Model, Model]]:
        """Controls and models of this step: a morph's share of the way, and what sound adds on top."""
        with self._lock:
            if self._morph is not None:
                self._controls = self._morph.advance(dt_s * self.tempo.bpm / 60)
                self._models = None
                if self._morph.over:
                    self._morph = None
            controls, models = dict(self._controls), self._models
            if models is None:
                models = self._models = self._load(controls)
        return self.modulators.applied(controls, self.tempo, self.time_s, dt_s), models

    def _load(self, controls: Mapping[str, Value]) -> tuple[Model, Model]:
        return self.bank.get(str(controls["model_a"])), self.bank.get(str(controls["model_b"]))

    def _seen(self, c: Mapping[str, Value]) -> Tensor:
        """What the network is shown: moved, disturbed, with the guest let in, saturated."""
        motion = Motion(
            zoom=float(c["zoom"]),
            rotate_deg=float(c["rotate"]),
            shift_x=float(c["shift_x"]),
            shift_y=float(c["shift_y"]),
            fold=str(c["fold"]),
            segments=int(c["segments"]),
        )
        before = self._kept
        if not motion.still or c["focus"]:
            before = focused(self._mover(before.float(), motion), float(c["focus"]))
        helping = self.guard.noise if c["collapse_guard"] else 0.0
        amplitudes = [float(c["noise_1"]), float(c["noise_2"]) + helping, float(c["noise_3"])]
        seen = feedback.disturbed(before, float(c["rate"]), amplitudes, self._noise_time_s, self._noise)
        if (visitor := self._visitor(str(c["inject"]))) is not None:
            seen = injected(feedback.saturated(seen), visitor, float(c["inject_gain"]), str(c["inject_blend"]))
        return feedback.saturated(seen)

    def _visitor(self, what: str) -> Guest | None:
        pixels = self._guest_pixels
        if what == "none" or pixels is None:
            return None
        if self._guest is None or self._guest[0] != what or self._guest[1] is not pixels:
            self._guest = what, pixels, guest(pixels, what, self._matte)
        return self._guest[2]

    def _shown(self, c: Mapping[str, Value], dt_s: float) -> PixelsU8:
        picture = self._kept.float()
        picture = coloured(
            picture,
            hue=float(c["hue"]),
            invert=float(c["invert"]),
            false_colour=float(c["false_colour"]),
            time_s=self.time_s,
        )
        if c["blackout"]:
            picture = torch.zeros_like(picture)
        if c["strobe_guard"]:
            picture = self.strobe.step(picture, self.time_s, dt_s)
        pixels, side = u8_from_unit(picture), int(str(c["output_size"]))
        if side == pixels.shape[0]:
            return pixels
        return np.asarray(cv2.resize(pixels, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)


def _vj_only(values: dict[str, Value]) -> dict[str, Value]:
    for name in values:
        if control(name).page != "vj":
            raise BadInput(f"{name} is no control of the VJ instrument")
    return values
