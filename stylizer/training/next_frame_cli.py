"""`stylizer train next-frame`: from clips to a model that dreams them on."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

err = Console(stderr=True, markup=False)


def next_frame(
    clips: Annotated[list[str], typer.Argument(metavar="CLIP…", help="films, folders of pictures, or drawn:FAMILY")],
    name: Annotated[str, typer.Option(help="of the model: a-z, 0-9, - and _")],
    out: Annotated[Path, typer.Option(help="folder that gets NAME/")] = Path("trained"),
    minutes: Annotated[float, typer.Option(min=0, help="how long to train in all; Ctrl-C ends earlier")] = 45,
    filters: Annotated[int, typer.Option(min=4, max=64, help="of the first layer; 64 is the paper's network")] = 24,
    batch: Annotated[int, typer.Option(min=1, max=64)] = 2,
    learning_rate: Annotated[float, typer.Option(min=1e-6, max=1e-2)] = 2e-4,
    seed: Annotated[int, typer.Option(min=0)] = 1,
    threads: Annotated[int, typer.Option(min=0, help="CPU threads, 0 for all")] = 0,
    title: Annotated[str | None, typer.Option(help="the name that people see")] = None,
    begin_from: Annotated[
        str | None, typer.Option("--from", help="start at this model: an embedded one's name, .pict or .safetensors")
    ] = None,
) -> None:
    """Train a model for the VJ instrument; goes on where a run of that name stopped, then exports."""
    from stylizer.training.next_frame import Plan
    from stylizer.training.next_frame_run import run
    from stylizer.training.parallel import joined
    from stylizer.vj.bank import Bank
    from stylizer.weights.card import title_of

    with joined(threads) as world:
        run(
            clips,
            out / name,
            Plan(filters=filters, batch=batch, learning_rate=learning_rate, seed=seed),
            minutes=minutes,
            begin_from=Bank().get(begin_from) if begin_from else None,
            title=title or title_of(name),
            say=lambda line: err.print(line, highlight=False, soft_wrap=True),
            device=world.device,
        )
