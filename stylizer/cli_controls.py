"""Command-line options from the table of controls, so that a new row is a new flag."""

import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from stylizer.controls import CONTROLS, Control, Value
from stylizer.errors import BadInput


def with_controls(page: str, **own: Value) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command one option for each control of `page`; the command takes those that were given as `controls`.

    own: the command's defaults where they are not the table's; they are among `controls` unless given otherwise.
    """
    rows = [c for c in CONTROLS.values() if c.page == page]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        def run(**options: Any) -> None:
            given = {c.name: options.pop(c.name) for c in rows if c.name in options}
            command(**options, controls=own | {name: value for name, value in given.items() if value is not None})

        signature = inspect.signature(command)
        kept = [p for p in signature.parameters.values() if p.name != "controls"]
        added = [
            inspect.Parameter(c.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_annotation(c, own))
            for c in rows
        ]
        run.__name__, run.__doc__ = command.__name__, command.__doc__
        run.__annotations__ = {p.name: p.annotation for p in (*kept, *added)}
        run.__signature__ = signature.replace(parameters=[*kept, *added])  # type: ignore[attr-defined]
        return run

    return decorate


def _annotation(control: Control, own: Mapping[str, Value]) -> Any:
    text = f"{control.help} ({control.allowed}; {own.get(control.name, control.default)})"
    if control.kind == "bool":
        return Annotated[bool | None, typer.Option(help=text, show_default=False)]
    option = typer.Option(help=text, show_default=False, parser=_parser(control), metavar=control.kind.upper())
    return Annotated[str | None, option]


def _parser(control: Control) -> Callable[[str], Value]:
    def parse(text: str) -> Value:
        value: object = text
        if control.kind in ("float", "int"):
            try:
                value = float(text)
            except ValueError:
                pass
        try:
            return control.check(value)
        except BadInput as error:
            raise typer.BadParameter(str(error)) from None

    return parse
