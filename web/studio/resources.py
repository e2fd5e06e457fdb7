"""What all visitors of the studio share: one pipeline, one worker, opened once per process."""

from pathlib import Path

import streamlit as st

import stylizer.styles
from stylizer.config import Settings
from stylizer.ladder import Parts, open_parts
from stylizer.library import Library
from stylizer.live import Worker
from stylizer.pipeline import Pipeline
from stylizer.weights import Registry
from web import compat
from web.studio.strings import language

CLIP = Path(stylizer.styles.__file__).parent / "clip.mp4"


@st.cache_resource(show_spinner=False)
def settings() -> Settings:
    return Settings.load()


@st.cache_resource(show_spinner=False)
def worker() -> Worker:
    """Raises what `Pipeline.open` raises."""
    compat.load_streamlits_late_imports()
    compat.mend_aiortc()
    opened = Worker(pipeline(), settings().visitors)
    pipeline().warm_up()
    opened.start()
    return opened


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
