"""A style brought as two files: taken whole, or refused in words with nothing left behind."""

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from stylizer.config import Settings
from stylizer.errors import ModelRejected, Unavailable
from stylizer.weights.card import Card, Kind
from stylizer.weights.importing import import_style
from stylizer.weights.registry import Registry, Style
from tests.conftest import CHECKOUT

WEIGHTS = b"weights"


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(Settings.load(models=(), cache=tmp_path), {}, embedded=tmp_path / "embedded")


def card(**changes: object) -> bytes:
    fields = {
        "name": "chalk",
        "title": "Chalk",
        "kind": Kind.TOONIFY,
        "data": "drawn",
        "licence": "CC0-1.0",
        "weak_points": ("a test only",),
        "sha256": hashlib.sha256(WEIGHTS).hexdigest(),
    }
    return Card.model_validate(fields | changes).to_toml().encode()


def accept(style: Style) -> None:
    assert style.weights.read_bytes() == WEIGHTS, "what is tried is what came"


def refuse(style: Style) -> None:
    raise ModelRejected("the network does not run")


def test_a_good_style_is_there_afterwards(registry: Registry) -> None:
    style = import_style(registry, card(), WEIGHTS, accept)
    assert (style.card.title, style.origin) == ("Chalk", "cache")
    assert [each.card.name for each in registry.styles()[0]] == ["chalk"]
    with pytest.raises(ModelRejected, match="here already"):
        import_style(registry, card(title="Another"), WEIGHTS, accept)


def test_what_a_killed_import_left_is_cleared_away_by_the_next(registry: Registry, tmp_path: Path) -> None:
    script = (
        "import os, sys\n"
        "from tests.weights.test_importing import WEIGHTS, card, import_style\n"
        "from stylizer.config import Settings\n"
        "from stylizer.weights.registry import Registry\n"
        "registry = Registry(Settings.load(models=(), cache=sys.argv[1]), {})\n"
        "import_style(registry, card(), WEIGHTS, lambda style: os._exit(9))\n"
    )
    assert subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=CHECKOUT).returncode == 9
    assert list(registry.pulled.glob(".*")), "nothing was left: the test shows nothing"
    import_style(registry, card(), WEIGHTS, accept)
    assert not list(registry.pulled.glob(".*"))


def test_who_brings_it_may_say_what_people_call_it(registry: Registry, tmp_path: Path) -> None:
    style = import_style(registry, card(), WEIGHTS, accept, title="Street Chalk", title_ja="チョーク")
    kept = Card.read(style.folder)
    assert (kept.title, kept.told_in("ja").title) == ("Street Chalk", "チョーク")
    untitled = card(name="wet-chalk").replace(b'title = "Chalk"\n', b"")
    again = import_style(registry, untitled, WEIGHTS, accept, title_ja="濡れたチョーク")
    assert (again.card.title, again.card.told_in("ja").title) == ("Wet Chalk", "濡れたチョーク")
    with pytest.raises(ModelRejected, match="title: String should have at most 60"):
        import_style(registry, card(name="other"), WEIGHTS, accept, title="x" * 61)
    assert [each.card.name for each in registry.styles()[0]] == ["chalk", "wet-chalk"]


@pytest.mark.parametrize(
    "content, weights, try_out, words",
    [
        (b"name = ", WEIGHTS, accept, "not TOML"),
        (b'name = "../../etc"', WEIGHTS, accept, "name: got"),
        (b'name = "chalk"', WEIGHTS, accept, "kind: Field required"),
        (card(sha256=None), WEIGHTS, accept, "must state"),
        (card(), b"others", accept, "not those of the card"),
        (card(weights="weights.pkl"), WEIGHTS, accept, "not played here"),
        (card(kind=Kind.PIX2PIX), WEIGHTS, accept, "not played here"),
        (card() + b"\nextra = 1\n", WEIGHTS, accept, "extra"),
        (card(name="chalk").replace(b"chalk", b"c" * 300), WEIGHTS, accept, "name: got"),
        (card(weights="w" * 99).replace(b"w" * 99, b"w" * 300), WEIGHTS, accept, "weights: Value error"),
        (b"a = " + b"[" * 20_000, WEIGHTS, accept, "nested too deep"),
        (b"a = " + b"1" * 5000, WEIGHTS, accept, "Exceeds the limit"),
        (card(), WEIGHTS, refuse, "does not run"),
        (b"#" * 70_000, WEIGHTS, accept, "at most"),
    ],
)
def test_a_bad_one_is_refused_and_leaves_nothing(
    registry: Registry, content: bytes, weights: bytes, try_out: Callable[[Style], None], words: str
) -> None:
    with pytest.raises(ModelRejected, match=words):
        import_style(registry, content, weights, try_out)
    left = [path.name for path in registry.pulled.rglob("*") if path.is_file()] if registry.pulled.exists() else []
    assert [name for name in left if name != "pull.lock"] == []


def test_a_place_that_cannot_be_written_is_named(registry: Registry) -> None:
    registry.pulled.mkdir(parents=True)
    (registry.pulled / "styles").touch()
    with pytest.raises(Unavailable, match="cannot write into .*models: File exists"):
        import_style(registry, card(), WEIGHTS, accept)
