"""The studio's box for a reference, run by Streamlit itself without a browser."""

import io
from collections.abc import Iterator

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from stylizer.live import LiveSession, Worker
from tests.web.doubles import ColourPipeline
from web.studio.reference import Choice


def _script() -> None:
    import streamlit as st

    from web.studio.reference import forget, give, panel

    choice = st.session_state["choice"]
    if not st.toggle("another page", key="away"):
        st.button("own", key="own", on_click=forget, args=(choice,))
        panel(choice)
    give(choice, st.session_state["session"])


@pytest.fixture
def session() -> Iterator[LiveSession]:
    worker = Worker(ColourPipeline(), capacity=1)
    worker.start()
    yield worker.join()
    worker.stop()


@pytest.fixture
def app(session: LiveSession) -> AppTest:
    app = AppTest.from_function(_script, default_timeout=60)
    app.session_state["choice"], app.session_state["session"] = Choice(), session
    return app.run()


def picture() -> bytes:
    memory = io.BytesIO()
    Image.new("RGB", (40, 30), (10, 200, 30)).save(memory, "PNG")
    return memory.getvalue()


def test_a_picture_chosen_is_given_and_stays_while_another_page_is_shown(app: AppTest, session: LiveSession) -> None:
    assert session._state.reference is None
    app.file_uploader[0].upload("mine.png", picture(), "image/png").run()
    assert not app.exception and session._state.reference is not None
    app.toggle(key="away").set_value(True).run()
    app.toggle(key="away").set_value(False).run()
    assert session._state.reference is not None


def test_ones_own_colours_take_it_away_and_empty_the_box(app: AppTest, session: LiveSession) -> None:
    app.file_uploader[0].upload("mine.png", picture(), "image/png").run()
    app.button(key="own").click().run()
    assert not app.exception and session._state.reference is None
    assert not app.file_uploader[0].value


def test_what_is_no_picture_is_told_in_words(app: AppTest, session: LiveSession) -> None:
    app.file_uploader[0].upload("mine.png", b"no picture", "image/png").run()
    assert not app.exception and session._state.reference is None
    assert "mine.png" in app.warning[0].value
