"""The one command line: `stylizer --help`."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from stylizer.bench.cli import bench_app
from stylizer.cli_controls import with_controls
from stylizer.cli_report import JsonFile, JsonFlag, save_report, valid_json
from stylizer.config import Settings
from stylizer.controls import Value
from stylizer.errors import StylizerError
from stylizer.garbage import leave_for_later
from stylizer.stopping import stopping
from stylizer.training.cli import app as train_app
from stylizer.training.evaluate_cli import evaluate
from stylizer.vj.cli import vj_app
from stylizer.weights.cli import models_app, styles_app
from stylizer.weights.registry import Registry

app = typer.Typer(
    help="A camera goes in, a person drawn in a style comes out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(models_app, name="models", help="Weights that others trained: list, pull, verify, import.")
app.add_typer(styles_app, name="styles", help="Styles: what can be drawn with.")
app.add_typer(vj_app, name="vj")
app.add_typer(train_app, name="train")
app.command()(evaluate)
app.add_typer(bench_app, name="bench", help="Measure, against the plain way.")

out = Console(markup=False)  # a path or a reason may have brackets
err = Console(stderr=True, markup=False)


def main() -> None:
    """Runs the command. A fault that the user can mend is one line on stderr and exit code 1; 2 is a wrong call."""
    try:
        app()
    except StylizerError as error:
        _end(str(error))
    except OSError as error:  # a full disk, a file that may not be written
        _end(f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error))


def _end(why: str) -> None:
    err.print(Text.assemble(("stylizer: ", "red"), why), soft_wrap=True)
    sys.exit(1)


@app.command()
@with_controls("person", framing="scene", background="blur")
def render(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="a film or a picture")],
    target: Annotated[Path, typer.Argument(metavar="OUTPUT", help="a film (.mp4 .mov .mkv) or a picture")],
    report: JsonFile = None,
    backdrop: Annotated[
        Path | None, typer.Option(help="the picture behind the person, with --background picture")
    ] = None,
    reference: Annotated[Path | None, typer.Option(help="a picture of somebody whose look is taken on")] = None,
    *,
    controls: dict[str, Value],
) -> None:
    """Turn a film or a picture into a stylized one, sound kept. Ctrl-C or SIGTERM ends early with a playable file."""
    from stylizer.media import Reader, Writer
    from stylizer.picture import read_picture

    with Reader(source) as film, Writer(target, film):  # what is wrong is told now, not after 10 s of loading
        picture = read_picture(backdrop) if backdrop else None
        other = read_picture(reference) if reference else None

    settings = Settings.load()
    if "style" in controls:
        Registry(settings).style(str(controls["style"]))

    from stylizer.pipeline import Pipeline
    from stylizer.render import render as run

    pipeline = Pipeline.open(settings)
    pipeline.warm_up()
    for rung in pipeline.ladder:
        if rung.why:
            why = Text.assemble((f"{rung.part}: ", "yellow"), f"{rung.standing}: {rung.why}")
            err.print(why, soft_wrap=True)
    with _progress() as bar:
        task = bar.add_task(source.name, total=None, fps=0.0)

        def tell(done: int, expected: int) -> None:
            bar.update(task, completed=done, total=max(expected, done) or None, fps=bar.tasks[0].speed or 0.0)

        with stopping() as stop:
            result = run(pipeline, source, target, controls, tell, backdrop=picture, reference=other, stop=stop)
    save_report(report, result.to_dict())
    note = " (stopped early)" if result.interrupted else ""
    failed = f", {result.frames_failed} failed" if result.frames_failed else ""
    broken = f", {result.frames_broken} broken" if result.frames_broken else ""
    empty = f", {result.frames_without_person} without a person" if result.frames_without_person else ""
    out.print(f"{target}: {result.frames_out} frames at {result.fps:g} fps{failed}{broken}{empty}{note}")
    if result.interrupted:
        raise typer.Exit(130)


@app.command()
def doctor(as_json: JsonFlag = False) -> None:
    """Show what runs each part of the pipeline, and why nothing better does, with the engine and its precision."""
    from stylizer import machine
    from stylizer.ladder import Rung, open_parts
    from stylizer.vj.loop import open_loop

    settings = Settings.load()
    loop, what = open_loop(settings.device), machine.describe()
    rungs = (*open_parts(settings).rungs, Rung("vj loop", loop.best, loop.why))
    if as_json:
        ladder = {r.part: {"standing": r.standing, "why": r.why} for r in rungs}
        sys.stdout.write(valid_json({"ladder": ladder, "machine": what}) + "\n")
        return
    table = Table("part", "stands on", "because", box=None, header_style="bold")
    for rung in rungs:
        table.add_row(rung.part, rung.standing, rung.why or Text("first choice", "green"))
    out.print(table)
    out.print(", ".join(f"{key} {value}" for key, value in what.items()), style="dim", highlight=False)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="address to listen on")] = None,
    port: Annotated[int | None, typer.Option(help="port to listen on")] = None,
) -> None:
    """Run the worker: the booth page, WebRTC and REST."""
    _web("web.api.server", "serve")(Settings.load(host=host, port=port))


@app.command()
def studio(
    host: Annotated[str | None, typer.Option(help="address to listen on")] = None,
    port: Annotated[int | None, typer.Option(help="port of the studio")] = None,
) -> None:
    """Run the Streamlit studio."""
    _web("web.studio.launch", "run")(Settings.load(host=host, studio_port=port))


@app.command()
def demo() -> None:
    """Run worker and studio, print their addresses and open the browser."""
    _web("web.demo", "run")(Settings.load())


def _web(module: str, name: str) -> Callable[[Settings], Any]:
    """The doors are above this package (imports run downwards only), so they are looked up by name."""
    leave_for_later()
    return getattr(importlib.import_module(module), name)  # type: ignore[no-any-return]


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[fps]:.1f} fps"),
        TimeRemainingColumn(),
        console=err,
    )
