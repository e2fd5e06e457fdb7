"""The table of weights that others trained: file names, addresses, checksums, licences. Its data is `manifest.toml`."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from stylizer.errors import NotFound


class File(BaseModel):
    """One file that can play a part. `url` None: it can be put on the search path but not pulled."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str = Field(description="path below a search folder, or below the package that brings it")
    what: str
    licence: str
    source: str
    url: str | None = None
    package: str | None = Field(default=None, description="an installed package that brings the file")
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    size: int | None = Field(default=None, gt=0, description="bytes")

    @property
    def name(self) -> str:
        return Path(self.file).name


class Part(BaseModel):
    """One thing the pipeline needs, and the files that can play it, best first."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str
    without: str = Field(description="what runs instead when no file is found")
    files: tuple[File, ...] = Field(min_length=1)

    @property
    def pullable(self) -> File | None:
        """The file that `pull` brings: the first with an address."""
        return next((file for file in self.files if file.url), None)


Manifest = Mapping[str, Part]


def parse_manifest(text: str) -> Manifest:
    return {name: Part.model_validate({"name": name, **table}) for name, table in tomllib.loads(text).items()}


@cache
def manifest() -> Manifest:
    return parse_manifest(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


def part_named(parts: Manifest, name: str) -> Part:
    """The part called `name`, or the one that has a file of that name (with or without its ending)."""
    for part in parts.values():
        if name == part.name or any(name in (file.name, Path(file.name).stem) for file in part.files):
            return part
    raise NotFound(f"no weights called {name!r}; there are {', '.join(parts)}")
