"""The studio's widgets, run by Streamlit itself without a browser."""

import pytest
from streamlit.testing.v1 import AppTest

from stylizer.controls import CONTROLS, Value
from web.studio.widgets import key

PERSON = [row for row in CONTROLS.values() if row.page == "person"]


def _script() -> None:
    import streamlit as st

    from stylizer.controls import CONTROLS
    from web.studio.widgets import widget

    if not st.toggle("another page", key="away"):
        rows = (row for row in CONTROLS.values() if row.page == "person")
        st.session_state["now"] = {row.name: widget(row, ["anime", "ink"]) for row in rows}


def _now(app: AppTest) -> dict[str, Value]:
    assert not app.exception
    values: dict[str, Value] = app.session_state["now"]
    return values


@pytest.fixture
def app() -> AppTest:
    return AppTest.from_function(_script, default_timeout=60).run()


def test_every_control_begins_at_the_tables_default(app: AppTest) -> None:
    assert _now(app) == {row.name: row.default for row in PERSON}


def test_what_a_visitor_sets_is_what_comes_back(app: AppTest) -> None:
    app.slider(key=key("style_strength")).set_value(0.25)
    app.number_input(key=key("seed")).set_value(77)
    app.color_picker(key=key("background_colour")).set_value("#102030")
    app.toggle(key=key("mirror")).set_value(True)
    app.selectbox(key=key("style")).set_value("ink")
    app.segmented_control(key=key("framing")).set_value("scene")
    chosen = {"style_strength": 0.25, "seed": 77, "background_colour": "#102030", "mirror": True, "style": "ink"}
    expected = {row.name: row.default for row in PERSON} | chosen | {"framing": "scene"}
    assert _now(app.run()) == expected
    assert _now(app.run()) == expected, "and stays through the next run"


def test_choices_survive_a_visit_to_another_page(app: AppTest) -> None:
    app.slider(key=key("look")).set_value(0.9)
    app.segmented_control(key=key("background")).set_value("blur")
    app.run()
    app.toggle(key="away").set_value(True).run()
    app.toggle(key="away").set_value(False).run()
    assert (_now(app)["look"], _now(app)["background"]) == (0.9, "blur")
