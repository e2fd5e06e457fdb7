"""The table of controls: every row checks itself, and a message is taken whole or not at all."""

import re
from pathlib import Path

import pytest

from stylizer.controls import CONTROLS, Control, checked, control, defaults
from stylizer.errors import BadInput, NotFound


@pytest.mark.parametrize("row", CONTROLS.values(), ids=lambda row: row.name)
def test_default_is_allowed_and_help_is_there(row: Control) -> None:
    assert row.check(row.default) == row.default
    assert row.help and row.allowed


@pytest.mark.parametrize(
    "name, good, wanted, bad",
    [
        ("style_strength", 1, 1.0, 1.01),
        ("style_strength", 0.25, 0.25, True),
        ("style_strength", 0.5, 0.5, float("nan")),
        ("seed", 3.0, 3, 3.5),
        ("seed", 3, 3, -1),
        ("mirror", True, True, 1),
        ("background", "blur", "blur", "sea"),
        ("background_colour", "#00fFaa", "#00fFaa", "00ffaa0"),
        ("style", "anime", "anime", ""),
        ("style", "x", "x", None),
    ],
)
def test_values_are_taken_in_the_rows_own_type(name: str, good: object, wanted: object, bad: object) -> None:
    value = control(name).check(good)
    assert value == wanted and type(value) is type(wanted)
    with pytest.raises(BadInput, match=name):
        control(name).check(bad)


def test_unknown_names_are_told_what_there_is() -> None:
    with pytest.raises(NotFound, match="style_strength"):
        checked({"seed": 1, "strenght": 1})


def test_the_readme_tells_every_control_of_the_live_picture_with_its_default() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|", readme, re.MULTILINE))
    assert told.keys() == defaults().keys()
    for name, default in defaults().items():
        shown = told[name].strip("`")
        assert shown == (f"{default:g}" if isinstance(default, float) else str(default).lower()), name
