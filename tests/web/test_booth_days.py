"""A kiosk through nights and troubles: nobody's picture comes back, and nothing but the booth is ever on its screen."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from PIL import Image
from playwright.sync_api import Page, Route

from stylizer.config import Settings
from stylizer.controls import CONTROLS, Control
from tests.web.browser import CAMERAS, LIVE
from tests.web.doubles import ColourPipeline, Running, free_port, running, wait_for
from web.api.app import create_app
from web.api.doors import RateLimit

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def served(pipeline: ColourPipeline) -> Iterator[Running]:
    with running(create_app(Settings.load(visitors=1), pipeline, RateLimit(burst=10_000))) as worker:
        yield worker


@pytest.fixture
def worker(served: Running) -> Iterator[Running]:
    yield served
    wait_for(lambda: served.visitors() == 0, 12)


def test_a_kiosk_that_breaks_shows_no_page_of_a_proxys_and_waits_for_no_answer_that_is_lost(
    worker: Running, page: Page
) -> None:
    page.goto(f"{worker.base}/?auto=camera")
    page.wait_for_selector(LIVE)
    asked: list[str] = []

    def away(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) == 2:
            route.fulfill(status=502, body="<h1>502 Bad Gateway</h1>")
        elif len(asked) > 2:
            route.continue_()  # the first is never answered

    page.route("**/health", away)
    page.evaluate("() => { window.old = true; setTimeout(() => { throw new Error('scripted'); }); }")
    while len(asked) < 3:
        assert page.evaluate("() => window.old"), "it has no script that would look for the worker again"
        page.wait_for_timeout(100)
    page.wait_for_function("() => !window.old")
    page.wait_for_selector(LIVE)


@pytest.mark.parametrize("away_s, kept", [(20, True), (180, False)])
def test_whoever_comes_when_the_camera_is_back_finds_nobodys_picture(
    worker: Running, page: Page, tmp_path: Path, away_s: int, kept: bool
) -> None:
    """A visitor's settings and pictures wait for the camera for two minutes, as for a line that is lost."""
    Image.new("RGB", (300, 200), (10, 200, 30)).save(tmp_path / "mine.png")
    page.clock.install()
    page.add_init_script(CAMERAS)
    page.goto(f"{worker.base}/?auto=camera")
    page.wait_for_selector(LIVE)
    page.click("#dock [value=background]")
    page.set_input_files(".control.own input", tmp_path / "mine.png")
    wait_for(lambda: worker.controls()["background"] == "picture", 10)
    page.evaluate(
        "() => { const { mediaDevices } = navigator, real = mediaDevices.getUserMedia;"
        "window.plugIn = () => { mediaDevices.getUserMedia = real; };"
        "mediaDevices.getUserMedia = async () => { throw new DOMException('', 'NotFoundError'); };"
        "cameras.at(-1).stop(); cameras.at(-1).dispatchEvent(new Event('ended')); }"
    )
    page.wait_for_selector("body[data-state=unplugged]")
    page.clock.fast_forward(away_s * 1000)
    page.evaluate("() => plugIn()")
    page.wait_for_selector(LIVE)
    page.wait_for_timeout(1000)  # pictures are sent as soon as there is a place
    (session,) = worker.app.state.service.ready.streams.sessions
    assert (session._state.backdrop is not None) == kept
    assert (worker.controls()["background"] == "picture") == kept


def test_a_clip_that_the_browser_does_not_play_is_no_trouble_of_the_camera(worker: Running, page: Page) -> None:
    """As on a phone that saves its battery, unless a finger has just asked for it."""
    page.add_init_script(
        "const play = HTMLMediaElement.prototype.play; HTMLMediaElement.prototype.play = function () {"
        "if (!this.src.endsWith('clip.mp4')) return play.call(this);"
        "return Promise.reject(new DOMException('', 'NotAllowedError')); };"
    )
    page.goto(worker.base)
    page.click("#clip")
    page.wait_for_selector("body[data-state=noclip]", timeout=10_000)
    page.click("#start")
    page.wait_for_selector(LIVE)


def test_a_kiosk_whose_scripts_do_not_all_come_starts_anew(worker: Running, page: Page) -> None:
    """The worker, or the proxy before it, was started again just then."""
    lost: list[str] = []

    def first_is_lost(route: Route) -> None:
        if lost:
            route.continue_()
        else:
            lost.append(route.request.url)
            route.fulfill(status=502, body="<h1>502 Bad Gateway</h1>")

    page.route("**/booth/figure.js", first_is_lost)
    page.route("**/booth/attract.mp4", lambda route: route.abort())  # it can do without
    page.goto(f"{worker.base}/?auto=camera")
    page.wait_for_selector(LIVE)
    page.evaluate("() => { window.same = true; }")
    page.wait_for_timeout(4000)
    assert lost and page.evaluate("() => window.same"), "once is enough"


@pytest.mark.parametrize("change", ["a control is gone", "a range is smaller"])
def test_a_kiosk_finds_a_worker_that_was_upgraded_meanwhile(
    change: str, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its page still knows what held before, which the new worker refuses."""
    port = free_port()
    with running(create_app(Settings.load(visitors=1), ColourPipeline()), port=port) as before:
        page.goto(f"{before.base}/?auto=camera")
        page.wait_for_selector(LIVE)
        page.click("#dock [value=new]")
        wait_for(lambda: before.controls()["seed"] != 0, 5)
    if change == "a control is gone":
        monkeypatch.delitem(cast(dict[str, Control], CONTROLS), "ink")
    else:
        monkeypatch.setitem(cast(dict[str, Control], CONTROLS), "seed", replace(CONTROLS["seed"], hi=0))
    page.wait_for_selector("body[data-state=reconnecting]")
    with running(create_app(Settings.load(visitors=1), ColourPipeline()), port=port) as after:
        page.wait_for_selector(LIVE)
        wait_for(lambda: after.visitors() == 1, 5)


def test_nobody_can_leave_a_kiosk_with_the_clip_instead_of_its_camera(worker: Running, page: Page) -> None:
    """It has no *Stop*, and would never ask for the camera again."""
    page.add_init_script(
        "const { mediaDevices } = navigator, real = mediaDevices.getUserMedia;"
        "window.plugIn = () => { mediaDevices.getUserMedia = real; };"
        "mediaDevices.getUserMedia = async () => { throw new DOMException('', 'NotFoundError'); };"
    )
    page.goto(f"{worker.base}/?auto=camera")
    page.wait_for_selector("body[data-state=absent]")
    if page.is_visible("#clip"):
        page.click("#clip")
        page.wait_for_timeout(3000)
    page.evaluate("() => { plugIn(); navigator.mediaDevices.dispatchEvent(new Event('devicechange')); }")
    page.wait_for_selector(LIVE)
    assert worker.controls()["mirror"] is True, "a camera is mirrored, the clip is not"
