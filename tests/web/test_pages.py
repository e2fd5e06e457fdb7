"""What all pages have in common, read from their files."""

import re
from pathlib import Path

import pytest

import web.errors  # noqa: F401  its kinds of errors count, too
from stylizer.errors import StylizerError
from tests.web.test_studio_strings import kinds
from web.documents import HEAD, MARK, PAGES, document

PARTS = sorted(path for path in PAGES.rglob("*.html") if path != HEAD)


@pytest.mark.parametrize("page", PARTS, ids=lambda page: f"{page.parent.name}-{page.stem}")
def test_every_page_continues_the_one_head_and_repeats_nothing_of_it(page: Path) -> None:
    own = page.read_text(encoding="utf-8")
    shared = [line.strip() for line in HEAD.read_text(encoding="utf-8").splitlines()]
    assert own.count(MARK) == 1 and [line for line in shared if line in own] == []
    served = bytes(document(page).body).decode()
    assert [served.count(line) for line in shared] == [1] * len(shared)
    assert MARK not in served and served.index("<head>") < served.index(shared[0]) < served.index("<title>")


def test_what_a_page_is_filled_with_cannot_become_html() -> None:
    served = bytes(document(PAGES / "keepsake" / "page.html", name='"><script>', minutes="9").body).decode()
    assert "<script" not in served and "/k/&quot;&gt;&lt;script&gt;/clip.mp4" in served


def test_every_kind_of_error_has_its_words_in_both_languages() -> None:
    text = (PAGES / "shared" / "problems.js").read_text(encoding="utf-8")
    english, japanese = text.split("  ja: {")
    wanted = {f"problem_{kind.code}" for kind in kinds(StylizerError)} | {"problem_unanswered"}
    for words in (english, japanese):
        assert set(re.findall(r"^    (problem_\w+): \"", words, re.MULTILINE)) == wanted
