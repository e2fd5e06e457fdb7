"""The card of a style: what it is, what it learned from, what it cannot do: `card.toml` beside the weights."""

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from stylizer.errors import BadInput, ModelMissing, ModelRejected
from stylizer.stages.medium import Medium
from stylizer.toml import parse_toml, toml_value

CARD = "card.toml"
Scalar = bool | int | float | str
Text = Annotated[str, Field(min_length=1, max_length=2000)]
MAX_TITLE = 60  # characters: it stands on buttons
NAME = r"[a-z0-9][a-z0-9_-]{0,62}"
Title = Annotated[str, Field(min_length=1, max_length=MAX_TITLE)]


class Kind(StrEnum):
    """Which converter plays the style."""

    TOONIFY = "toonify"
    PIX2PIX = "pix2pix"
    IMAGE_MODEL = "image_model"


class Told(BaseModel):
    """What people read of a card, in another language; what is left out is read in English."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: Title | None = None
    data: Text | None = None
    weak_points: tuple[Text, ...] | None = None


class Card(BaseModel):
    """One style. Unknown fields are refused, so that a misspelt one is seen."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=f"^{NAME}$", description="the folder's name, as --style takes it")
    title: Title = Field(description="the name that people see; left out, it is made of `name`")
    kind: Kind
    data: Text = Field(description="what it was trained on")
    licence: Text = Field(description="of the weights, as an SPDX expression where there is one")
    seed: int | None = Field(default=None, description="of the training run; none where others trained it")
    steps: int | None = Field(default=None, ge=0)
    hours: float | None = Field(default=None, ge=0, description="training time on `machine`")
    machine: str = ""
    hand: str | None = Field(default=None, description="who drew the pairs it learned from, where the project did")
    weak_points: tuple[Text, ...] = Field(description="what looks wrong and when, in plain words")
    weights: str = Field(default="weights.safetensors", description="file name beside the card")
    sha256: str | None = Field(
        default=None, pattern=r"^[0-9a-f]{64}$", description="of the weights, checked before reading"
    )
    own_colours: float = Field(default=0.0, ge=0, le=1, description="how far broad colours are moved to the camera's")
    medium: Medium | None = Field(default=None, description="what its drawings are carried out in")
    measures: dict[str, Scalar] = Field(default_factory=dict, description="each number with its unit in the name")
    network: dict[str, Scalar | list[int]] = Field(
        default_factory=dict, description="what the converter builds it from"
    )
    ja: Told | None = Field(default=None, description="the same in Japanese")

    @model_validator(mode="before")
    @classmethod
    def _always_titled(cls, fields: object) -> object:
        if isinstance(fields, dict) and isinstance(fields.get("name"), str) and "title" not in fields:
            return fields | {"title": title_of(fields["name"])}
        return fields

    @field_validator("weights")
    @classmethod
    def _plain_name(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", value):
            raise ValueError("must be the name of a file beside the card, of 100 characters at most")
        return value

    @classmethod
    def made(cls, **fields: object) -> Self:
        """The card of a style that is made here. Raises BadInput naming each wrong field."""
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            raise BadInput(f"the style's card: {_wrong(error)}") from None

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The card in `folder`. Raises ModelMissing without one, ModelRejected naming each wrong field."""
        path = folder / CARD
        try:
            card = cls.model_validate(parse_toml(path.read_bytes()))
        except FileNotFoundError:
            raise ModelMissing(f"{path}: a style needs a card there") from None
        except OSError as error:
            raise ModelRejected(f"{path}: {error.strerror}") from None
        except ValidationError as error:
            raise ModelRejected(f"{path}: {_wrong(error)}") from None
        except ValueError as error:
            raise ModelRejected(f"{path} is not TOML: {error}") from None
        if card.name != folder.name:
            raise ModelRejected(f"{path}: the card says name = {card.name!r}, its folder is {folder.name!r}")
        return card

    def titled(self, title: str, title_ja: str = "") -> Self:
        """The card under other titles, an empty one left as it is. `read` says whether they fit."""
        told = (self.ja or Told()).model_copy(update={"title": title_ja}) if title_ja else self.ja
        return self.model_copy(update={"title": title or self.title, "ja": told})

    def told_in(self, language: str) -> Self:
        """The card as readers of `language` ("en", "ja") see it."""
        told = self.ja if language == "ja" else None
        return self if told is None else self.model_copy(update=dict(told.model_dump(exclude_none=True)))

    def to_toml(self) -> str:
        """The text that `read` takes back; absent values are left out."""
        fields = self.model_dump(mode="json", exclude_none=True)
        tables = {key: fields.pop(key, None) for key in ("measures", "network", "ja")}
        lines = [f"{key} = {toml_value(value)}" for key, value in fields.items()]
        for key, table in tables.items():
            if table:
                rows = (f"{toml_value(name)} = {toml_value(value)}" for name, value in table.items())
                lines += ["", f"[{key}]", *rows]
        return "\n".join(lines) + "\n"


def _wrong(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}, got {e['input']!r:.80}" for e in error.errors())


def title_of(name: str) -> str:
    """What people read where nobody gave a title: "ink-wash_2" -> "Ink Wash 2"."""
    return " ".join(word.capitalize() for word in re.split("[-_]+", name) if word) or name
