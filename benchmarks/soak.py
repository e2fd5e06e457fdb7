"""A booth's long day in short: visitors come and go at a worker, and what it holds on to is measured.

python -m benchmarks.soak --minutes 60 --seats 2 --fps 12 --json F.json [--plot F.png] [--stay 1 3]

The worker is `stylizer serve` in a process of its own, with the weights that STYLIZER_MODELS names. Each seat takes one
visitor after another: they stay some seconds, change the style's strength, ask for a new line, leave with or without a
word. Every few seconds the worker's resident memory, descriptors, threads and the card's memory are read; the table
tells how they grow after the warm-up. Exit status 1, in words, when something grew or went wrong (`faults`).
"""

import argparse
import asyncio
import contextlib
import json
import os
import platform
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import httpx
import numpy as np
import psutil
from fastapi import FastAPI

from benchmarks.clip_camera import ClipCamera
from stylizer.cli_report import new_file
from tests.web.doubles import Running, Visitor, free_port

STAY_S = (8.0, 30.0)
SAMPLE_S = 5.0
START_S = 600.0  # the first start compiles networks
WARM_UP = 1 / 4  # of the run: caches fill, the allocator finds its size
EMPTY_S = 35.0  # after the last visitor: threads end, connections time out, freed memory is handed back
STRENGTHS = (0.7, 1.0)  # each is compiled when it rests, and then stays
FIRST_STAY_S = 15.0
SLOPE_FROM_MIN = 30.0  # in a shorter run a slope is mostly what the visitors of its end happen to hold
RSS_MIB_PER_HOUR = 30.0  # by which a worker of 2 GiB would last ten days on 10 GiB
RSS_MIB_EMPTY = 250.0  # between two empty houses: a second strength or style compiled in between takes 160
POOLED = 16  # threads and descriptors that pools and the first visitors of a kind bring, and keep
STOP_S = 5.0


@dataclass(frozen=True, slots=True)
class Sample:
    """gpu_mib: of the whole card, 0 where there is no NVIDIA card. frames_out: finished pictures so far. own_mib: what
    of rss_mib is no file's (libraries and weights, which the system takes back and reads anew); 0 where it is not told.
    """

    at_s: float
    rss_mib: float
    descriptors: int
    threads: int
    gpu_mib: float
    visitors: int
    frames_out: int
    own_mib: float = 0.0


@dataclass(frozen=True, slots=True)
class Report:
    """Slopes by least squares over the samples after the warm-up, *_late over the last half of the run.

    *_empty: with nobody there, before and after all.
    In a run of minutes a slope is mostly what the visitors of its end happen to hold; *_empty is then the figure.
    """

    machine: str
    minutes: float
    seats: int
    fps: float
    visitors_served: int
    reconnects: int
    turned_away: int
    frames_out: int
    failed: int
    rss_mib_per_hour: float
    rss_mib_per_hour_late: float
    rss_mib_empty: tuple[float, float]
    gpu_mib_per_hour: float
    descriptors_per_hour: float
    threads_per_hour: float
    descriptors_empty: tuple[int, int]
    threads_empty: tuple[int, int]
    stopped_in_s: float
    samples: tuple[Sample, ...]


@dataclass(slots=True)
class Tally:
    served: int = 0
    reconnects: int = 0
    turned_away: int = 0


@contextlib.contextmanager
def serving(seats: int) -> Iterator[tuple[Running, psutil.Process]]:
    """A worker process on a free port, its log on stderr."""
    port = free_port()
    environment = {"STYLIZER_PORT": str(port), "STYLIZER_VISITORS": str(seats + 1)}
    process = psutil.Popen([sys.executable, "-m", "web.api.server"], env={**os.environ, **environment})
    try:
        yield Running(f"http://127.0.0.1:{port}", FastAPI()), process
    finally:
        if process.is_running():
            process.kill()
        process.wait()


async def until_ready(http: httpx.AsyncClient) -> None:
    async with asyncio.timeout(START_S):
        while True:
            with contextlib.suppress(httpx.TransportError):
                if (await http.get("/ready")).status_code == 200:
                    return
            await asyncio.sleep(0.5)


async def seat(
    worker: Running, fps: float, ends_at_s: float, dice: random.Random, tally: Tally, stay_s: tuple[float, float]
) -> None:
    """One visitor after the other until the end; each stays for a time between the two in `stay_s`."""
    while (left_s := ends_at_s - time.monotonic()) > 1:
        lines = [Visitor(worker, ClipCamera(fps))]
        try:
            await lines[0].open({"style_strength": dice.choice(STRENGTHS)})
            await lines[0].connect()
            tally.served += 1
            await stay(lines[0], min(left_s, dice.uniform(*stay_s)))
            if dice.random() < 0.3:
                lines.append(second_line(worker, lines[0], fps))
                await lines[1].connect()
                tally.reconnects += 1
                await stay(lines[1], 4.0)
            if dice.random() < 0.7:
                await lines[-1].http.delete(lines[-1].path())
        except (AssertionError, httpx.HTTPError):  # refused or forgotten: on a machine that stood still for seconds
            tally.turned_away += 1
            await asyncio.sleep(1)
        finally:
            for line in lines:
                await line.vanish()


async def stay(visitor: Visitor, seconds: float) -> None:
    """Beats once a second, as the page does; what is seen is thrown away."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if visitor.channel.readyState == "open":
            visitor.channel.send('{"type": "beat"}')
        await asyncio.sleep(1)
        visitor.seen.clear()
        visitor.messages.clear()


def second_line(worker: Running, old: Visitor, fps: float) -> Visitor:
    """The same visitor, who asks for a new connection, as after a lost line."""
    new = Visitor(worker, ClipCamera(fps))
    new.stream = old.stream
    new.http.headers["Authorization"] = old.http.headers["Authorization"]
    return new


async def sampling(http: httpx.AsyncClient, process: psutil.Process, began_s: float) -> AsyncIterator[Sample]:
    while True:
        yield await sample(http, process, began_s)
        await asyncio.sleep(SAMPLE_S)


async def sample(http: httpx.AsyncClient, process: psutil.Process, began_s: float) -> Sample:
    metrics = numbers((await http.get("/metrics")).text)
    return Sample(
        round(time.monotonic() - began_s, 1),
        round(process.memory_info().rss / 2**20, 2),
        process.num_fds(),
        process.num_threads(),
        await asyncio.to_thread(gpu_mib),
        int(metrics["stylizer_visitors"]),
        int(metrics["stylizer_frames_out_total"]),
        own_mib(process.pid),
    )


def own_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status")
    told = dict(line.split(":", 1) for line in status.read_text("ascii").splitlines()) if status.is_file() else {}
    return round(int(told.get("RssAnon", "0 kB").split()[0]) / 1024, 2)


def numbers(text: str) -> dict[str, float]:
    """Prometheus' text form: the families without labels."""
    rows = (line.split() for line in text.splitlines() if line and line[0] != "#" and "{" not in line)
    return {name: float(value) for name, value in rows}


def gpu_mib() -> float:
    """In use on all cards, whoever uses it: inside a container nvidia-smi knows no process by its number."""
    if not shutil.which("nvidia-smi"):
        return 0.0
    query = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    return sum(map(float, subprocess.run(query, capture_output=True, text=True, timeout=20).stdout.split()))


async def soak(minutes: float, seats: int, fps: float, stay_s: tuple[float, float] = STAY_S, seed: int = 1) -> Report:
    """Runs all of it. The worker's address space is measured from outside, so this process may grow as it likes."""
    tally = Tally()
    with serving(seats) as (worker, process):
        async with httpx.AsyncClient(base_url=worker.base, timeout=20) as http:
            await until_ready(http)
            for strength in STRENGTHS:
                await one_visit(worker, fps, strength)  # so that "empty" means: after somebody was there
            before = await emptied(http, process)
            began_s = time.monotonic()
            ends_at_s = began_s + minutes * 60
            samples: list[Sample] = []
            crowd = asyncio.gather(
                *(seat(worker, fps, ends_at_s, random.Random(seed + i), tally, stay_s) for i in range(seats))
            )
            async for each in sampling(http, process, began_s):
                samples.append(each)
                if crowd.done():
                    break
            await crowd
            after = await emptied(http, process)
            failed = int(numbers((await http.get("/metrics")).text)["stylizer_failed_total"])
        stopped_in_s = stop(process)
    return report(minutes, seats, fps, tally, samples, (before, after), failed, stopped_in_s)


async def one_visit(worker: Running, fps: float, strength: float) -> None:
    visitor = Visitor(worker, ClipCamera(fps))
    await visitor.open({"style_strength": strength})
    await visitor.connect()
    await stay(visitor, FIRST_STAY_S)
    await visitor.http.delete(visitor.path())
    await visitor.vanish()


async def emptied(http: httpx.AsyncClient, process: psutil.Process) -> Sample:
    """With nobody there, once all has come to rest."""
    await asyncio.sleep(EMPTY_S)
    return await sample(http, process, 0)


def stop(process: psutil.Process) -> float:
    began_s = time.monotonic()
    process.send_signal(signal.SIGTERM)
    with contextlib.suppress(psutil.TimeoutExpired):  # what the figure then tells
        process.wait(30)
    return round(time.monotonic() - began_s, 2)


def report(
    minutes: float,
    seats: int,
    fps: float,
    tally: Tally,
    samples: list[Sample],
    empty: tuple[Sample, Sample],
    failed: int,
    stopped_in_s: float,
) -> Report:

    def slope(name: str, since: float = WARM_UP) -> float:
        """An hour, from this share of the run on."""
        late = [s for s in samples if s.at_s >= minutes * 60 * since]
        return round(float(np.polyfit([s.at_s / 3600 for s in late], [getattr(s, name) for s in late], 1)[0]), 3)

    return Report(
        f"{platform.machine()}, {os.cpu_count()} cores",
        minutes,
        seats,
        fps,
        tally.served,
        tally.reconnects,
        tally.turned_away,
        samples[-1].frames_out,
        failed,
        slope("rss_mib"),
        slope("rss_mib", since=0.5),
        (empty[0].rss_mib, empty[1].rss_mib),
        slope("gpu_mib"),
        slope("descriptors"),
        slope("threads"),
        (empty[0].descriptors, empty[1].descriptors),
        (empty[0].threads, empty[1].threads),
        stopped_in_s,
        tuple(samples),
    )


def faults(result: Report) -> list[str]:
    """What a booth could not bear for ten days, in words; empty for a good run."""
    long = result.minutes >= SLOPE_FROM_MIN
    grown = {
        "resident memory, MiB": (result.rss_mib_empty, RSS_MIB_EMPTY),
        "descriptors": (result.descriptors_empty, POOLED),
        "threads": (result.threads_empty, POOLED),
    }
    hourly = {
        "resident memory, MiB": (result.rss_mib_per_hour_late, RSS_MIB_PER_HOUR),
        "card's memory, MiB": (result.gpu_mib_per_hour, RSS_MIB_PER_HOUR),
        "descriptors": (result.descriptors_per_hour, POOLED),
        "threads": (result.threads_per_hour, POOLED),
    }
    return [
        *(f"{name}: {a:g} with nobody there, then {b:g}" for name, ((a, b), most) in grown.items() if b - a > most),
        *(f"{name}: {slope:+g} an hour" for name, (slope, most) in hourly.items() if long and slope > most),
        *([f"{result.failed} frames failed"] if result.failed else []),
        *([] if result.visitors_served else ["nobody was served"]),
        *([f"SIGTERM took {result.stopped_in_s:g} s"] if result.stopped_in_s > STOP_S else []),
    ]


def plot(result: Report, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = [("rss_mib", "resident memory, MiB"), ("own_mib", "without files, MiB")]
    rows += [("descriptors", "descriptors"), ("threads", "threads")]
    rows += [("gpu_mib", "card's memory, MiB"), ("visitors", "visitors")]
    figure, axes = pyplot.subplots(len(rows), figsize=(9, 10), sharex=True, layout="constrained")
    minutes = [s.at_s / 60 for s in result.samples]
    for axis, (name, title) in zip(axes, rows, strict=True):
        axis.plot(minutes, [getattr(s, name) for s in result.samples], linewidth=1, color="#3060c0")
        axis.axvspan(0, result.minutes * WARM_UP, color="#00000010")
        axis.set_ylabel(title, fontsize=8)
        axis.grid(alpha=0.3)
    axes[0].set_title(
        f"{result.minutes:g} minutes, {result.visitors_served} visitors, {result.frames_out} pictures; "
        f"after warm-up {result.rss_mib_per_hour:+.1f} MiB/h, last half {result.rss_mib_per_hour_late:+.1f}, "
        f"empty {result.rss_mib_empty[0]:.0f} and {result.rss_mib_empty[1]:.0f} MiB",
        fontsize=10,
    )
    axes[-1].set_xlabel("minutes")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seats", type=int, default=2)
    parser.add_argument("--fps", type=float, default=12, help="pictures a second of each visitor's camera")
    parser.add_argument("--json", type=new_file, required=True)
    parser.add_argument("--plot", type=partial(new_file, suffix=".png"))
    parser.add_argument("--stay", type=float, nargs=2, default=STAY_S, metavar="S", help="least and longest visit")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        os.environ.setdefault("STYLIZER_CACHE", cache)
        result = asyncio.run(soak(asked.minutes, asked.seats, asked.fps, tuple(asked.stay)))
    asked.json.write_text(json.dumps(asdict(result), indent=1) + "\n", encoding="utf-8")
    if asked.plot:
        plot(result, asked.plot)
    sys.stdout.write("".join(f"{k}: {v}\n" for k, v in asdict(result).items() if k != "samples"))
    if found := faults(result):
        sys.exit("soak: " + "; ".join(found))


if __name__ == "__main__":
    main()
