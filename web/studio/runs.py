"""Training runs on disk, as `stylizer train` leaves them: what the studio shows of them."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stylizer.toml import parse_toml

MAX_POINTS = 400  # of a curve: more than a screen shows only make it slow
NOT_CURVES = ("step", "time")


@dataclass(frozen=True, slots=True)
class Run:
    """A folder with a log. Each question reads the disk, so that a running training is seen growing."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    def rows(self) -> list[dict[str, float]]:
        """Lines of the log, each with its step; one that is half written or another program's is left out."""
        return list(_rows((self.folder / "log.jsonl").read_bytes()))

    def settings(self) -> dict[str, object]:
        """Those of the training, or what is wrong with the file."""
        path = self.folder / "settings.toml"
        try:
            return parse_toml(path.read_bytes()) if path.is_file() else {}
        except ValueError as error:
            return {path.name: error}

    def samples(self) -> list[Path]:
        """Grids, oldest first."""
        return sorted(self.folder.glob("samples_*.png"))


def _rows(log: bytes) -> Iterator[dict[str, float]]:
    for line in log.splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and "step" in row and all(isinstance(value, int | float) for value in row.values()):
            yield row


def runs(root: Path) -> list[Run]:
    """Every folder with a log in `root`, newest first."""
    logs = sorted(root.glob("*/log.jsonl"), key=lambda log: log.stat().st_mtime, reverse=True)
    return [Run(log.parent) for log in logs]


def curves(rows: Sequence[dict[str, float]]) -> dict[str, list[tuple[float, float]]]:
    """Name -> (step, mean) points: each the mean of what was logged in its stretch of steps."""
    names = dict.fromkeys(name for row in rows for name in row if name not in NOT_CURVES)
    return {name: _thinned([(row["step"], row[name]) for row in rows if name in row]) for name in names}


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    groups = np.array_split(np.array(points, float), min(MAX_POINTS, len(points)))
    return [(float(group[-1, 0]), float(group[:, 1].mean())) for group in groups]
