"""Days with nobody behind the booth: hasty fingers, styles that are gone, answers that never come."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from PIL import Image
from playwright.sync_api import Page, Route

from stylizer.config import Settings
from tests.web.browser import CAMERAS, LIVE
from tests.web.doubles import ColourPipeline, Running, free_port, running, wait_for
from web.api.app import create_app
from web.api.doors import RateLimit

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def served(pipeline: ColourPipeline) -> Iterator[Running]:
    with running(create_app(Settings.load(visitors=2), pipeline, RateLimit(burst=10_000))) as worker:
        yield worker


@pytest.fixture
def worker(served: Running, pipeline: ColourPipeline) -> Iterator[Running]:
    yield served
    pipeline.nobody = False
    wait_for(lambda: served.visitors() == 0, 8)


def test_two_taps_on_start_take_one_place_and_one_camera(worker: Running, page: Page) -> None:
    page.add_init_script(CAMERAS)
    page.goto(worker.base)
    page.wait_for_selector("#start:visible")
    page.evaluate("() => { const start = document.querySelector('#start'); start.click(); start.click(); }")
    page.wait_for_selector(LIVE)
    page.wait_for_timeout(1500)  # a second line would be there by now
    assert worker.visitors() == 1
    assert page.evaluate("() => cameras.filter((track) => track.readyState === 'live').length") == 1


def test_a_visitors_mirror_is_the_next_ones_again(worker: Running, pipeline: ColourPipeline, page: Page) -> None:
    page.goto(f"{worker.base}/?auto=camera&rest=1")
    page.wait_for_selector(LIVE)
    assert worker.controls()["mirror"] is True
    page.click("#dock [value=more]")
    page.click(".control.mirror button")
    wait_for(lambda: worker.controls()["mirror"] is False, 5)
    pipeline.nobody = True
    page.wait_for_selector("body[data-rest]")
    wait_for(lambda: worker.controls()["mirror"] is True, 5)


def test_who_stops_leaves_no_picture_to_who_starts_next(worker: Running, page: Page, tmp_path: Path) -> None:
    Image.new("RGB", (300, 200), (10, 200, 30)).save(tmp_path / "face.png")
    page.goto(worker.base)
    page.click("#start")
    page.wait_for_selector(LIVE)
    page.click("#dock [value=style]")
    page.set_input_files(".control.like input", tmp_path / "face.png")
    (session,) = worker.app.state.service.ready.streams.sessions
    wait_for(lambda: session._state.reference is not None, 10)
    page.click("#stop")
    wait_for(lambda: worker.visitors() == 0, 5)
    page.click("#start")
    page.wait_for_selector(LIVE)
    page.wait_for_timeout(1000)  # it is sent as soon as there is a place
    (session,) = worker.app.state.service.ready.streams.sessions
    assert session._state.reference is None


def test_a_worker_that_has_lost_the_style_is_found_again_with_another(page: Page) -> None:
    """It was deleted while it played, and the worker started again since."""
    port = free_port()
    without = ColourPipeline()
    without.styles = without.on_disk = ("blue",)
    with running(create_app(Settings.load(visitors=1), ColourPipeline()), port=port) as first:
        page.goto(f"{first.base}/?auto=camera")
        page.wait_for_selector(LIVE)
        page.click("#dock [value=style]")
        page.click("button.choice[value=red]")
        wait_for(lambda: first.controls()["style"] == "red", 5)
        page.evaluate("() => { window.same = true; }")
    page.wait_for_selector("body[data-state=reconnecting]")
    with running(create_app(Settings.load(visitors=1), without), port=port) as second:
        page.wait_for_selector(LIVE)
        assert second.controls()["style"] == "blue"
        assert page.evaluate("() => window.same"), "without a reload"


def test_whatever_is_never_answered_is_asked_again(worker: Running, page: Page) -> None:
    """For a place, then with an offer: the network loses the first of each."""
    lost: list[str] = []

    def first_is_lost(route: Route) -> None:
        path = urlsplit(route.request.url).path.rpartition("/")[2]
        if path in lost:
            route.continue_()
        else:
            lost.append(path)

    page.route(re.compile("/(streams|offer)$"), first_is_lost)
    page.goto(f"{worker.base}/?auto=camera")
    page.wait_for_selector(LIVE, timeout=40_000)
    assert lost == ["streams", "offer"]


def test_a_kiosk_that_breaks_waits_with_its_fresh_start_for_the_worker(page: Page) -> None:
    port = free_port()
    with running(create_app(Settings.load(visitors=1), ColourPipeline()), port=port) as first:
        page.goto(f"{first.base}/?auto=camera")
        page.wait_for_selector(LIVE)
    page.evaluate("() => { window.old = true; setTimeout(() => { throw new Error('scripted'); }); }")
    page.wait_for_timeout(5000)
    assert page.evaluate("() => window.old"), "a browser's own page of errors would stay for ever"
    with running(create_app(Settings.load(visitors=1), ColourPipeline()), port=port):
        page.wait_for_function("() => !window.old")
        page.wait_for_selector(LIVE)


def test_a_kiosk_whose_camera_freezes_says_so_and_asks_for_it_anew(worker: Running, page: Page) -> None:
    """Without an end, as some do after a laptop's sleep; the worker repeats its last picture, then a card, for ever."""
    page.add_init_script(
        "const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices); let asked = 0;"
        "navigator.mediaDevices.getUserMedia = async (c) => { if (asked++) return real(c);"
        "const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 240 });"
        "const pen = canvas.getContext('2d'); let step = 0; setInterval(() => { if (window.frozen) return;"
        "pen.fillStyle = `hsl(${step++ * 9} 80% 50%)`; pen.fillRect(0, 0, 320, 240); }, 80);"
        "return canvas.captureStream(12); };"
    )
    page.goto(f"{worker.base}/?auto=camera")
    page.wait_for_selector(LIVE)
    page.evaluate("() => { window.frozen = true; }")
    page.wait_for_selector("body[data-state=silent]")
    page.wait_for_selector(LIVE)
    frames_in = worker.session().stats().frames_in
    wait_for(lambda: worker.session().stats().frames_in > frames_in + 5, 10)
