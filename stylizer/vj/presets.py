"""Presets: named sets of control values in TOML; the way from one to another; and the way back."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from stylizer.controls import CONTROLS, Value, checked, control, defaults
from stylizer.errors import BadInput, NotFound
from stylizer.toml import parse_toml, toml_value
from stylizer.vj.inputs.modulation import Modulator

EMBEDDED = Path(__file__).parent / "presets"
HISTORY = 100
ONE_GESTURE_S = 0.7  # changes of the same control that follow each other so closely are undone together
FINGERS = 10  # what changes more controls at once is a preset
MASTERS = ("blackout", "freeze")  # a hand's alone: no preset and no undo lights a room that was made dark


@dataclass(frozen=True, slots=True)
class Preset:
    """controls: only what differs from the table's defaults; `values` has all but the masters and `inject`, which stay
    as they are where they are not named: whom a hand let in is not sent away. sound: what follows the music.
    """

    name: str
    title: str
    controls: Mapping[str, Value]
    sound: tuple[Modulator, ...] = ()

    @property
    def values(self) -> dict[str, Value]:
        usual = without_masters(defaults("vj"))
        del usual["inject"]
        return usual | dict(self.controls)

    def to_toml(self) -> str:
        rows = [f"{name} = {toml_value(value)}" for name, value in sorted(self.controls.items())]
        tables = ["[controls]\n" + "".join(row + "\n" for row in rows)]
        for each in self.sound:
            tables.append("[[sound]]\n" + "".join(f"{name} = {toml_value(v)}\n" for name, v in each.fields().items()))
        return f"title = {toml_value(self.title)}\n\n" + "\n".join(tables)


def without_masters(controls: Mapping[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in controls.items() if name not in MASTERS}


def read_preset(path: Path) -> Preset:
    """Raises BadInput naming the file and the fault."""
    try:
        return parse_preset(path.read_bytes(), path.stem, str(path))
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from None


def parse_preset(text: bytes, name: str, where: str, page: str = "vj") -> Preset:
    """A preset file's content. where: what the message calls it. page: whose controls it may hold. Raises BadInput."""
    try:
        table = parse_toml(text)
    except ValueError as error:
        raise BadInput(f"{where}: not TOML: {error}") from None
    controls, title = table.get("controls"), table.get("title", name)
    sound = table.get("sound", [])
    if not isinstance(controls, dict) or not isinstance(title, str) or table.keys() - {"title", "controls", "sound"}:
        raise BadInput(f"{where}: a preset has a title, a table [controls] and tables [[sound]], nothing else")
    if not isinstance(sound, list) or not all(isinstance(row, dict) for row in sound):
        raise BadInput(f"{where}: sound is written as tables [[sound]]")
    try:
        values, follows = checked(controls), tuple(Modulator.of(row) for row in sound)
    except (BadInput, NotFound) as error:
        raise BadInput(f"{where}: {error}") from None
    if strangers := [name for name in values if control(name).page != page]:
        raise BadInput(f"{where}: {', '.join(strangers)} belong to another page")
    return Preset(name, title, values, follows)


def presets() -> dict[str, Preset]:
    return {path.stem: read_preset(path) for path in sorted(EMBEDDED.glob("*.toml"))}


def find_preset(name: str) -> Preset:
    """An embedded preset by name, or a file. Raises NotFound naming what there is."""
    if name.endswith(".toml"):
        return read_preset(Path(name))
    known = presets()
    if name not in known:
        raise NotFound(f"no preset is called {name!r}; there are {', '.join(known)}, and paths that end in .toml")
    return known[name]


def between(a: Mapping[str, Value], b: Mapping[str, Value], share: float) -> dict[str, Value]:
    """Numbers go along straight lines, whole numbers by steps; all else changes over at the half. Exact at 0 and 1."""
    mixed: dict[str, Value] = {}
    for name, end in b.items():
        start = a.get(name, end)
        if share <= 0 or share >= 1:
            mixed[name] = start if share <= 0 else end
        elif CONTROLS[name].kind in ("float", "int"):
            value = float(start) + share * (float(end) - float(start))
            mixed[name] = round(value) if CONTROLS[name].kind == "int" else value
        else:
            mixed[name] = start if share < 0.5 else end
    return mixed


@dataclass(slots=True)
class Morph:
    """On the way to `end`, `beats` long."""

    start: Mapping[str, Value]
    end: Mapping[str, Value]
    beats: float
    done_beats: float = 0.0

    @property
    def over(self) -> bool:
        return self.done_beats >= self.beats - 1e-6  # sums of fractions fall short of whole beats

    def without(self, names: Collection[str]) -> "Morph | None":
        """The way of the other controls; None where there are none."""
        end = {name: value for name, value in self.end.items() if name not in names}
        return replace(self, end=end) if end else None

    def advance(self, beats: float) -> dict[str, Value]:
        self.done_beats += beats
        return between(self.start, self.end, 1.0 if self.over else self.done_beats / self.beats)


class Past(NamedTuple):
    """What was played: all controls but the masters, the preset's name and modulators, and the way they were on."""

    controls: Mapping[str, Value]
    preset: str
    sound: tuple[Modulator, ...]
    morph: Morph | None


class History:
    """What was played, gesture by gesture. Two fingers that turn a control each make two, side by side."""

    def __init__(self) -> None:
        self._states: list[Past] = []
        self._going: dict[str, float] = {}  # controls that fingers turn, with the time of the last change

    def note(self, before: Past, names: frozenset[str], time_s: float) -> None:
        """before: as it was before the controls `names` changed."""
        if any(time_s - self._going.get(name, -1e9) > ONE_GESTURE_S for name in names):
            self._states = [*self._states[1 - HISTORY :], before]
        if len(names) > FINGERS:
            self._going.clear()
        else:
            self._going |= dict.fromkeys(names, time_s)

    def back(self) -> Past | None:
        """As it was one gesture ago; None at the beginning."""
        self._going.clear()
        return self._states.pop() if self._states else None
