"""THE table of live parameters: adding one is one row.

CLI flags, REST schema, sliders, MIDI and OSC maps are all read from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from stylizer.errors import BadInput, NotFound

Value = float | int | bool | str
Kind = Literal["float", "int", "bool", "choice", "colour", "name"]


@dataclass(frozen=True, slots=True)
class Control:
    """One live parameter.

    kind: float and int have lo..hi; choice has `choices`; colour is "#rrggbb"; name is free text that somebody else
    checks (a style's name, say). page: the instrument it belongs to.
    """

    name: str
    kind: Kind
    default: Value
    help: str
    lo: float = 0.0
    hi: float = 1.0
    unit: str = ""
    choices: tuple[str, ...] = ()
    page: Literal["person", "vj"] = "person"

    def check(self, value: object) -> Value:
        """`value` in this control's type, or BadInput with the name, the value and what is allowed.

        Whole floats pass as ints and ints as floats (JSON and MIDI know no difference); nothing is clamped silently.
        """
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if self.kind in ("float", "int") and number:
            assert isinstance(value, int | float)
            if self.lo <= value <= self.hi and (self.kind == "float" or float(value).is_integer()):
                return float(value) if self.kind == "float" else int(value)
        elif self.kind == "bool" and isinstance(value, bool):
            return value
        elif isinstance(value, str) and self._text_fits(value):
            return value
        raise BadInput(f"{self.name}: got {value!r}, allowed is {self.allowed}")

    def _text_fits(self, value: str) -> bool:
        if self.kind == "choice":
            return value in self.choices
        if self.kind == "colour":
            return len(value) == 7 and value[0] == "#" and all(c in "0123456789abcdefABCDEF" for c in value[1:])
        return self.kind == "name" and 0 < len(value) <= 100

    @property
    def allowed(self) -> str:
        """What `check` lets through, in words."""
        match self.kind:
            case "float" | "int":
                unit = f" {self.unit}" if self.unit else ""
                whole = "whole numbers " if self.kind == "int" else ""
                return f"{whole}{self.lo:.10g} to {self.hi:.10g}{unit}"
            case "choice":
                return " | ".join(self.choices)
            case "bool":
                return "true | false"
            case "colour":
                return "#rrggbb"
            case "name":
                return "a name of 1 to 100 characters"


def _vj(
    name: str, kind: Kind, default: Value, help: str, *, lo: float = 0.0, hi: float = 1.0, unit: str = "", **more: Any
) -> Control:
    return Control(name, kind, default, help, lo=lo, hi=hi, unit=unit, page="vj", **more)


_VJ_ROWS = (
    _vj("model_a", "name", "spirals", "the model in slot A: an embedded one's name or a path"),
    _vj("model_b", "name", "flames", "the model in slot B"),
    _vj("crossfade", "float", 0.0, "0 is A, 1 is B; between them every weight is mixed"),
    _vj("rate", "float", 1.0, "what the last picture is multiplied by before it is fed back", hi=2.0),
    _vj("noise_1", "float", 0.0, "amplitude of the broad noise, fed in each frame"),
    _vj("noise_2", "float", 0.05, "amplitude of the middle noise"),
    _vj("noise_3", "float", 0.0, "amplitude of the fine noise"),
    _vj("noise_speed", "float", 1.0, "how fast the noises change; 1 is Ngx's speed", hi=4.0),
    _vj("zoom", "float", 1.0, "enlargement of each frame; 1 leaves it", lo=0.9, hi=1.1),
    _vj("rotate", "float", 0.0, "turn of each frame, clockwise", lo=-10, hi=10, unit="degrees"),
    _vj("shift_x", "float", 0.0, "movement to the right of each frame, of the side", lo=-0.05, hi=0.05),
    _vj("shift_y", "float", 0.0, "movement downwards of each frame, of the side", lo=-0.05, hi=0.05),
    _vj("fold", "choice", "none", "mirrors in the loop", choices=("none", "mirror", "quad", "kaleidoscope")),
    _vj("segments", "int", 6, "wedges of the kaleidoscope", lo=2, hi=16),
    _vj("focus", "float", 0.0, "below 0 blurs each frame, above 0 sharpens it", lo=-1),
    _vj("inject", "choice", "none", "what of the camera or film enters", choices=("none", "whole", "person", "edges")),
    _vj("inject_gain", "float", 0.4, "how strongly it enters"),
    _vj("inject_blend", "choice", "mix", "how it enters", choices=("mix", "add", "screen", "multiply", "difference")),
    _vj("hue", "float", 0.0, "turns the colours that are shown", lo=-0.5, hi=0.5, unit="turns"),
    _vj("invert", "float", 0.0, "turns the shown picture into its negative"),
    _vj("false_colour", "float", 0.0, "replaces brightness by wandering colours"),
    _vj("freeze", "bool", False, "the picture stands still"),
    _vj("blackout", "bool", False, "nothing is shown while the loop runs on"),
    _vj("strobe_guard", "bool", True, "at most three flashes a second are let through"),
    _vj("collapse_guard", "bool", True, "raises noise gently when the picture dies or burns out"),
    _vj("output_size", "choice", "512", "pixels of the shown picture's side", choices=("256", "512", "1024")),
)
_ROWS = (
    Control("style", "name", "anime", "which style draws the person"),
    Control("style_strength", "float", 1.0, "0 is the photo model, 1 the style; between them the weights are blended"),
    Control(
        "ink",
        "float",
        0.4,
        "how much is drawn over the style's figures: lines and flat tones that follow the person's own edges",
    ),
    Control(
        "eyes",
        "float",
        0.8,
        "how far eyes are drawn by formula where a face is so near that the style's own are blurred",
    ),
    Control(
        "medium",
        "choice",
        "own",
        "what the drawing is carried out in; own is the style's",
        choices=("own", "none", "cel", "halftone", "watercolour", "manga"),
    ),
    Control("seed", "int", 0, "the look: 0 is the person's own, any other number an invented one", hi=2**31 - 1),
    Control("look", "float", 1.0, "how far a look other than 0, or a reference's, replaces the person's own"),
    Control(
        "mix_from",
        "choice",
        "16",
        "layers from this size (px) on take the other look: 16 is all of them, 256 the finest alone",
        choices=("16", "32", "64", "128", "256"),
    ),
    Control("truncation_psi", "float", 1.0, "below 1 pulls the look towards the style's average", hi=1.5),
    Control(
        "background", "choice", "plain", "what stands behind the person", choices=("plain", "picture", "blur", "room")
    ),
    Control("background_colour", "colour", "#e8e4dc", "colour of the plain background"),
    Control(
        "framing",
        "choice",
        "figure",
        "figure: the person fills a square; scene: the whole picture",
        choices=("figure", "scene"),
    ),
    Control("mirror", "bool", False, "left and right are swapped, as in a mirror"),
    *_VJ_ROWS,
)
CONTROLS: Mapping[str, Control] = {row.name: row for row in _ROWS}


def control(name: str) -> Control:
    """Raises NotFound naming the controls there are."""
    try:
        return CONTROLS[name]
    except KeyError:
        raise NotFound(f"no control is called {name!r}; there are {', '.join(CONTROLS)}") from None


def defaults(page: str = "person") -> dict[str, Value]:
    return {c.name: c.default for c in CONTROLS.values() if c.page == page}


def checked(changes: Mapping[str, object]) -> dict[str, Value]:
    """All of `changes` checked, or the first fault raised: a message is taken whole or not at all."""
    return {name: control(name).check(value) for name, value in changes.items()}
