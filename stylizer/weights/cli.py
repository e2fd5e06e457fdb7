"""`stylizer models …` and `stylizer styles …`."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Column, Table

from stylizer.cli_report import JsonFlag, valid_json
from stylizer.config import Settings
from stylizer.errors import BadInput, ModelMissing, ModelRejected
from stylizer.files import made_whole
from stylizer.weights.manifest import Part
from stylizer.weights.registry import Registry, Standing

models_app = typer.Typer(help="Weights that others trained: list, pull, verify, import.", no_args_is_help=True)
styles_app = typer.Typer(no_args_is_help=True)


@styles_app.callback()
def _styles() -> None:
    """Styles: embedded, pulled and your own."""


OptionalName = Annotated[str | None, typer.Argument(help="A part or one of its files, as `models list` shows them.")]
Row = dict[str, str | None]


@models_app.command("list")
def list_models(as_json: JsonFlag = False) -> None:
    """Which part has which file, where, and what runs without it."""
    registry = Registry(Settings.load())
    rows = [_model_row(registry, part) for part in registry.parts.values()]
    _show(rows, ("part", "title", "state", "file", "licence"), as_json)
    for row in rows:
        if row["why"]:
            typer.echo(f"{row['why']}. Without it: {row['without']}.", err=True)


@models_app.command()
def pull(
    name: OptionalName = None,
    every: Annotated[bool, typer.Option("--all", help="Pull every part.")] = False,
    missing: Annotated[bool, typer.Option("--missing", help="Pull what is found nowhere on the search path.")] = False,
) -> None:
    """Bring weights into the cache, checked. A cut download goes on where it stopped."""
    if (name is not None) + every + missing != 1:
        raise BadInput("pull takes one of: the name of a part, --all, --missing")
    registry = Registry(Settings.load())
    names = [name] if name else [part.name for part in registry.parts.values() if part.pullable]
    if missing:
        names = [each for each in names if not registry.verify(each)]
    numbers = (DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(
        TextColumn("{task.description}"), BarColumn(), *numbers, console=Console(stderr=True, markup=False)
    ) as bars:
        for each in names:
            found = registry.pull(each, progress=_bar(bars, each))
            bars.console.print(f"{found.part.name}: {found.path}", soft_wrap=True)


@models_app.command()
def verify(name: OptionalName = None, as_json: JsonFlag = False) -> None:
    """Compare every file on the search path with its checksum. Exit code 1 when one has changed."""
    checks = Registry(Settings.load()).verify(name)
    rows: list[Row] = [{"path": str(c.path), "state": c.standing.value, "sha256": c.expected} for c in checks]
    _show(rows, ("state", "path"), as_json)
    changed = [str(c.path) for c in checks if c.standing is Standing.CHANGED]
    if changed:
        raise ModelRejected(f"changed: {', '.join(changed)}; remove what is not yours and pull it again")


@models_app.command("import")
def import_model(
    source: Annotated[Path, typer.Argument(help="NVIDIA's .pkl (stylegan2-ada-pytorch) or rosinality's .pt")],
    target: Annotated[Path, typer.Argument(help="the .safetensors file to write")],
) -> None:
    """Turn a StyleGAN2 generator of others into one that `train fine-tune` and `train encoder` go on from.

    Nothing in the file is run: anything but tensors and plain containers is refused.
    """
    from stylizer.stylegan2.checkpoint import import_generator
    from stylizer.stylegan2.generator import save_generator

    if target.suffix != ".safetensors" or target.is_dir() or not target.parent.is_dir():
        raise BadInput(f"{target}: allowed is a file that ends in .safetensors, in a folder that is there")
    net = import_generator(source)
    with made_whole(target) as part:
        save_generator(net, part)
    typer.echo(f"{target}: {net.config.size} px, widths {', '.join(map(str, net.config.synthesis.widths))}", err=True)


@styles_app.command("list")
def list_styles(as_json: JsonFlag = False) -> None:
    """Every style with a good card; bad cards are named on standard error."""
    good, bad = Registry(Settings.load()).styles()
    if as_json:
        entries = [s.card.model_dump(mode="json") | {"origin": s.origin, "folder": str(s.folder)} for s in good]
        typer.echo(valid_json(entries))
    else:
        columns = ("name", "title", "kind", "licence")
        rows: list[Row] = [s.card.model_dump(mode="json", include=set(columns)) | {"origin": s.origin} for s in good]
        _show(rows, (*columns, "origin"), as_json=False)
    for refusal in bad:
        typer.echo(f"refused: {refusal}", err=True)


@styles_app.command("import")
def import_files(
    card: Annotated[Path, typer.Argument(help="card.toml, as `train export` writes it")],
    weights: Annotated[Path, typer.Argument(help="the weights that the card names")],
    title: Annotated[str, typer.Option(help="the name that people see; by default the card's")] = "",
    title_ja: Annotated[str, typer.Option(help="the same in Japanese")] = "",
) -> None:
    """Bring in a style from two files: checked and tried before it is kept."""
    from stylizer.ladder import open_parts
    from stylizer.library import Library
    from stylizer.weights.importing import import_style

    for path in (card, weights):
        if not path.is_file():
            raise BadInput(f"{path}: there is no such file")
    settings = Settings.load()
    library = open_parts(settings).library
    assert isinstance(library, Library)
    contents = card.read_bytes(), weights.read_bytes()
    style = import_style(Registry(settings), *contents, library.try_out, title=title, title_ja=title_ja)
    typer.echo(f"{style.card.title}: {style.folder}", err=True)


def _model_row(registry: Registry, part: Part) -> Row:
    row: Row = {"part": part.name, "title": part.title, "without": part.without}
    try:
        found = registry.find(part.name)
    except ModelMissing as missing:
        return row | {"state": "missing", "file": None, "licence": part.files[0].licence, "why": str(missing)}
    except ModelRejected as refusal:
        return row | {"state": "changed", "file": None, "licence": part.files[0].licence, "why": str(refusal)}
    return row | {"state": "found", "file": str(found.path), "licence": found.file.licence, "why": None}


def _bar(bars: Progress, name: str) -> Callable[[int, int], None]:
    task = bars.add_task(name, total=None)
    return lambda done, total: bars.update(task, completed=done, total=total)


def _show(rows: list[Row], columns: tuple[str, ...], as_json: bool) -> None:
    if as_json:
        typer.echo(valid_json(rows))
        return
    table = Table(*(Column(name, overflow="fold") for name in columns), box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(str(row[column] or "") for column in columns))
    Console(markup=False).print(table)
