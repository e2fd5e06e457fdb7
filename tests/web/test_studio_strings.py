"""Every word of the studio's own pages is in one file, in both languages."""

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from streamlit.delta_generator import DeltaGenerator

import stylizer.styles
import web.studio
from stylizer.bench.results import read_results
from stylizer.controls import CONTROLS
from stylizer.errors import StylizerError
from stylizer.ladder import Part
from stylizer.weights.card import Card
from stylizer.weights.manifest import manifest
from web.studio.bench_page import RESULTS
from web.studio.strings import HELP, LANGUAGES, STRINGS, UNITS
from web.studio.trouble import COMPONENT

PAGES = sorted(page for page in Path(web.studio.__path__[0]).glob("*.py") if page.stem != "strings")
PERSON = [row for row in CONTROLS.values() if row.page == "person"]
SAYING = ("label", "help", "placeholder", "title", "body", "text", "alt")  # parameters that a reader sees
MADE = (
    "control_",
    "choice_",
    "part_",
    "why_",
    "problem_",
    "weights_",
    "origin_",
)  # keys that are put together from names
WORDS = re.compile(r"[A-Z]?[a-z]{2,}")


def _placeholders(sentence: str) -> set[str | None]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


def test_both_languages_have_the_same_sentences_with_the_same_values() -> None:
    assert set(STRINGS) == set(LANGUAGES)
    english, japanese = STRINGS["en"], STRINGS["ja"]
    assert list(english) == list(japanese), "in the same order, so that a translator sees what is new"
    assert [key for key in english if _placeholders(english[key]) != _placeholders(japanese[key])] == []
    assert {key for key, words in japanese.items() if words.isascii()} == {"festival", "graphics_card"}


def test_every_control_choice_and_trouble_has_its_words() -> None:
    wanted = {f"control_{row.name}" for row in PERSON} | {f"choice_{each}" for row in PERSON for each in row.choices}
    assert wanted | set(COMPONENT.values()) | {"silent", "blocked"} <= set(STRINGS["en"])
    assert set(HELP) == {row.name for row in PERSON}


def kinds(of: type[StylizerError]) -> Iterator[type[StylizerError]]:
    yield of
    for each in of.__subclasses__():
        yield from kinds(each)


def test_every_kind_of_error_rung_weight_and_unit_has_its_words() -> None:
    codes = {kind.code for kind in kinds(StylizerError) if kind.__module__ == "stylizer.errors"}
    assert {key for key in STRINGS["en"] if key.startswith("problem_")} == {f"problem_{code}" for code in codes}
    rungs = {f"{word}_{part}" for word in ("part", "why") for part in get_args(Part)}
    assert {key for key in STRINGS["en"] if key.startswith(("part_", "why_"))} == rungs
    assert {key for key in STRINGS["en"] if key.startswith("weights_")} == {f"weights_{name}" for name in manifest()}
    results, _ = read_results(RESULTS)
    units = {unit for result in results.values() for unit in (result.unit, result.waterfall_unit) if unit}
    assert {unit.split(",")[0] for unit in units} <= set(UNITS)


@pytest.mark.parametrize("name", ["anime", "comic", "paper"])
def test_every_embedded_style_tells_itself_in_japanese(name: str) -> None:
    card = Card.read(Path(stylizer.styles.__path__[0]) / name)
    told = card.told_in("ja")
    assert not told.title.isascii() and not told.data.isascii()
    assert len(told.weak_points) == len(card.weak_points) and not any(each.isascii() for each in told.weak_points)
    assert card.told_in("en") == card


def _asked(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "t":
            first = node.args[0]
            choices = [first.body, first.orelse] if isinstance(first, ast.IfExp) else [first]
            yield from (
                each.value for each in choices if isinstance(each, ast.Constant) and isinstance(each.value, str)
            )


def test_no_page_asks_for_a_sentence_that_is_not_there_and_none_is_left_over() -> None:
    asked = {key for page in PAGES for key in _asked(ast.parse(page.read_text(encoding="utf-8")))}
    assert asked <= set(STRINGS["en"])
    left_over = set(STRINGS["en"]) - asked - set(COMPONENT.values())
    assert {key for key in left_over if not key.startswith(MADE)} == {"camera", "clip"}, "sources"


def _shown(tree: ast.AST) -> Iterator[str]:
    """What Streamlit's drawing methods are given to say as literal text."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if not hasattr(DeltaGenerator, node.func.attr) and node.func.attr not in ("spinner", "Page", "show"):
            continue
        if isinstance(node.func.value, ast.Name) and node.func.value.id == "log":  # nobody on the page reads it
            continue
        for said in [*node.args[:1], *(each.value for each in node.keywords if each.arg in SAYING)]:
            yield from _literals(said)


def _literals(node: ast.AST) -> Iterator[str]:
    """Constants below `node`, those in calls and subscripts aside: they are keys, not words."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif not isinstance(node, ast.Call | ast.Subscript | ast.Compare):
        for child in ast.iter_child_nodes(node):
            yield from _literals(child)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_words_are_written_in_a_page_itself(page: Path) -> None:
    shown = list(_shown(ast.parse(page.read_text(encoding="utf-8"))))
    assert [text for text in shown if WORDS.search(re.sub(r":material/\w+:", "", text))] == []
