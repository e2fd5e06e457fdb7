"""What all visitors of the studio share: one pipeline, one worker, opened once per process."""

import os
import threading
import time
from collections.abc import Callable

import streamlit as st

from stylizer.config import Settings
from stylizer.engines import card
from stylizer.ladder import Parts, open_parts
from stylizer.library import Library
from stylizer.live import Worker
from stylizer.logs import log
from stylizer.pipeline import Pipeline
from stylizer.weights import Registry
from web import compat
from web.api.service import MAX_RESTARTS, SUPERVISE_S
from web.studio.strings import language


@st.cache_resource(show_spinner=False)
def settings() -> Settings:
    return Settings.load()


@st.cache_resource(show_spinner=False)
def worker() -> Worker:
    """Raises what `Pipeline.open` raises."""
    compat.load_streamlits_late_imports()
    compat.mend_aiortc()
    opened = Worker(pipeline(), settings().visitors, min_fps=settings().min_fps)
    pipeline().warm_up()
    opened.start()
    threading.Thread(target=_supervise, args=(opened,), name="supervisor", daemon=True).start()
    return opened


def _supervise(opened: Worker, end: Callable[[int], object] = os._exit) -> None:
    """A thread of the pipeline that died is started again, as often as in a worker's own process.

    A card that has failed answers this process no more: then the studio ends, as a worker does.
    """
    while opened.restarts <= MAX_RESTARTS:
        time.sleep(SUPERVISE_S)
        opened.revive()
        if why := card.lost():
            log.error("giving up", error=f"the card has failed: {why}")
            end(1)
            return


@st.cache_resource(show_spinner=False)
def pipeline() -> Pipeline:
    return Pipeline.of(_parts(), settings())


@st.cache_resource(show_spinner=False)
def library() -> Library:
    """The pipeline's own: a style that is imported plays at once."""
    opened = _parts().library
    assert isinstance(opened, Library)
    return opened


def titles() -> dict[str, str]:
    """What each style is called in the page's language, by its name."""
    return library().titles(language())


@st.cache_resource(show_spinner=False)
def registry() -> Registry:
    return Registry(settings())


@st.cache_resource(show_spinner=False)
def _parts() -> Parts:
    return open_parts(settings())
