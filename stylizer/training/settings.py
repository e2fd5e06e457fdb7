"""Settings of a run: a frozen dataclass, written to and read from one TOML file."""

from dataclasses import Field, asdict, fields
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar, get_type_hints

from stylizer.errors import BadInput
from stylizer.files import write_whole
from stylizer.toml import parse_toml, toml_value


class Dataclass(Protocol):
    """Any dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


T = TypeVar("T", bound=Dataclass)


def read_settings(kind: type[T], path: Path) -> T:
    """Absent names keep their defaults. Raises BadInput naming what is unknown or of the wrong kind."""
    try:
        values = parse_toml(path.read_bytes())
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise BadInput(f"{path} is not TOML: {error}") from None
    names, hints = [f.name for f in fields(kind)], get_type_hints(kind)
    for name in values:
        if name not in names:
            raise BadInput(f"{path}: {name} is no setting; there are {', '.join(names)}")
    try:
        return kind(**{name: _fitting(f"{path}: {name}", hints[name], value) for name, value in values.items()})
    except ValueError as error:
        raise BadInput(str(error)) from None


def write_settings(settings: Dataclass, path: Path) -> None:
    """What `read_settings` takes back."""
    write_whole(path, "".join(f"{name} = {toml_value(value)}\n" for name, value in asdict(settings).items()))


def check_settings(settings: Dataclass, *counts: str) -> None:
    """For `__post_init__`: no number is negative or NaN; `counts` and those of a list are at least 1.

    Raises ValueError.
    """
    for name, value in asdict(settings).items():
        least = int(name in counts or isinstance(value, tuple))
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, int | float) and not number >= least:  # NaN is not
                raise ValueError(f"{name} must be at least {least}, got {number}")


def _fitting(where: str, kind: Any, value: object) -> object:
    if kind == tuple[int, ...]:
        if isinstance(value, list) and all(type(v) is int for v in value):
            return tuple(value)
        raise BadInput(f"{where} must be a list of whole numbers, got {value!r}")
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise BadInput(f"{where} must be of type {kind.__name__}, got {value!r}")
    return value
