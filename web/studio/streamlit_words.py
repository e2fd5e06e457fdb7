"""Streamlit's own words, which it has in English alone, covered by ours where the page speaks another language.

By style sheet alone. Screen readers read both: a button whose only words come from a style sheet counts as one without.
"""

import streamlit as st

from web.studio.launch import MAX_UPLOAD_MIB
from web.studio.strings import language, t

STYLE = "<style>{rules}</style>"
DROPZONE = '[data-testid="stFileUploaderDropzone"]'
LIMIT = '[data-testid="stFileUploaderDropzoneInstructions"]'
DRAGGED = f"{DROPZONE} > input + div:not(:last-child):not(:has(button))"  # shown while a file is held over it


def cover() -> None:
    if language() != "en":
        rules = [
            _covered(f"{DROPZONE} button [data-testid='stMarkdownContainer']", t("choose_file")),
            _covered(LIMIT, t("upload_limit", mib=MAX_UPLOAD_MIB)),
            _covered(DRAGGED, t("drop_here")),
            _covered('[data-testid="InputInstructions"]', t("press_enter")),
        ]
        st.html(STYLE.format(rules="\n".join(rules)))


def _covered(where: str, words: str) -> str:
    """`words` instead of what stands in there, in elements or as bare text."""
    return f'{where}, {where} * {{ font-size: 0; }} {where}::after {{ content: "{words}"; font-size: 0.875rem; }}'
