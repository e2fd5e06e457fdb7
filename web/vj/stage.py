"""A show as its pages know it: what they see of it, and everything that they may do to it."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from itertools import count

from kernels.pict import BadWeights, parse_pict
from kernels.weights import filters_of
from stylizer.controls import CONTROLS, Control
from stylizer.errors import BadInput, ModelMissing, ModelRejected, NotFound, Unreadable
from stylizer.vj.bank import Bank, Model
from stylizer.vj.inputs.keyboard import GESTURES, TOGGLES, TURNS, key_lines
from stylizer.vj.inputs.mapping import Mapper
from stylizer.vj.inputs.modulation import SOURCES, Modulator
from stylizer.vj.outputs.broadcast import Broadcast
from stylizer.vj.presets import Preset
from stylizer.vj.show import Show
from web.api.models import ControlRow
from web.vj.thumbnails import STEPS, Thumbnails

SLOTS = {"a": "model_a", "b": "model_b"}
MAX_GUESTS = 6  # models dropped in; the oldest that no slot holds makes room
MAX_BEATS = 64.0
KEYS = frozenset({*TOGGLES, *TURNS, *GESTURES, "i"}) - {key for key, what in GESTURES.items() if what == "quit"}

Json = dict[str, object]


class Stage:
    """Any thread may call anything here. What may load a model blocks and does not belong on an event loop.

    devices: names of the MIDI devices that are plugged in now.
    """

    def __init__(
        self,
        show: Show,
        broadcast: Broadcast,
        mapper: Mapper,
        presets: Sequence[Preset],
        devices: Callable[[], tuple[str, ...]] = tuple,
        thumbnail_steps: int = STEPS,
    ) -> None:
        self.show, self.broadcast, self.session = show, broadcast, show.session
        self.thumbnails = Thumbnails(self.bank, thumbnail_steps)
        self._mapper, self._devices = mapper, devices
        self._presets = {preset.name: preset for preset in presets}
        self._guests: list[str] = []
        self._names: set[str] = set()  # of all guests that ever were: pages keep their thumbnails

    @property
    def bank(self) -> Bank:
        return self.session.bank

    # What pages do.

    def set(self, changes: Mapping[str, object]) -> None:
        """Controls, all or none. Models go by name only: a page opens no files of this machine."""
        self.bank.check_known(changes)
        self.session.apply(changes)

    def play(self, name: object, beats: object) -> None:
        if not isinstance(name, str) or name not in self._presets:
            raise NotFound(f"no preset is called {name!r:.60}; there are {', '.join(self._presets)}")
        self.session.play(self._presets[name], beats=_number("beats", beats, 0, MAX_BEATS))

    def press(self, key: object) -> None:
        """A key of the window's map; `quit` is the terminal's alone."""
        if not isinstance(key, str) or key not in KEYS:
            raise BadInput(f"key: got {key!r:.20}, allowed are {' '.join(sorted(KEYS - {' '}))} and the space bar")
        self.show.key(key)

    def set_tempo(self, bpm: object) -> None:
        self.show.set_tempo(_number("bpm", bpm, 30, 300))

    def learn(self, name: object) -> None:
        """The next knob that is touched turns this control; None stops waiting for one."""
        if name is None:
            self._mapper.learning = None
        else:
            self._mapper.learn(_row(name).name)

    def forget(self, name: object) -> None:
        """No knob turns this control any more."""
        row = _row(name)
        self._mapper.bindings = {a: b for a, b in self._mapper.bindings.items() if b.control != row.name}

    def follow(self, name: object, source: object, gain: object) -> None:
        """Sound moves this control by `gain` (in its own unit, None for half its range) at full loudness; source None
        ends that."""
        row = _row(name)
        kept = tuple(each for each in self.session.modulators.rows if each.target != row.name)
        if source is not None:
            span = row.hi - row.lo
            share = span / 2 if gain is None else _number("gain", gain, -span, span)
            kept += (Modulator(str(source), row.name, share),)
        self.session.modulators.rows = kept

    def drop(self, slot: str, file_name: str, data: bytes) -> str:
        """A `.pict` file into a slot -> the model's name. Raises NotFound, BadInput, Unreadable."""
        if slot not in SLOTS:
            raise NotFound(f"no slot is called {slot!r:.20}; there are {', '.join(SLOTS)}")
        name = self._free_name(file_name)
        try:
            weights = parse_pict(data, name=name)
            filters = filters_of(weights, name=name)
        except BadWeights as error:
            raise Unreadable(str(error)) from None
        self._names.add(name)
        self.bank.add(Model(name, filters, weights))
        self._guests.append(name)
        self.session.apply({SLOTS[slot]: name})
        self._make_room()
        return name

    def _free_name(self, file_name: str) -> str:
        """What is left of a file's name when it can do no harm, with a number where it is taken."""
        if not file_name.lower().endswith(".pict"):
            raise BadInput(f"{file_name[-60:]}: only .pict files can be dropped into a slot")
        stem = re.sub(r"[^\w. ()-]+", "-", file_name[:-5])[-48:].strip("-. ") or "model"
        names = (f"{stem}{f'-{n}' if n > 1 else ''}.pict" for n in count(1))
        return next(name for name in names if name not in self._names and name not in self.bank.names)

    def _make_room(self) -> None:
        playing = {self.session.controls[slot] for slot in SLOTS.values()}
        for name in [guest for guest in self._guests if guest not in playing]:
            if len(self._guests) > MAX_GUESTS:
                self._guests.remove(name)
                self.bank.remove(name)

    # What pages see.

    def welcome(self) -> Json:
        rows = [ControlRow.of(row).model_dump() for row in CONTROLS.values() if row.page == "vj"]
        return {"type": "welcome", "table": rows, "keys": key_lines(), "sources": SOURCES}

    def controls(self) -> Json:
        return {"type": "controls", "controls": self.session.controls}

    def shelf(self) -> Json:
        """Models and presets with their titles; `picture` is the thumbnail's mark, "" while it is not made."""
        models = [(name, self._title(name)) for name in self.bank.names]
        for name, _ in models:
            self.thumbnails.want_model(name)
        for preset in self._presets.values():
            self.thumbnails.want_preset(preset)
        mark = self.thumbnails.mark
        return {
            "type": "shelf",
            "models": [{"name": n, "title": t, "picture": mark("model", n)} for n, t in models],
            "presets": [
                {"name": p.name, "title": p.title, "picture": mark("preset", p.name)} for p in self._presets.values()
            ],
        }

    def wiring(self) -> Json:
        """Which knobs turn what, which control waits for one, what follows the sound."""
        knobs: dict[str, list[str]] = {}
        for address, binding in dict(self._mapper.bindings).items():
            knobs.setdefault(binding.control, []).append(address)
        follows = {row.target: {"source": row.source, "gain": row.gain} for row in self.session.modulators.rows}
        return {"type": "wiring", "knobs": knobs, "learning": self._mapper.learning, "follows": follows}

    def meters(self) -> Json:
        touched, trouble = self.show.touched, self.show.trouble
        return {
            "type": "meters",
            **asdict(self.session.state()),
            "sound": dict(self.session.modulators.features),
            "recording": self.show.recording,
            "film": str(self.show.film or ""),
            "trouble": {"text": trouble.text if trouble else "", "count": trouble.count if trouble else 0},
            "sound_to_picture_ms": self.show.sound_to_picture_ms,
            "midi": {
                "devices": self._devices(),
                "address": touched.address if touched else "",
                "position": touched.position if touched else 0.0,
                "count": touched.count if touched else 0,
            },
        }

    def _title(self, name: str) -> str:
        try:
            return self.bank.card(name).title
        except (ModelMissing, ModelRejected):
            return name


def _row(name: object) -> Control:
    if not isinstance(name, str) or name not in CONTROLS or CONTROLS[name].page != "vj":
        raise NotFound(f"no control of the show is called {name!r:.60}")
    return CONTROLS[name]


def _number(name: str, value: object, lo: float, hi: float) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not lo <= value <= hi:
        raise BadInput(f"{name}: got {value!r:.40}, allowed is {lo:g} to {hi:g}")
    return float(value)
