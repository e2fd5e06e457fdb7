"""Draws the charts of docs/performance.md from the committed results.

python -m benchmarks.charts [FOLDER]     (docs/performance by default; needs matplotlib)
"""

import json
import sys
from itertools import cycle
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402  after the backend

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(RESULTS.glob("stages-*.json")):
        stages(json.loads(path.read_text(encoding="utf-8")), folder / f"{path.stem}.png")
    lives = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("live-*.json"))]
    if lives:
        live(lives, folder / "live.png")


def stages(result: dict[str, Any], path: Path) -> None:
    """A bar for each stage on each engine, with its floor in front."""
    rows = result["rows"]
    names = [f"{r['stage']}, {r['engine']}, {r['threads']} thread{'s' * (r['threads'] > 1)}" for r in rows]
    figure, axes = pyplot.subplots(figsize=(8, 0.3 * len(rows) + 1.2), layout="constrained")
    axes.barh(names, [r["p50_ms"] for r in rows], color="#9db4c0", label="median")
    axes.barh(names, [r["floor_ms"] for r in rows], height=0.35, color="#c2553d", label="floor")
    axes.invert_yaxis()
    axes.set_xlabel("ms")
    axes.set_title(f"{result['machine']['cores']} cores of {result['machine']['cpu']}, {result['date']}", fontsize=9)
    axes.legend()
    _save(figure, path)


def live(results: list[dict[str, Any]], path: Path) -> None:
    """The worker's own latency (p95) over each run, one line for each visitor."""
    figure, axes = pyplot.subplots(figsize=(7, 3.2), layout="constrained")
    for result, colour in zip(results, cycle(("#c2553d", "#4a7c8c", "#8a9a5b", "#6b5b95")), strict=False):
        label = result["command"].split("--", 2)[2]
        for guest in result["visitors"]:
            axes.plot(guest["server_p95_ms_over_time"], color=colour, label=label)
            label = "_" + label
    axes.set_ylim(bottom=0)
    axes.set_xlabel("tenths of the run")
    axes.set_ylabel("ms, p95")
    axes.legend(fontsize=7)
    _save(figure, path)


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, dpi=110, metadata={"Software": None})
    pyplot.close(figure)
    sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "performance")
