"""The instrument: turn its controls, ask for the next picture. Web page, window and renderer all drive this."""

import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from torch import Tensor

from stylizer.controls import Value, checked, control, defaults
from stylizer.errors import BadInput
from stylizer.frame import PixelsU8, u8_from_unit
from stylizer.vj.bank import SLOTS, Bank, Model
from stylizer.vj.guard import CollapseGuard
from stylizer.vj.inject import Guest, Matte, guest
from stylizer.vj.inputs.clock import Tempo
from stylizer.vj.inputs.modulation import Modulator, Modulators
from stylizer.vj.loop import Loop, open_loop
from stylizer.vj.moment import Moment
from stylizer.vj.presets import History, Morph, Past, Preset, without_masters
from stylizer.vj.strobe import StrobeGuard

METER_FRAMES = 100  # over which fps and step times are told


@dataclass(frozen=True, slots=True)
class VjState:
    """For a page's meters. step_ms: median of the last steps. guard: alive | dead | frozen | burnt | reviving.

    loop: the way that makes the pictures, in words; loop_why: why nothing better does.
    """

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
    loop: str
    loop_why: str


class VjSession:
    """All memory between two frames. `step` belongs to one thread; everything else may be called from any.

    bank: the models. loop: see open_loop; without one, the CPU's. matte: finds the person for `inject = person`;
    without one that is the whole picture.
    """

    def __init__(self, bank: Bank, *, loop: Loop | None = None, matte: Matte | None = None) -> None:
        self.bank, self.loop = bank, loop or open_loop()
        self.tempo, self.modulators = Tempo(), Modulators()
        self._matte = matte
        self._lock = threading.Lock()
        self._controls = defaults("vj")
        self._models: tuple[Model, Model] | None = None
        self._history = History()
        self._morph: Morph | None = None
        self.playing = ""  # the preset that was played last
        self._preset_sound: tuple[Modulator, ...] = ()
        self._offered: PixelsU8 | None = None
        self._offered_by_page: PixelsU8 | None = None
        self._guest: tuple[str, PixelsU8, Guest] | None = None
        self.guard, self.strobe = CollapseGuard(), StrobeGuard()
        self._steps_ms: deque[float] = deque(maxlen=METER_FRAMES)
        self._ends: deque[float] = deque(maxlen=METER_FRAMES)
        self.reset()

    def reset(self) -> None:
        """Black, and the show's clock at zero; controls stay."""
        self.frames, self.time_s, self._at_s = 0, 0.0, 0.0
        self._moving_s = self._noise_time_s = 0.0  # without what was frozen
        self.loop.black()
        self.guard.reset()
        self.strobe.reset()

    @property
    def controls(self) -> dict[str, Value]:
        """As they were set by hand; what sound adds on top is not in it."""
        with self._lock:
            return dict(self._controls)

    def apply(self, changes: Mapping[str, object]) -> None:
        """Sets controls, all or none; the next step shows it. Loads models where they change. A morph goes on without
        these controls.

        Raises BadInput, NotFound, ModelMissing or ModelRejected, and then nothing has changed.
        """
        values = _vj_only(checked(changes))
        models: tuple[Model, Model] | None = None
        names: tuple[Value, Value] | None = None
        while True:
            with self._lock:
                after = self._controls | values
                wanted = after["model_a"], after["model_b"]
                if models is not None and names == wanted:  # else another hand chose one while these were loaded
                    if without_masters(after) != without_masters(self._controls):
                        self._history.note(self._past(), frozenset(values), time.monotonic())
                    self._controls, self._models = after, models
                    self._morph = self._morph and self._morph.without(values)
                    return
            names, models = wanted, self._prepared(after)
            if (morph := self._morph) is not None:
                self._prepared({**after, **morph.end, **values})  # on the way the other slot's model changes over

    def play(self, preset: Preset, *, beats: float = 0) -> None:
        """All controls but the masters to the preset's, at once or on a way of so many beats."""
        end = preset.values
        if beats <= 0:
            self.apply(end)
            return self._follow(preset.name, preset.sound)
        self._prepared(end)  # a bad model is told now, not in the middle of the way
        with self._lock:
            self._history.note(self._past(), frozenset(end), time.monotonic())
            self._morph = Morph(dict(self._controls), end, beats)
        self._follow(preset.name, preset.sound)

    def _past(self) -> Past:
        controls = without_masters(self._controls)
        return Past(controls, self.playing, self._preset_sound, self._morph and replace(self._morph))

    def _follow(self, preset: str, sound: tuple[Modulator, ...]) -> None:
        """A preset's modulators take the place of the last preset's; those set by hand stay."""
        by_hand = tuple(row for row in self.modulators.rows if row not in self._preset_sound)
        self.playing, self._preset_sound = preset, sound
        self.modulators.rows = by_hand + sound

    def undo(self) -> bool:
        """Back to before the last gesture whose models are still there, the masters aside; False when there is none."""
        known = set(self.bank.names)
        with self._lock:
            while (before := self._history.back()) is not None:
                if known.issuperset(before.controls[slot] for slot in SLOTS):
                    break
        if before is None:
            return False
        models = self._prepared(before.controls)
        with self._lock:
            self._controls, self._models, self._morph = self._controls | dict(before.controls), models, before.morph
        if (before.preset, before.sound) != (self.playing, self._preset_sound):
            self._follow(before.preset, before.sound)
        return True

    def preset(self, name: str, title: str) -> Preset:
        """What is played now, as a preset."""
        usual = defaults("vj")
        return Preset(name, title, {n: v for n, v in without_masters(self.controls).items() if v != usual[n]})

    def offer(self, pixels: PixelsU8 | None, *, by_page: bool = False) -> None:
        """The camera's or film's newest frame, uint8 [H, W, 3]; None takes it away.

        by_page: a page's camera, which somebody switched on just now: while it is there it is shown in the other's
        place.
        """
        if by_page:
            self._offered_by_page = pixels
        else:
            self._offered = pixels

    @property
    def guest_pixels(self) -> PixelsU8 | None:
        """The guest's newest frame."""
        by_page = self._offered_by_page
        return self._offered if by_page is None else by_page

    def step(self, dt_s: float, at_s: float | None = None) -> PixelsU8:
        """The next picture, dt_s after the last: uint8 [S, S, 3], S the control `output_size`.

        at_s: now, on the clock by which the tempo is told; the show's own time if None. That one leaves out stalls, and
        music does not. Raises BadInput when dt_s is not above zero.
        """
        if dt_s <= 0:
            raise BadInput(f"dt_s: got {dt_s}, allowed is above 0")
        start = time.perf_counter()
        self._at_s = self.time_s if at_s is None else at_s
        c, models = self._now(dt_s)
        self.time_s += dt_s
        moving_s = 0.0 if c["freeze"] else dt_s
        self._moving_s += moving_s
        self._noise_time_s += moving_s * float(c["noise_speed"])
        with torch.inference_mode():
            moment = self._moment(c, models)
            if not c["freeze"]:
                self.guard.step(self.loop.dream(moment), dt_s, helps=bool(c["collapse_guard"]))
                if self.guard.lost:  # a broken model must not take the show with it
                    self.loop.black()
            shown = self._shown(moment, dt_s)
        self.frames += 1
        self._steps_ms.append((time.perf_counter() - start) * 1e3)
        self._ends.append(time.perf_counter())
        return shown

    @property
    def picture(self) -> Tensor:
        """What the loop holds: float32 [1, 3, 256, 256] in 0..1."""
        return self.loop.picture

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
            beat=self.tempo.beat(self._at_s),
            morphing=self._morph is not None,
            loop=self.loop.standing,
            loop_why=self.loop.why,
        )

    def _now(self, dt_s: float) -> tuple[dict[str, Value], tuple[Model, Model]]:
        """Controls and models of this step: a morph's share of the way, and what sound adds on top."""
        with self._lock:
            if self._morph is not None:
                self._controls = self._controls | self._morph.advance(dt_s * self.tempo.bpm / 60)
                self._models = None
                if self._morph.over:
                    self._morph = None
            controls, models = dict(self._controls), self._models
            if models is None:
                models = self._models = self._load(controls)
        return self.modulators.applied(controls, self.tempo, self._at_s, dt_s), models

    def _load(self, controls: Mapping[str, Value]) -> tuple[Model, Model]:
        return self.bank.get(str(controls["model_a"])), self.bank.get(str(controls["model_b"]))

    def _prepared(self, controls: Mapping[str, Value]) -> tuple[Model, Model]:
        models = self._load(controls)
        self.loop.prepare(models)
        return models

    def _moment(self, c: Mapping[str, Value], models: tuple[Model, Model]) -> Moment:
        return Moment(
            controls=c,
            models=models,
            guest=self._visitor(str(c["inject"])),
            helping=self.guard.noise if c["collapse_guard"] else 0.0,
            noise_s=self._noise_time_s,
            time_s=self._moving_s,
        )

    def _visitor(self, what: str) -> Guest | None:
        pixels = self.guest_pixels
        if what == "none" or pixels is None:
            return None
        if self._guest is None or self._guest[0] != what or self._guest[1] is not pixels:
            self._guest = what, pixels, guest(pixels, what, self._matte)
        visitor = self._guest[2]
        if what == "person" and self._matte is not None:
            alpha = self._matte(visitor.picture)  # found beside the show: a picture that stays gets it later
            if alpha is not visitor.alpha:
                self._guest = what, pixels, replace(visitor, alpha=alpha)
        return self._guest[2]

    def _shown(self, moment: Moment, dt_s: float) -> PixelsU8:
        c, picture = moment.controls, self.loop.coloured(moment)
        if c["blackout"]:
            picture = torch.zeros_like(picture)
        limits = bool(c["strobe_guard"] and not c["blackout"])  # to go dark is no flash; to come back may end one
        picture = self.strobe.step(picture, self.time_s, dt_s, limits=limits)
        pixels, side = u8_from_unit(picture), int(str(c["output_size"]))
        if side == pixels.shape[0]:
            return pixels
        return np.asarray(cv2.resize(pixels, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)


def _vj_only(values: dict[str, Value]) -> dict[str, Value]:
    for name in values:
        if control(name).page != "vj":
            raise BadInput(f"{name} is no control of the VJ instrument")
    return values
