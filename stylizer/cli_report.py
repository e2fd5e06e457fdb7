"""`--json FILE` of the commands that take long: a file that cannot be written is told before the work, not after."""

import os
from pathlib import Path
from typing import Annotated

import typer


def _writable(path: Path | None) -> Path | None:
    if path is not None and (path.is_dir() or not os.access(path.parent, os.W_OK)):
        raise typer.BadParameter(f"{path}: is a folder, or in one that is not there or cannot be written to")
    return path


JsonFile = Annotated[Path | None, typer.Option("--json", help="write the report to this file", callback=_writable)]
