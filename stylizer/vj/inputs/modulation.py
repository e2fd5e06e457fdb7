"""Lets sound and tempo move controls: each modulator adds a feature, shaped, to one control."""

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self

from stylizer.controls import CONTROLS, Value, control
from stylizer.errors import BadInput
from stylizer.vj.inputs.clock import Tempo

NUMBERS = ("gain", "attack_s", "release_s", "lo", "hi")
SOURCES = ("level", "low", "mid", "high", "flux", "onset", "beat")


@dataclass(frozen=True, slots=True)
class Modulator:
    """control += gain * envelope(source), kept within lo..hi and the control's own range.

    source: a name of SOURCES, each 0..1; `beat` falls from 1 to 0 in each beat. attack_s, release_s: time constants of
    the envelope's rise and fall. Raises BadInput for a source or control that cannot be used so.
    """

    source: str
    target: str
    gain: float = 1.0
    attack_s: float = 0.01
    release_s: float = 0.2
    lo: float = -math.inf
    hi: float = math.inf

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            raise BadInput(f"source: got {self.source!r}, allowed is {', '.join(SOURCES)}")
        able = [row.name for row in CONTROLS.values() if row.page == "vj" and row.kind == "float"]
        if self.target not in able:
            raise BadInput(
                f"{self.target}: only number controls of the VJ instrument can follow sound: {', '.join(able)}"
            )
        if not (math.isfinite(self.gain) and self.attack_s >= 0 and self.release_s >= 0 and self.lo <= self.hi):
            raise BadInput(
                f"{self.target}: gain is finite, attack and release are 0 or more seconds, and lo is not above hi"
            )

    @classmethod
    def of(cls, fields: Mapping[str, object]) -> Self:
        """From a preset's table: source, target and any of the numbers. Raises BadInput."""
        numbers = {name: value for name, value in fields.items() if name not in ("source", "target")}
        if strange := fields.keys() - NUMBERS - {"source", "target"}:
            allowed = f"source, target, {', '.join(NUMBERS)}"
            raise BadInput(f"sound: {', '.join(sorted(strange))} is unknown, allowed are {allowed}")
        for name, value in numbers.items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise BadInput(f"sound: {name} is a number, got {value!r}")
        return cls(
            str(fields.get("source")), str(fields.get("target")), **{k: float(str(v)) for k, v in numbers.items()}
        )

    @classmethod
    def parsed(cls, text: str) -> Self:
        """ "low>zoom gain=0.02 release_s=0.4": source, target, then numbers. Raises BadInput."""
        way, *rest = text.replace(",", " ").split() or [""]
        source, arrow, target = way.partition(">")
        pairs = [item.partition("=") for item in rest]
        try:
            numbers = {name: float(value) for name, _, value in pairs}
        except ValueError:
            arrow, numbers = "", {}
        if not arrow:
            raise BadInput(f"sound: got {text!r}, allowed is like 'low>zoom gain=0.02 release_s=0.4'")
        return cls.of({"source": source, "target": target, **numbers})

    def fields(self) -> dict[str, str | float]:
        """What `of` reads: only what differs from the defaults."""
        own: dict[str, str | float] = {"source": self.source, "target": self.target}
        return own | {f.name: getattr(self, f.name) for f in fields(self)[2:] if getattr(self, f.name) != f.default}


class Modulators:
    """Memory between frames: each envelope. `features`: the newest of the sound; `hear` sets them from any thread.

    rows: of the preset that plays, or as a page sets them. always: of the command line, whatever preset plays.
    """

    def __init__(self) -> None:
        self.rows: tuple[Modulator, ...] = ()
        self.always: tuple[Modulator, ...] = ()
        self.features: Mapping[str, float] = {}
        self._envelopes: dict[Modulator, float] = {}
        self._seen, self._lock = True, threading.Lock()

    def hear(self, features: Mapping[str, float]) -> None:
        """The newest features. An onset lasts 5 ms, a picture longer: it stays until a picture has seen it."""
        with self._lock:
            onset = 0.0 if self._seen else self.features.get("onset", 0.0)
            self.features = {**features, "onset": max(onset, features.get("onset", 0.0))}
            self._seen = False

    def applied(self, controls: dict[str, Value], tempo: Tempo, time_s: float, dt_s: float) -> dict[str, Value]:
        """`controls` with all modulators added."""
        rows = self.rows + self.always
        with self._lock:
            features = {**self.features, "beat": 1 - tempo.phase(time_s)}
            self._seen = True
        self._envelopes = {row: self._envelopes.get(row, 0.0) for row in rows}
        for row in rows:
            heard, envelope = features.get(row.source, 0.0), self._envelopes[row]
            constant = row.attack_s if heard > envelope else row.release_s
            envelope += (heard - envelope) * (1 - math.exp(-dt_s / constant) if constant else 1.0)
            self._envelopes[row] = envelope
            value, own = float(controls[row.target]) + row.gain * envelope, control(row.target)
            controls[row.target] = min(max(min(max(value, row.lo), row.hi), own.lo), own.hi)
        return controls
