"""Leaves the VJ instrument to itself: is the picture still alive after an hour, and did it ever stall?

python -m benchmarks.vj_hour [--minutes 60] [--preset ngx] [--json F]

`stylizer vj play --web` in a process of its own, at its own pace; nobody turns anything. A control page without a
browser reads the meters that every control page shows: in every second the motion and what the guard says of it.
`longest_stall_s`: between two meters that showed a new picture; they come ten times a second.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from statistics import mean, median

import psutil

from stylizer import machine
from stylizer.cli_report import new_file
from tests.web.doubles import free_port, wait_for
from tests.web.stages import KEY, Page, connected

START_S = 120.0
MINUTES_OF_ROWS = 5.0  # one row of the result


def watched(page: Page, process: psutil.Process, minutes: float) -> dict[str, object]:
    """Reads meters for so long -> the report."""
    signs: Counter[str] = Counter()
    motions: list[float] = []
    rows: list[dict[str, float]] = []
    begin = moved_s = told_s = time.monotonic()
    frames = first = _number(page.until("meters"), "frames")
    stall_s, fresh = 0.0, 0
    while (now := time.monotonic()) - begin < minutes * 60:
        meters = page.until("meters")
        now = time.monotonic()
        if (seen := _number(meters, "frames")) > frames:
            stall_s, moved_s, frames = max(stall_s, now - moved_s), now, seen
        if now - told_s < 1:
            continue
        told_s = now
        signs[str(meters["guard"])] += 1
        motions.append(_number(meters, "motion"))
        if (now - begin) / 60 >= MINUTES_OF_ROWS * (len(rows) + 1):
            rows.append(
                {
                    "minute": round((now - begin) / 60, 1),
                    "fps": round(_number(meters, "fps"), 1),
                    "motion_per_s": round(mean(motions[fresh:]), 3),
                    "guard_interventions": _number(meters, "guard_interventions"),
                    "rss_mib": round(process.memory_info().rss / 2**20, 1),
                }
            )
            fresh = len(motions)
            sys.stdout.write(" ".join(f"{k}={v}" for k, v in rows[-1].items()) + "\n")
            sys.stdout.flush()
    return {
        "minutes": round((now - begin) / 60, 1),
        "pictures": frames - first,
        "fps": round((frames - first) / (now - begin), 1),
        "longest_stall_s": round(stall_s, 2),
        "alive_share": round(signs["alive"] / sum(signs.values()), 4),
        "seconds_of": dict(signs),
        "motion_per_s": {"mean": round(mean(motions), 3), "median": round(median(motions), 3)},
        "guard_interventions": _number(page.newest["meters"], "guard_interventions"),
        "rows": rows,
    }


def _number(meters: dict[str, object], name: str) -> float:
    value = meters[name]
    assert isinstance(value, int | float)
    return value


def _open(base: str) -> bool:
    try:
        with connected(base) as page:
            page.until("meters")
            return True
    except OSError:
        return False


def played(preset: str, minutes: float) -> dict[str, object]:
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "stylizer", "vj", "play", "--web", "--preset", preset, "--port", str(port)]
    quiet = ["--osc-port", "0", "--no-sound"]
    with subprocess.Popen(
        command + quiet, env=os.environ | {"STYLIZER_STAGE_KEY": KEY}, stdout=subprocess.DEVNULL
    ) as show:
        try:
            wait_for(lambda: _open(base), START_S)
            with connected(base) as page:
                return watched(page, psutil.Process(show.pid), minutes)
        finally:
            with contextlib.suppress(ProcessLookupError):
                show.send_signal(signal.SIGTERM)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.vj_hour", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--preset", default="ngx")
    parser.add_argument("--json", type=new_file)
    args = parser.parse_args()
    begun = round(os.getloadavg()[0], 1)
    result = played(args.preset, args.minutes)
    for name, value in result.items():
        sys.stdout.write(f"{name}: {value}\n" if name != "rows" else "")
    if args.json:
        about = {
            "command": "python -m benchmarks.vj_hour " + " ".join(sys.argv[1:]),
            "machine": machine.describe(),
            "date": time.strftime("%Y-%m-%d"),
            "load": [begun, round(os.getloadavg()[0], 1)],
            "preset": args.preset,
        }
        args.json.write_text(json.dumps(about | result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
