"""Where weights are: the one registry behind `stylizer models` and `stylizer styles`.

Searched in this order: the folders of STYLIZER_MODELS, the user's cache, the packages that bring a file with them, and
for styles our own package. A search folder holds parts by file name, and styles as
`styles/<name>/{card.toml, weights.safetensors}`.
"""

import importlib.util
import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import httpx
from filelock import FileLock

import stylizer.styles
from stylizer.config import Settings
from stylizer.errors import ModelMissing, ModelRejected, NotFound, Unavailable
from stylizer.files import write_whole
from stylizer.weights.card import CARD, Card
from stylizer.weights.download import Progress, download, sha256_of, silent
from stylizer.weights.manifest import File, Manifest, Part, manifest, part_named

EMBEDDED = Path(stylizer.styles.__path__[0])


class Standing(StrEnum):
    """What is known of a file's content."""

    OK = "ok"  # its checksum is the right one
    UNCHECKED = "unchecked"  # no checksum is known for it
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Found:
    """A file that plays `part`; its checksum was right, or none is known."""

    part: Part
    file: File
    path: Path


@dataclass(frozen=True, slots=True)
class Check:
    path: Path
    standing: Standing
    expected: str | None


@dataclass(frozen=True, slots=True)
class Style:
    """A style with a good card. origin: where it was found."""

    card: Card
    folder: Path
    origin: str

    @property
    def weights(self) -> Path:
        return self.folder / self.card.weights


class Registry:
    """Finds, pulls and checks weights. It holds no state but its folders: every answer is read from the disk."""

    def __init__(self, settings: Settings, parts: Manifest | None = None, embedded: Path = EMBEDDED) -> None:
        self.parts = manifest() if parts is None else parts
        self.pulled = settings.cache / "models"
        self.folders = (*settings.models, self.pulled)
        self.embedded = embedded
        self._recorded = self.pulled / "checksums.json"  # of files whose checksum the manifest does not know

    def find(self, name: str) -> Found:
        """The first file on the search path that can play the part.

        Raises ModelMissing saying where it looked and what brings it, ModelRejected for a file whose checksum is wrong.
        """
        part = part_named(self.parts, name)
        for file, path in self._present(part):
            _refuse_changed(self._check(file, path))
            return Found(part, file, path)
        names, folders = ", ".join(f.file for f in part.files), ", ".join(map(_told, self.folders))
        cure = f"`stylizer models pull {part.name}` brings it" if part.pullable else "set STYLIZER_MODELS to its folder"
        if package := next((file.package for file in part.files if file.package), None):
            cure = f"the package {package} brings it"
        raise ModelMissing(f"{part.title}: none of {names} in {folders}; {cure}")

    def pull(self, name: str, *, client: httpx.Client | None = None, progress: Progress = silent) -> Found:
        """Brings the part's file into the cache, unless a good one is there. A second caller waits for the first."""
        part = part_named(self.parts, name)
        file = part.pullable
        if file is None or file.url is None:
            raise NotFound(f"{part.name}: no address is known; put one of its files on STYLIZER_MODELS")
        target = self.pulled / file.file
        with self.alone():
            known = self._known(file, target)
            if not (target.is_file() and known == sha256_of(target)):
                with nullcontext(client) if client else new_client() as session:
                    got = download(file.url, target, sha256=known, size=file.size, client=session, progress=progress)
                if known is None:
                    self._record(file, got)
        return Found(part, file, target)

    def verify(self, name: str | None = None) -> list[Check]:
        """Every file of the part (of all parts) that lies on the search path, with what its checksum says."""
        parts = self.parts.values() if name is None else [part_named(self.parts, name)]
        return [self._check(file, path) for part in parts for file, path in self._present(part)]

    def styles(self) -> tuple[list[Style], list[ModelRejected]]:
        """Every style once, the first found of each name, and the refusals of those whose card is bad."""
        good: dict[str, Style] = {}
        bad: list[ModelRejected] = []
        for root, origin in self._style_roots():
            try:
                folders = sorted(path.parent for path in root.glob(f"*/{CARD}"))
            except OSError as error:
                bad.append(ModelRejected(f"{root}: {error.strerror}"))
                continue
            for folder in folders:
                try:
                    style = Style(Card.read(folder), folder, origin)
                    good.setdefault(style.card.name, style)
                except ModelRejected as refusal:
                    bad.append(refusal)
        return list(good.values()), bad

    def style(self, name: str) -> Style:
        """The style called `name`, its weights present and checked against its card.

        Raises NotFound, ModelMissing for a card without weights, ModelRejected for a bad card or a wrong checksum.
        """
        for root, origin in self._style_roots():
            folder = root / name
            if folder.parent == root and _is_there(folder / CARD):
                style = Style(Card.read(folder), folder, origin)
                if not style.weights.is_file():
                    raise ModelMissing(f"style {name}: {style.weights} is not there")
                _refuse_changed(_compare(style.weights, style.card.sha256))
                return style
        known = ", ".join(style.card.name for style in self.styles()[0])
        raise NotFound(f"no style called {name!r}; there are {known or 'none'}")

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One pull or import at a time, among all processes; the system frees the lock of one that died.

        What cannot be read or written meanwhile is Unavailable.
        """
        try:
            self.pulled.mkdir(parents=True, exist_ok=True)
            with FileLock(self.pulled / "pull.lock"):
                yield
        except OSError as error:
            raise Unavailable(f"cannot write into {self.pulled}: {error.strerror}; set STYLIZER_CACHE") from None

    def _style_roots(self) -> Iterator[tuple[Path, str]]:
        for folder in self.folders:
            yield folder / "styles", "cache" if folder == self.pulled else "search path"
        yield self.embedded, "embedded"

    def _present(self, part: Part) -> Iterator[tuple[File, Path]]:
        for folder in self.folders:
            for file in part.files:
                if _is_there(folder / file.file):
                    yield file, folder / file.file
        for file in part.files:
            if file.package and (path := _brought_by(file.package) / file.file).is_file():
                yield file, path

    def _check(self, file: File, path: Path) -> Check:
        return _compare(path, self._known(file, path))

    def _known(self, file: File, path: Path) -> str | None:
        """The right checksum. One recorded at a pull counts for the pulled file, not for the user's own folders."""
        if file.sha256 is not None or path != self.pulled / file.file:
            return file.sha256
        return self._records().get(file.file)

    def _records(self) -> dict[str, str]:
        if not self._recorded.is_file():
            return {}
        try:
            return {str(k): str(v) for k, v in dict(json.loads(self._recorded.read_text(encoding="utf-8"))).items()}
        except (OSError, ValueError, TypeError) as error:
            raise ModelRejected(f"{self._recorded} is damaged ({error}); remove it and pull again") from None

    def _record(self, file: File, sha256: str) -> None:
        write_whole(self._recorded, json.dumps(self._records() | {file.file: sha256}, indent=2) + "\n")


def _brought_by(package: str) -> Path:
    """The package's folder, without importing it; a folder that is not there when it is not installed."""
    spec = importlib.util.find_spec(package)
    return Path(spec.origin).parent if spec is not None and spec.origin else Path(package)


def new_client() -> httpx.Client:
    """10 s to connect, 30 s of silence before a transfer counts as cut."""
    return httpx.Client(follow_redirects=True, timeout=httpx.Timeout(30, connect=10))


def _is_there(path: Path) -> bool:
    """False, too, in a folder that we may not look into: the next one may have it."""
    try:
        return path.is_file()
    except OSError:
        return False


def _told(folder: Path) -> str:
    """With what keeps us from looking into it."""
    try:
        (folder / CARD).is_file()
    except OSError as error:
        return f"{folder} ({error.strerror})"
    return str(folder)


def _compare(path: Path, expected: str | None) -> Check:
    """Raises ModelRejected for a file that cannot be read."""
    try:
        path.open("rb").close()
        if expected is None:
            return Check(path, Standing.UNCHECKED, None)
        return Check(path, Standing.OK if sha256_of(path) == expected else Standing.CHANGED, expected)
    except OSError as error:
        raise ModelRejected(f"{path}: {error.strerror}") from None


def _refuse_changed(check: Check) -> None:
    if check.standing is Standing.CHANGED:
        raise ModelRejected(
            f"{check.path}: its content is not what it must be (sha256 {check.expected}); remove it and pull it again"
        )
