"""The studio's live page and the worker behind it, without a browser and without networks."""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from stylizer.config import Settings
from stylizer.controls import Value
from stylizer.engines import card
from stylizer.errors import ModelRejected
from stylizer.frame import Frame
from stylizer.live import Worker
from tests.web.doubles import ColourPipeline, wait_for
from tests.web.test_service import Troubled
from web.api.service import MAX_RESTARTS
from web.studio import compare_page, resources
from web.studio.bridge import Bridge
from web.studio.live_page import Stage, Visit


class SpoiltRed(ColourPipeline):
    """Its style "red" lies there, and its weights are not those of its card."""

    def checked(self, changes: Mapping[str, object]) -> dict[str, Value]:
        if changes.get("style") == "red":
            raise ModelRejected("red: its content is not what it must be")
        return super().checked(changes)


@pytest.fixture
def pipeline() -> ColourPipeline:
    return ColourPipeline()


@pytest.fixture
def worker(pipeline: ColourPipeline, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    opened = Worker(pipeline, 1)
    opened.start()
    monkeypatch.setattr(resources, "pipeline", lambda: opened.pipeline)
    monkeypatch.setattr(resources, "titles", lambda: pipeline.titles("en"))
    yield opened
    opened.stop()


def _script() -> None:
    import streamlit as st

    from web.studio.live_page import _panel

    _panel(st.session_state["stage"])


def panel(worker: Worker) -> tuple[AppTest, Bridge]:
    """The panel of somebody who plays."""
    bridge = Bridge(worker.join(), lambda: True)
    app = AppTest.from_function(_script, default_timeout=60)
    app.session_state["stage"] = Stage(Visit("camera", bridge, None, 1, 0))
    return app.run(), bridge


@pytest.mark.parametrize("pipeline", [SpoiltRed()])
def test_a_style_that_cannot_be_played_is_told_and_holds_no_other_control_back(worker: Worker) -> None:
    app, bridge = panel(worker)
    app.selectbox(key="control.style").set_value("red").run()
    assert not app.exception and "red: its content" in app.warning[0].value
    app.slider(key="control.ink").set_value(0.9).run()
    assert not app.exception and app.warning
    assert bridge.session.controls["ink"] == 0.9 and bridge.session.controls["style"] == "blue"
    app.selectbox(key="control.style").set_value("blue").run()
    assert not app.warning
    bridge.close()


def test_a_style_that_is_gone_gives_way_to_the_first(worker: Worker, pipeline: ColourPipeline) -> None:
    app, bridge = panel(worker)
    app.selectbox(key="control.style").set_value("red").run()
    assert bridge.session.controls["style"] == "red"
    pipeline.styles = ("blue",)
    app.run()
    assert not app.exception and app.selectbox(key="control.style").value == "blue"
    assert bridge.session.controls["style"] == "blue"
    bridge.close()


def _compare() -> None:
    from web.studio import compare_page

    compare_page.page()


def test_a_comparison_that_finds_no_room_for_its_film_is_told_in_words(
    worker: Worker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "worker", lambda: worker)
    app = AppTest.from_function(_compare, default_timeout=60).run()
    (tmp_path / "file").touch()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "file"))
    app.button[0].click().run()
    assert not app.exception and "Not a directory" in app.error[0].value


def test_two_media_of_one_style_are_compared(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, object]] = []

    def draw(worker: Worker, film: Path, ways: list[dict[str, object]], *rest: object) -> bytes:
        asked.extend(ways)
        return b"film"

    monkeypatch.setattr(resources, "worker", lambda: worker)
    monkeypatch.setattr(compare_page, "side_by_side", draw)
    app = AppTest.from_function(_compare, default_timeout=60).run()
    app.selectbox(key="compare.medium.1").set_value("manga")
    app.button[0].click().run()
    assert not app.exception and [way["medium"] for way in asked] == ["own", "manga"]
    assert "medium: manga" in app.caption[1].value


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_studios_worker_keeps_its_promise_and_a_dead_thread_is_started_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pipeline = Troubled()
    monkeypatch.setattr(resources, "settings", lambda: Settings.load(visitors=3, min_fps=9.5))
    monkeypatch.setattr(resources, "pipeline", lambda: pipeline)
    monkeypatch.setattr(resources, "SUPERVISE_S", 0.01)
    resources.worker.clear()
    worker = resources.worker()
    try:
        assert (worker.budget.limit, worker.budget.min_fps) == (3, 9.5)
        session = worker.join()
        pipeline.end = SystemExit("scripted end of a thread")
        session.offer(Frame(np.full((8, 8, 3), 90, np.uint8), 1))
        wait_for(lambda: worker.restarts == 1 and worker.alive, 10)
        session.offer(Frame(np.full((8, 8, 3), 90, np.uint8), 2))
        result = session.take(10)
        assert result is not None and result.pts == 2
    finally:
        worker.restarts = MAX_RESTARTS + 1  # the supervisor goes
        worker.stop()
        resources.worker.clear()


def test_the_studio_ends_when_its_card_has_failed(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that it is started again; it drew nobody any more, and said that all was well."""
    answers = iter(("", "CUDA error: an illegal memory access"))
    monkeypatch.setattr(card, "lost", lambda: next(answers))
    monkeypatch.setattr(resources, "SUPERVISE_S", 0.01)
    ended: list[int] = []
    resources._supervise(worker, ended.append)
    assert ended == [1]
