"""TOML that strangers wrote, read with one kind of refusal; and values written so that it reads them back."""

import json
import math
import tomllib
from typing import Any


def parse_toml(content: bytes) -> dict[str, Any]:
    """Raises ValueError saying what is wrong with it, whatever that is."""
    try:
        return tomllib.loads(content.decode("utf-8-sig"))  # Windows' editors begin with a mark
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def toml_value(value: object) -> str:
    """A string, number, boolean or list of them: JSON and TOML differ in one character and in inf and nan."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
