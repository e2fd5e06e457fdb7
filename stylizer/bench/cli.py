"""`stylizer bench …`: figures that anyone can reproduce, against the plain way, in one run."""

import importlib
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from stylizer.cli_report import JsonFile, save_report
from stylizer.config import Settings
from stylizer.styles import CLIP

bench_app = typer.Typer(no_args_is_help=True)
out, err = Console(markup=False), Console(stderr=True, markup=False)

Clip = Annotated[Path, typer.Option("--input", help="a film with a person; the embedded sample clip by default")]


@bench_app.command()
def pipeline(
    clip: Clip = CLIP,
    frames: Annotated[int, typer.Option(min=6, help="frames for our pipeline; the plain ways get a sixth")] = 120,
    report: JsonFile = None,
) -> None:
    """The same film through our pipeline, the plain way, and the plain way at the published generator's width."""
    from stylizer.bench.pipeline import run

    figures = run(Settings.load(), clip, frames, lambda what: err.print(f"measuring {what}", style="dim"))
    save_report(report, figures)
    _show(figures)


@bench_app.command()
def stages(clip: Clip = CLIP, report: JsonFile = None) -> None:
    """Each stage alone, on each engine, beside the least time this machine could need."""
    from stylizer.bench.stages import run

    figures = run(Settings.load(), clip, lambda what: err.print(what, style="dim"))
    save_report(report, figures)
    table = Table("stage", "engine", "threads", "p50 ms", "p95 ms", "floor ms", "share of it", box=None)
    for row in figures["rows"]:
        floor = (f"{row['floor_ms']:g}", f"{row['share']:.0%}") if row["floor_ms"] else ("", "")
        table.add_row(
            row["stage"], row["engine"], str(row["threads"]), f"{row['p50_ms']:g}", f"{row['p95_ms']:g}", *floor
        )
    out.print(table)


@bench_app.command()
def live(
    clip: Clip = CLIP,
    visitors: Annotated[int, typer.Option(min=1, max=64, help="how many come at once")] = 1,
    loss: Annotated[float, typer.Option(min=0, max=0.5, help="share of packets lost, either way")] = 0.0,
    seconds: Annotated[float, typer.Option(min=5, help="how long is measured")] = 30.0,
    fps: Annotated[float, typer.Option(min=1, max=60, help="pictures a second from each camera")] = 24.0,
    report: JsonFile = None,
) -> None:
    """A worker as it is served, and visitors without browsers who connect to it by WebRTC."""
    run = importlib.import_module("web.bench.live").run  # by name: imports run downwards only
    figures = run(Settings.load(), clip, visitors, loss, seconds, fps, lambda what: err.print(what, style="dim"))
    save_report(report, figures)
    table = Table("visitor", "unique fps", "server p50 ms", "p95 ms", "camera to screen p50 ms", "p95 ms", box=None)
    for number, guest in enumerate(figures["visitors"], 1):
        server, screen = guest["server_latency_ms"], guest["camera_to_screen_ms"]
        cells = (guest["unique_fps"], *(kind.get(p, 0) for kind in (server, screen) for p in ("p50", "p95")))
        table.add_row(str(number), *(f"{cell:g}" for cell in cells))
    out.print(table)
    out.print(f"one visitor too many: {figures['one_too_many'] or 'let in'}")
    worker = figures["worker"]
    out.print(f"ready after {figures['ready_s']} s, a visitor's first picture after {figures['start_to_picture_s']} s")
    out.print(
        f"worker: {worker['cores_used']:g} cores, {worker['rss_mb']} MB resident; encoder {figures['encoder_ms']}"
    )


def _show(figures: dict[str, Any]) -> None:
    table = Table("way", "fps", "p50 ms", "p95 ms", "p99 ms", "CPU s per frame", "first ms", box=None)
    for name, way in figures["ways"].items():
        latency = way["latency_ms"]
        cells = (way["fps"], latency["p50"], latency["p95"], latency["p99"], way["cpu_s_per_frame"], way["first_ms"])
        table.add_row(name, *(f"{cell:g}" for cell in cells))
    out.print(table)
    stages = figures["ways"]["stylizer"]["stages_ms"]
    out.print("stages, ms per frame: " + ", ".join(f"{stage} {ms:g}" for stage, ms in stages.items()))
    out.print(f"ratio {figures['ratio']:g} to the plain way, {figures['ratio_config_f']:g} at the published width")
    memory = figures["memory_mb"]
    out.print(
        f"peak memory {memory['peak']} MB, {memory['of it the film']} of them the film; {figures['machine']}",
        style="dim",
        highlight=False,
    )
