"""`stylizer train stylegan2 | fine-tune | encoder`: each goes on where it stopped; several GPUs by `torchrun`."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from stylizer.errors import BadInput
from stylizer.training.settings import Dataclass, read_settings

if TYPE_CHECKING:
    from stylizer.training.parallel import World

S = TypeVar("S", bound=Dataclass)
Out = Annotated[Path, typer.Option("--out", help="folder of the run: settings, checkpoint, log, curves, samples")]
Toml = Annotated[Path | None, typer.Option("--settings", help="TOML file; that of the run by default")]
Threads = Annotated[int, typer.Option(min=0, help="CPU threads of each process, 0 for all cores")]
Photos = Annotated[Path, typer.Argument(help="a folder of photos and films, or a data set of `train data`")]
Weak = Annotated[list[str] | None, typer.Option(help="what looks wrong and when; may be given several times")]
From = Annotated[Path, typer.Option("--from", help="folder of a stylegan2 run, or a generator of `models import`")]


def stylegan2(
    photos: Photos,
    out: Out,
    settings: Toml = None,
    threads: Threads = 0,
    side: Annotated[str, typer.Option(help="which side of a data set of pairs: photo or drawing")] = "photo",
) -> None:
    """Train a StyleGAN2 generator on photos of persons. The same command goes on after a stop of any kind."""
    from stylizer.training.gan_runs import train_generator
    from stylizer.training.parallel import joined
    from stylizer.training.stylegan2 import GanSettings

    with joined(threads) as world:
        train_generator(out, photos, side, settings_of(GanSettings, settings, out), say_of(world), world)


def fine_tune(
    drawings: Annotated[Path, typer.Argument(help="a folder of drawings, or a data set of `train data`")],
    start: From,
    out: Out,
    settings: Toml = None,
    threads: Threads = 0,
) -> None:
    """Go on from a photo generator on drawings: what StyleGAN2 with adaptive augmentation learns from few pictures."""
    from stylizer.training.gan_runs import open_start, train_generator
    from stylizer.training.parallel import joined
    from stylizer.training.stylegan2 import GanSettings

    with joined(threads) as world:
        chosen = settings_of(GanSettings, settings, out)
        train_generator(out, drawings, "drawing", chosen, say_of(world), world, open_start(start))


def encoder(photos: Photos, start: From, out: Out, settings: Toml = None, threads: Threads = 0) -> None:
    """Train the encoder that inverts a photo generator: a picture in, its features at 16x16 and its ws out."""
    from stylizer.training.gan_runs import open_start, train_encoder
    from stylizer.training.inversion import EncoderSettings
    from stylizer.training.parallel import joined

    with joined(threads) as world:
        chosen = settings_of(EncoderSettings, settings, out)
        train_encoder(out, photos, chosen, say_of(world), world, open_start(start))


def compose(
    run: Annotated[Path, typer.Argument(help="folder of an encoder run")],
    style: Annotated[Path, typer.Argument(help="folder of the style: its name is the style's")],
    photo: Annotated[Path, typer.Option(help="the stylegan2 run that the encoder inverts")],
    drawing: Annotated[Path, typer.Option(help="the fine-tune run that draws")],
    data: Annotated[str, typer.Option(help="what it was trained on, for the card")] = "pictures of my own",
    licence: Annotated[str, typer.Option(help="of the weights, an SPDX expression where there is one")] = "private",
    title: Annotated[str, typer.Option(help="the name that people see")] = "",
    machine: Annotated[str, typer.Option(help="what it was trained on")] = "",
    weak: Weak = None,
) -> None:
    """Put encoder, photo generator and drawing generator together: a style with its card."""
    from stylizer.training.compose import export_inverted
    from stylizer.training.gan_runs import data_of, open_start
    from stylizer.weights.card import title_of

    weak_points = honest(weak)
    card = export_inverted(
        run,
        open_start(photo),
        open_start(drawing),
        style,
        title=title or title_of(style.name),
        machine=machine,
        weak=weak_points,
        data=data,
        licence=licence,
        photos=data_of(run, "photo"),
        drawings=data_of(drawing, "drawing"),
    )
    typer.echo(f"{style}: {dict(card.measures)}", err=True)


def honest(weak: list[str] | None) -> list[str]:
    """The weak points that were named. Raises BadInput without any."""
    if not weak:
        raise BadInput("--weak: a card without weak points is not honest; name at least one")
    return weak


def say_of(world: "World") -> Callable[[str], None]:
    def say(line: str) -> None:
        if world.first:
            typer.echo(line, err=True)

    return say


def settings_of(kind: type[S], file: Path | None, out: Path) -> S:
    """Of the file that was named, else of the run, else the defaults."""
    own = out / "settings.toml"
    chosen = file or (own if own.is_file() else None)
    return read_settings(kind, chosen) if chosen else kind()
