"""The keys of the window: what a show needs when nothing else is plugged in."""

from collections.abc import Mapping

from stylizer.controls import Value, control

STEP = 0.05  # of a control's range per key press
TOGGLES = {"f": "freeze", "b": "blackout", "g": "collapse_guard", "s": "strobe_guard"}
TURNS = {  # key -> control and direction
    "1": ("crossfade", -1),
    "2": ("crossfade", 1),
    "3": ("rate", -1),
    "4": ("rate", 1),
    "5": ("noise_2", -1),
    "6": ("noise_2", 1),
    "7": ("hue", -1),
    "8": ("hue", 1),
    "-": ("zoom", -1),
    "+": ("zoom", 1),
}
GESTURES = {
    " ": "tap",
    "u": "undo",
    "n": "next preset",
    "r": "record",
    "l": "learn",
    "m": "save map",
    "q": "quit",
    "\x1b": "quit",
}
SLOW = ("undo", "next preset", "record", "save map")  # gestures that may wait for a disk, or for a model made ready


def key_change(key: str, controls: Mapping[str, Value]) -> dict[str, Value]:
    """What a key changes, {} for one that is a gesture or nothing. `i` inverts at once, as a switch."""
    if key in TOGGLES:
        return {TOGGLES[key]: not controls[TOGGLES[key]]}
    if key == "i":
        return {"invert": 0.0 if controls["invert"] else 1.0}
    if key in TURNS:
        name, direction = TURNS[key]
        row = control(name)
        return {name: min(max(float(controls[name]) + direction * STEP * (row.hi - row.lo), row.lo), row.hi)}
    return {}


def key_lines() -> list[tuple[str, str, int]]:
    """(key, control or gesture, direction of a turn or 0) of every key."""
    turns = [(key, name, way) for key, (name, way) in TURNS.items()]
    return turns + [(key, what, 0) for key, what in {**TOGGLES, "i": "invert", **GESTURES}.items()]


def help_lines() -> list[str]:
    """One line for each key, for printing."""
    shown, ways = {" ": "space", "\x1b": "escape"}, {1: " up", -1: " down", 0: ""}
    return [f"{shown.get(key, key)}: {what}{ways[way]}" for key, what, way in key_lines()]
