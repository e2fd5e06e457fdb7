"""What all pages have in common, read from their files."""

from pathlib import Path

import pytest

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
