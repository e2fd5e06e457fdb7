"""`stylizer evaluate STYLE`: what a style's card claims, measured again."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from stylizer.cli_report import JsonFlag, valid_json


def evaluate(
    style: Annotated[str, typer.Argument(help="name of a style, as `stylizer styles list` has it")],
    footage: Annotated[
        Path | None, typer.Option(help="a film, or a folder of films; without, the sample clip that comes along")
    ] = None,
    frames: Annotated[int, typer.Option(min=2, help="how many of each film's first frames")] = 48,
    pairs: Annotated[int, typer.Option(min=0, help="drawn pairs never trained on; 0 leaves them out")] = 64,
    card: Annotated[Path | None, typer.Option(help="folder of the style whose card takes the numbers")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Measure a style: likeness, silhouette, colours, distance to both domains, flicker; beside its card's numbers."""
    from stylizer.config import Settings
    from stylizer.training.evaluate import beyond, report
    from stylizer.training.export import add_measures
    from stylizer.weights.card import Card

    if card:
        Card.read(card)  # refused here if there is none, before minutes of measuring
    measured, promised = report(Settings.load(), style, footage, frames=frames, pairs=pairs)
    apart = beyond(measured, promised)
    if card:
        add_measures(card, measured)
    if as_json:
        result = {"style": style, "measures": measured, "card": promised, "apart": apart}
        sys.stdout.write(valid_json(result) + "\n")
        return
    table = Table("measure", "now", "card", "", box=None, header_style="bold")
    for name, value in measured.items():
        noted = promised.get(name)
        table.add_row(name, f"{value:g}", "" if noted is None else f"{noted}", "apart" if name in apart else "")
    Console(markup=False).print(table)
