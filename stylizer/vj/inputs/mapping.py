"""From a knob to a control: which message turns what, learning by touch, and soft take-over.

A message's address is text, so one map serves all instruments: "cc:0:77" is controller 77 of channel 0, "note:0:41" a
key. Values come as 0..1.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from stylizer.controls import Control, Value, control
from stylizer.errors import BadInput, NotFound
from stylizer.toml import parse_toml

PICK_UP = 1.5 / 127  # of the control's range: a knob takes over when it comes so near


@dataclass(frozen=True, slots=True)
class Binding:
    """What an address does.

    value: set to this when the message comes with more than 0 (keys); None lets the message's own value decide.
    part: "whole" spans lo..hi; "up" and "down" are a pair of knobs whose difference moves the control away from its
    default, as Ngx has them for rate and hue.
    """

    address: str
    control: str
    value: Value | None = None
    part: str = "whole"

    def __post_init__(self) -> None:
        row = control(self.control)
        if row.page != "vj":
            raise BadInput(f"{self.address}: {self.control} is no control of the VJ instrument")
        if self.value is not None:
            row.check(self.value)
        elif row.kind in ("name", "colour"):
            raise BadInput(f"{self.address}: {self.control} needs a value")
        if self.part not in ("whole", "up", "down"):
            raise BadInput(f"{self.address}: part {self.part!r}, allowed is whole | up | down")


class Mapper:
    """Memory between messages: each knob's position, which knobs have taken over, and what is being learned.

    bindings: by address; replaced as a whole, never changed in place: other threads read them.
    soft: a knob that stands elsewhere than its control does nothing until it passes the control's value.
    """

    def __init__(self, bindings: Iterable[Binding] = (), *, soft: bool = True) -> None:
        self.soft = soft
        self.bindings = {b.address: b for b in bindings}
        self._knobs: dict[str, float] = {}
        self._holds: set[str] = set()
        self._sent: dict[str, Value] = {}
        self.learning: str | None = None

    def learn(self, name: str) -> None:
        """The next message is bound to this control. Raises NotFound or BadInput at once for one that cannot be."""
        Binding("learned", name)
        self.learning = name

    def change(self, address: str, position: float, controls: dict[str, Value]) -> dict[str, Value]:
        """position: 0..1. controls: as they stand -> what the message changes, often nothing."""
        if self.learning is not None:
            self.bindings = {**self.bindings, address: Binding(address, self.learning)}
            self._holds.discard(address)
            self.learning = None
        binding = self.bindings.get(address)
        before, self._knobs[address] = self._knobs.get(address), position
        if binding is None:
            return {}
        row = control(binding.control)
        if binding.value is not None:
            return {row.name: binding.value} if position > 0 else {}
        if row.kind == "bool" and address.startswith("note:"):  # of a key the position is how hard it was struck
            return {row.name: position > 0}
        value = self._value(binding, row, position)
        knob = address if binding.part == "whole" else row.name  # a pair is one knob
        if self.soft and row.kind in ("float", "int"):
            was = None if before is None else self._value(binding, row, before)
            if not self._taken_over(knob, was, value, row, controls[row.name]):
                return {}
        self._sent[knob] = value
        return {row.name: value}

    def unplugged(self, addresses: Iterable[str]) -> None:
        """Their device is gone. Once it is back they may stand anywhere, and must meet their controls again."""
        for address in addresses:
            self._knobs.pop(address, None)
            self._holds.discard(address)
            if (binding := self.bindings.get(address)) is not None:
                self._holds.discard(binding.control)  # of a pair

    def _taken_over(self, knob: str, was: Value | None, value: Value, row: Control, now: Value) -> bool:
        """A knob holds its control until somebody else moves that; then it must meet it again."""
        if knob in self._holds and self._sent.get(knob) == now:
            return True
        start, end, target = float(value if was is None else was), float(value), float(now)
        if min(start, end) <= target <= max(start, end) or abs(end - target) <= PICK_UP * (row.hi - row.lo):
            self._holds.add(knob)
            return True
        self._holds.discard(knob)
        return False

    def _value(self, binding: Binding, row: Control, position: float) -> Value:
        """What a knob says that stands there, by itself or as one of a pair."""
        return value_at(row, position) if binding.part == "whole" else self._difference(binding, row, position)

    def _difference(self, binding: Binding, row: Control, position: float) -> float:
        knobs = {b.part: self._knobs.get(b.address, 0.0) for b in self.bindings.values() if b.control == row.name}
        knobs[binding.part] = position
        span = row.hi - float(row.default), float(row.default) - row.lo
        value = float(row.default) + knobs.get("up", 0.0) * span[0] - knobs.get("down", 0.0) * span[1]
        return min(max(value, row.lo), row.hi)


def value_at(row: Control, position: float) -> Value:
    """position 0..1 -> the control's value: along its range, its choices, or off below and on from a half."""
    if row.kind == "bool":
        return position >= 0.5
    if row.kind == "choice":
        return row.choices[min(int(position * len(row.choices)), len(row.choices) - 1)]
    value = row.lo + position * (row.hi - row.lo)
    return round(value) if row.kind == "int" else value


def ngx_map(models: Iterable[str]) -> tuple[Binding, ...]:
    """Ngx's own: mix, noises, feedback down and up, false colour, hue, invert, and keys for up to eight models."""
    knobs = {77: "crossfade", 78: "noise_1", 79: "noise_2", 80: "noise_3", 83: "false_colour", 84: "invert"}
    rows = [Binding(f"cc:0:{cc}", name) for cc, name in knobs.items()]
    pairs = ((81, "rate", "down"), (82, "rate", "up"), (55, "hue", "down"), (56, "hue", "up"))
    rows += [Binding(f"cc:0:{cc}", name, part=part) for cc, name, part in pairs]
    for slot, keys in (("model_a", (*range(41, 45), *range(57, 61))), ("model_b", (*range(73, 77), *range(89, 93)))):
        rows += [Binding(f"note:0:{k}", slot, value=m) for k, m in zip(keys, models, strict=False)]
    return tuple(rows)


def save_map(path: Path, bindings: Iterable[Binding]) -> None:
    """TOML, one line each: "cc:0:77" = "crossfade". Only learned ones: values and parts belong to maps in code.

    A file that cannot be read, by a slip of somebody's pen, is kept beside it as NAME.wrong. Raises OSError, and then
    the file is as it was.
    """
    plain = [b for b in bindings if b.value is None and b.part == "whole"]
    new = path.with_name(path.name + ".new")
    new.write_text("".join(f'"{b.address}" = "{b.control}"\n' for b in plain), encoding="utf-8")
    try:
        read_map(path)
    except BadInput:
        with suppress(FileNotFoundError):
            os.replace(path, path.with_name(path.name + ".wrong"))
    os.replace(new, path)


def read_map(path: Path) -> tuple[Binding, ...]:
    """Raises BadInput naming the file and the fault."""
    try:
        return tuple(Binding(a, str(c)) for a, c in parse_toml(path.read_bytes()).items())
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from None
    except (BadInput, NotFound) as error:
        raise BadInput(f"{path}: {error}") from None
    except ValueError as error:
        raise BadInput(f"{path}: not TOML: {error}") from None
