"""The picture of somebody whose look the visitor takes on: chosen on the page, given to whichever visit is on."""

from dataclasses import dataclass

import streamlit as st

from stylizer.errors import StylizerError
from stylizer.frame import PixelsU8
from stylizer.live import LiveSession
from stylizer.picture import decode_picture
from web.api.stills import FORMATS
from web.api.streams import MAX_PIXELS
from web.studio import picture
from web.studio.strings import said, t


@dataclass
class Choice:
    """What a page keeps of it between two runs. `take` is new when the box for the file is to be empty again."""

    pixels: PixelsU8 | None = None
    problem: str | None = None
    take: int = 0

    @property
    def key(self) -> str:
        return f"reference.{self.take}"


def panel(choice: Choice) -> None:
    """The box for the file, and the picture that holds: Streamlit forgets the file while another page is shown.

    The place below is always there: of what a run no longer draws, the browser may keep the last one.
    """
    types = [name.lower() for name in (*FORMATS, "JPG")]
    st.file_uploader(
        t("reference"), type=types, key=choice.key, help=t("reference_help"), on_change=_choose, args=(choice,)
    )
    below = st.empty()
    if choice.problem:
        below.warning(choice.problem)
    elif choice.pixels is not None:
        picture.show(choice.pixels, t("reference_shown"), below.columns(3)[0])


def forget(choice: Choice) -> None:
    if choice.pixels is not None or choice.problem:
        choice.pixels, choice.problem, choice.take = None, None, choice.take + 1


def give(choice: Choice, session: LiveSession) -> None:
    """Takes up to a second. A picture that cannot be used is told in the panel and not asked for again."""
    try:
        session.set_reference(choice.pixels)
    except StylizerError as error:
        choice.pixels, choice.problem = None, said(error)


def _choose(choice: Choice) -> None:
    file = st.session_state[choice.key]
    choice.pixels, choice.problem = None, None
    if file is not None:
        try:
            choice.pixels = decode_picture(file.getvalue(), file.name, MAX_PIXELS, FORMATS)
        except StylizerError as error:
            choice.problem = said(error)
