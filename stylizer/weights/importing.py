"""Takes in a style that somebody brings as two files: looked at from all sides first, in place only when it runs."""

import os
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from stylizer.errors import ModelRejected
from stylizer.toml import parse_toml
from stylizer.weights.card import CARD, NAME, Card, Kind
from stylizer.weights.download import sha256_of
from stylizer.weights.registry import Registry, Style

MAX_CARD_BYTES = 64 * 1024
MAX_WEIGHTS_BYTES = 300_000_000
WORKPLACE = ".import-"
SUFFIX = {Kind.TOONIFY: ".safetensors", Kind.IMAGE_MODEL: ".onnx"}  # formats that cannot carry a program


def import_style(
    registry: Registry,
    card: bytes,
    weights: bytes,
    try_out: Callable[[Style], None],
    *,
    title: str = "",
    title_ja: str = "",
) -> Style:
    """Puts a style among the pulled ones. try_out: loads and runs it, and raises what is wrong with it.

    title, title_ja: the name that people see, in English and in Japanese; empty leaves the card's.
    Raises ModelRejected naming the fault: the card, a name that is taken, a kind or format that is not played here, an
    absent or wrong checksum; Unavailable where it cannot be written. What `try_out` raises goes through. Nothing is
    left behind then.
    """
    if len(card) > MAX_CARD_BYTES or len(weights) > MAX_WEIGHTS_BYTES:
        raise ModelRejected(f"at most {MAX_CARD_BYTES} bytes of card and {MAX_WEIGHTS_BYTES} of weights are taken")
    with registry.alone():
        for left in registry.pulled.glob(f"{WORKPLACE}*"):  # by an import that was killed: nobody else is at work now
            shutil.rmtree(left, ignore_errors=True)
        home = registry.pulled / "styles"
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=WORKPLACE, dir=registry.pulled) as workplace:
            folder = Path(workplace) / _name_of(card)
            folder.mkdir()
            (folder / CARD).write_bytes(card)
            if title or title_ja:
                (folder / CARD).write_text(Card.read(folder).titled(title, title_ja).to_toml(), encoding="utf-8")
            style = Style(Card.read(folder), folder, "import")
            taken = [each.card.name for each in registry.styles()[0]]
            if style.card.name in taken or (home / style.card.name).exists():
                raise ModelRejected(f"{CARD}: a style called {style.card.name!r} is here already; give it another name")
            style.weights.write_bytes(weights)
            _check(style)
            try_out(style)
            os.replace(folder, home / style.card.name)
    return registry.style(style.card.name)


def _name_of(card: bytes) -> str:
    """What the card calls itself: a plain name, or ModelRejected."""
    try:
        name = parse_toml(card).get("name")
    except ValueError as error:
        raise ModelRejected(f"{CARD} is not TOML: {error}") from None
    if not isinstance(name, str) or not re.fullmatch(NAME, name):
        raise ModelRejected(f"{CARD}: name: got {name!r:.80}, allowed are 1 to 63 of a-z, 0-9, - and _")
    return name


def _check(style: Style) -> None:
    card = style.card
    wanted = SUFFIX.get(card.kind)
    if wanted is None or style.weights.suffix != wanted:
        known = ", ".join(f"{kind.value} as {suffix}" for kind, suffix in SUFFIX.items())
        raise ModelRejected(f"{CARD}: {card.kind.value} in {card.weights!r} is not played here; allowed are {known}")
    if card.sha256 is None:
        raise ModelRejected(f"{CARD}: it must state the weights' sha256")
    if (got := sha256_of(style.weights)) != card.sha256:
        raise ModelRejected(f"the weights are not those of the card: sha256 is {got}, the card says {card.sha256}")
