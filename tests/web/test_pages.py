"""What all pages have in common, read from their files."""

import re
from pathlib import Path

import pytest

from stylizer.errors import StylizerError
from tests.web.test_studio_strings import kinds
from web.api.app import PAGES

HTML = sorted(PAGES.rglob("*.html"))
SHARED = (
    '<html lang="en">',
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="color-scheme" content="dark">',
    '<link rel="icon" href="/shared/logo.svg" type="image/svg+xml">',
)


@pytest.mark.parametrize("page", HTML, ids=lambda page: f"{page.parent.name}-{page.stem}")
def test_every_page_has_the_same_head(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert [line for line in SHARED if line not in text] == []


def test_every_kind_of_error_has_its_words_in_both_languages() -> None:
    text = (PAGES / "shared" / "problems.js").read_text(encoding="utf-8")
    english, japanese = text.split("  ja: {")
    wanted = {f"problem_{kind.code}" for kind in kinds(StylizerError)} | {"problem_unanswered"}
    for words in (english, japanese):
        assert set(re.findall(r"^    (problem_\w+): \"", words, re.MULTILINE)) == wanted
