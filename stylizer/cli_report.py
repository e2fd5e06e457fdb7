"""`--json`: valid JSON on standard output, or in a file that is known to be writable before the work begins."""

import json
import math
import os
from argparse import ArgumentTypeError
from pathlib import Path
from typing import Annotated

import typer


def new_file(text: str, suffix: str = ".json") -> Path:
    """The file that a long work will write; an argparse `type`. Raises ArgumentTypeError for one that it could not."""
    path = Path(text)
    if path.suffix.lower() != suffix:  # a picture's or a film's name: it would be lost
        raise ArgumentTypeError(f"{path}: is no name for a report; allowed is {suffix}")
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise ArgumentTypeError(f"{path}: is a folder, or in one that is not there or cannot be written to")
    return path


def _writable(path: Path | None) -> Path | None:
    try:
        return path and new_file(str(path))
    except ArgumentTypeError as error:
        raise typer.BadParameter(str(error)) from None


JsonFlag = Annotated[bool, typer.Option("--json", help="print JSON")]
JsonFile = Annotated[Path | None, typer.Option("--json", help="write the report to this JSON file", callback=_writable)]


def valid_json(value: object) -> str:
    """NaN and infinity become null: JSON has no word for them."""
    return json.dumps(_finite(value), indent=2, ensure_ascii=False, allow_nan=False)


def save_report(report: Path | None, value: object) -> None:
    """report: as `JsonFile` gives it; None writes nothing."""
    if report is not None:
        report.write_text(valid_json(value) + "\n", encoding="utf-8")


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
