"""Training runs on disk, as `stylizer train` leaves them: what the studio shows of them."""

import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

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
        """Lines of the log; the last one may be in the middle of being written."""
        lines = (self.folder / "log.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.endswith("}")]

    def settings(self) -> dict[str, object]:
        path = self.folder / "settings.toml"
        return tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}

    def samples(self) -> list[Path]:
        """Grids, oldest first."""
        return sorted(self.folder.glob("samples_*.png"))


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
