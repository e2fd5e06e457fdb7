"""The camera's picture beside the drawing made from it, once a second."""

import queue

import streamlit as st

from stylizer.frame import Frame
from stylizer.live import LiveSession
from web.studio import picture
from web.studio.strings import t

PAIR_S = 1.5  # to wait for the next drawn frame


def pair(session: LiveSession, timeout_s: float = PAIR_S) -> tuple[Frame, Frame] | None:
    """The next frame and its drawing; None when none comes. Blocks meanwhile."""
    pairs: queue.Queue[tuple[Frame, Frame]] = queue.Queue(1)

    def see(frame: Frame, result: Frame) -> None:
        if not pairs.full():
            pairs.put_nowait((frame, result))

    with session.watched(see):
        try:
            return pairs.get(timeout=timeout_s)
        except queue.Empty:
            return None


def panel(session: LiveSession) -> None:
    """To be drawn again every second."""
    if not st.toggle(t("before_after"), key="before_after"):
        return
    shown = pair(session)
    if shown is None:
        st.caption(t("no_pair"))
        return
    before, after = st.columns(2)
    for place, frame, words in ((before, shown[0], t("before")), (after, shown[1], t("after"))):
        picture.show(frame.pixels, words, place)
        place.caption(words)
