"""The charts of docs/performance.md show every result that there is."""

from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from benchmarks import charts


def test_every_run_with_visitors_has_its_lines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A card's was the fifth, and there were four colours."""
    kept: list[Figure] = []
    monkeypatch.setattr(charts, "_save", lambda figure, path: kept.append(figure))
    run: dict[str, Any] = {"command": "stylizer bench live --input a.mp4 --visitors 2"}
    run["visitors"] = [{"server_p95_ms_over_time": [40.0, 50.0]}] * 2
    charts.live([run] * 6, tmp_path / "live.png")
    assert len(kept[0].axes[0].lines) == 12
