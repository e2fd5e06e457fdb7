"""The long day in short: what it reports is what was there, and what grows is named."""

import json
import os
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from benchmarks import soak
from benchmarks.soak import Report, Sample, Tally
from tests.conftest import CHECKOUT

MINUTES = 60.0


def _samples(rss_mib_per_hour: float = 0.0, threads_per_hour: float = 0.0) -> list[Sample]:
    """A warm-up of ten minutes in which much is taken, then a line; a visitor's 80 MiB come and go upon it."""
    rows = []
    for at_s in range(0, int(MINUTES * 60), 5):
        hours = at_s / 3600
        rss = 1000 + 200 * min(1.0, at_s / 600) + rss_mib_per_hour * hours + 80 * (at_s // 20 % 2)
        rows.append(Sample(at_s, rss, 20, round(40 + threads_per_hour * hours), 0.0, at_s // 20 % 2, at_s * 4))
    return rows


def _report(samples: list[Sample]) -> Report:
    ends = samples[0], replace(samples[0], rss_mib=1010.0)
    return soak.report(MINUTES, 1, 4.0, Tally(served=150), samples, ends, 0, 1.5)


GOOD = _report(_samples())


@pytest.mark.parametrize("slope", [0.0, 41.0, -16.0])
def test_the_slope_is_that_of_the_line_whatever_comes_and_goes_upon_it(slope: float) -> None:
    found = _report(_samples(slope))
    assert found.rss_mib_per_hour == pytest.approx(slope, abs=3)
    assert found.rss_mib_per_hour_late == pytest.approx(slope, abs=8), "half as long: one visitor weighs more"


def test_a_good_hour_has_no_faults() -> None:
    assert soak.faults(GOOD) == []


@pytest.mark.parametrize(
    "spoilt, words",
    [
        (_report(_samples(rss_mib_per_hour=41)), "resident memory, MiB: +4"),
        (_report(_samples(threads_per_hour=30)), "threads: +29"),
        (replace(GOOD, rss_mib_empty=(1000.0, 1400.0)), "resident memory, MiB: 1000 with nobody there, then 1400"),
        (replace(GOOD, descriptors_empty=(14, 40)), "descriptors: 14 with nobody there, then 40"),
        (replace(GOOD, threads_empty=(14, 40)), "threads: 14 with nobody there, then 40"),
        (replace(GOOD, gpu_mib_per_hour=90.0), "card's memory, MiB: +90"),
        (replace(GOOD, failed=3), "3 frames failed"),
        (replace(GOOD, visitors_served=0), "nobody was served"),
        (replace(GOOD, stopped_in_s=9.0), "SIGTERM took 9 s"),
    ],
)
def test_what_a_booth_could_not_bear_is_named(spoilt: Report, words: str) -> None:
    (fault,) = soak.faults(spoilt)
    assert words in fault


def test_in_a_run_of_minutes_the_slope_is_no_fault() -> None:
    assert soak.faults(replace(GOOD, minutes=3.0, rss_mib_per_hour_late=900.0)) == []


def test_the_cards_memory_is_read_from_nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert soak.gpu_mib() == 0
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\necho 1200\necho 34\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    assert soak.gpu_mib() == 1234


def test_own_memory_is_what_no_file_backs() -> None:
    before = soak.own_mib(os.getpid())
    kept = np.ones(64 * 2**20, np.uint8)
    assert 60 < soak.own_mib(os.getpid()) - before < 70 and kept.size
    assert 0 < before < psutil.Process().memory_info().rss / 2**20
    assert soak.own_mib(2**30) == 0.0


def test_the_committed_hour_is_whole_and_without_faults() -> None:
    told = json.loads((CHECKOUT / "benchmarks" / "soak" / "60min.json").read_text())
    hour = Report(**{**told, "samples": tuple(Sample(**row) for row in told["samples"])})
    assert hour.minutes >= 60 and hour.samples[-1].at_s >= 3600 and hour.visitors_served > 100
    assert soak.faults(hour) == []
    again = soak.report(
        hour.minutes,
        hour.seats,
        hour.fps,
        Tally(hour.visitors_served, hour.reconnects, hour.turned_away),
        list(hour.samples),
        (hour.samples[0], hour.samples[-1]),
        hour.failed,
        hour.stopped_in_s,
    )
    assert asdict(again)["rss_mib_per_hour_late"] == hour.rss_mib_per_hour_late, "the figures are those of the samples"
    assert asdict(again)["rss_mib_per_hour"] == hour.rss_mib_per_hour


CARD = """#!/bin/sh
echo x >> "$0.asked"
expr 1000 + 8 '*' $(wc -l < "$0.asked")
"""


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_shortest_soak_serves_visitors_of_a_real_worker_and_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a card, as far as nvidia-smi says, that holds 8 MiB more at every look."""
    told, drawn, card = tmp_path / "soak.json", tmp_path / "soak.png", tmp_path / "nvidia-smi"
    card.write_text(CARD)
    card.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    wanted = ["--minutes", "0.25", "--seats", "1", "--fps", "6", "--stay", "2", "4", "--json", told, "--plot", drawn]
    monkeypatch.setattr(sys, "argv", ["soak", *map(str, wanted)])
    monkeypatch.setattr(soak, "EMPTY_S", 1.0)
    monkeypatch.setattr(soak, "FIRST_STAY_S", 3.0)
    monkeypatch.setattr(soak, "faults", lambda _: ["the last word"])  # pools still fill in the first seconds
    with pytest.raises(SystemExit, match="soak: the last word"):
        soak.main()
    report = json.loads(told.read_text())
    assert report["visitors_served"] >= 2 and report["frames_out"] > 10 and len(report["samples"]) >= 3
    assert min(sample["threads"] for sample in report["samples"]) > 5
    on_card = [sample["gpu_mib"] for sample in report["samples"]]
    assert min(on_card) > 1000 and set(np.diff(on_card)) == {8.0}
    assert report["gpu_mib_per_hour"] > 1000
    assert 0 < report["stopped_in_s"] < 25, "how soon is the soak's own question, on a machine that is its own"
    assert drawn.read_bytes().startswith(b"\x89PNG")
