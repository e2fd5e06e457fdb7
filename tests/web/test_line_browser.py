"""Bad networks between Chromium's page and the worker: what the visitor sees, and how soon it is over.

STYLIZER_LINE=1, on a machine with nothing else to do, holds all to the product's own limits in seconds; without it the
cuts have more time to be over, and some do not run.
"""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route

from stylizer.budget import Budget
from stylizer.config import Settings
from tests.docker.relay import SECRET, free_udp_port, needs_coturn, own_address, relay
from tests.web.browser import CAMERA_FPS, go_live, visit, wait_unique
from tests.web.doubles import ColourPipeline, Running, free_port, is_ready, running, wait_for, worker_process
from tests.web.line import Line
from web.api.app import create_app
from web.api.doors import RateLimit

pytestmark = [pytest.mark.browser, pytest.mark.timeout(150)]
QUIET = os.environ.get("STYLIZER_LINE") == "1"
on_request = pytest.mark.skipif(not QUIET, reason="times a quiet machine (STYLIZER_LINE=1 runs it)")
BACK_MS = 3000 if QUIET else 10_000  # until the picture is back
CURVE_MS = [0, 300, 1200, 2700, 4800, 7000]


@pytest.fixture(scope="module")
def worker() -> Iterator[Running]:
    with running(create_app(Settings.load(visitors=2), ColourPipeline(), RateLimit(burst=10_000))) as served:
        yield served


def _lay(line: Line, context: BrowserContext) -> None:
    """From now on the page's pictures go over this line."""

    def offer(route: Route) -> None:
        asked: dict[str, str] = json.loads(route.request.post_data or "{}")
        answer = route.fetch(post_data={"sdp": line.offer(asked["sdp"])})
        data = answer.json()
        if answer.ok:
            data["sdp"] = line.answer(data["sdp"])
        route.fulfill(response=answer, json=data)

    context.route("**/offer", offer)


def test_the_page_sends_as_many_pictures_as_the_worker_has_use_for(
    worker: Running, camera: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted_fps = [CAMERA_FPS]
    monkeypatch.setattr(Budget, "camera_fps", lambda self, visitors: wanted_fps[0])

    def sent_fps(page: Page) -> float:
        """What arrives in two seconds, once the worker's word has come and Chromium keeps to it."""
        page.wait_for_timeout(2000)
        begin = worker.session().stats().frames_in
        page.wait_for_timeout(2000)
        return (worker.session().stats().frames_in - begin) / 2

    with visit(camera) as context:
        page = context.new_page()
        go_live(page, worker.base)
        for fps in (4, CAMERA_FPS):
            wanted_fps[0] = fps
            assert sent_fps(page) == pytest.approx(fps, rel=0.4)


@on_request
@pytest.mark.slow
@pytest.mark.parametrize("loss, delay_s, longest_ms", [(0.01, 0.05, 1000), (0.05, 0.05, 1000), (0.1, 0.05, 3000)])
def test_loss_and_delay_freeze_the_mirror_for_no_longer(
    worker: Running, camera: Browser, loss: float, delay_s: float, longest_ms: int
) -> None:
    with Line() as line, visit(camera) as context:
        _lay(line, context)
        page = context.new_page()
        go_live(page, worker.base)
        line.loss, line.delay_s = loss, delay_s
        page.evaluate("() => { window.seen.longest = 0; }")
        page.wait_for_timeout(6000)
        longest, unique = page.evaluate("() => [window.seen.longest, window.seen.unique]")
        assert line.lost > 0
    assert longest <= longest_ms
    assert unique > 2 * CAMERA_FPS


@pytest.mark.slow
def test_two_seconds_without_a_network_are_over_three_seconds_after(worker: Running, camera: Browser) -> None:
    with Line() as line, visit(camera) as context:
        _lay(line, context)
        page = context.new_page()
        go_live(page, worker.base)
        line.cut = True
        page.wait_for_timeout(2000)
        line.cut = False
        page.evaluate("() => { window.seen.unique = 0; }")
        wait_unique(page, 4, timeout_ms=BACK_MS)


@pytest.mark.slow
def test_a_long_cut_is_told_in_words_and_over_three_seconds_after_with_the_settings(
    worker: Running, camera: Browser
) -> None:
    with Line() as line, visit(camera) as context:
        _lay(line, context)
        page = context.new_page()
        go_live(page, worker.base)
        page.click("#dock [value=style]")
        page.click("button.choice[value=red]")
        line.cut = True
        page.wait_for_selector("body[data-state=reconnecting]", timeout=8000)
        assert page.inner_text("#heading") == "Reconnecting"
        assert "settings are kept" in page.inner_text("#more")
        wait_for(lambda: worker.visitors() == 0, 12)  # the worker has given the place away
        line.cut = False
        page.evaluate("() => { window.seen.unique = 0; }")
        wait_unique(page, 4, timeout_ms=BACK_MS)
        page.wait_for_function("() => window.seen.mean[0] > window.seen.mean[2] + 50", timeout=5000)


@on_request
@pytest.mark.slow
def test_a_worker_that_is_killed_and_started_again_is_found_with_the_settings(camera: Browser) -> None:
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    process = worker_process(port=port)
    try:
        wait_for(lambda: is_ready(base), 90)
        with visit(camera) as context:
            page = context.new_page()
            go_live(page, base)
            page.click("#dock [value=style]")
            page.click("button.choice[value=red]")
            process.send_signal(signal.SIGKILL)
            process.wait()
            page.wait_for_selector("body[data-state=reconnecting]", timeout=10_000)
            process = worker_process(port=port)
            wait_for(lambda: is_ready(base), 90)
            page.wait_for_selector("body[data-state=live]", timeout=20_000)
            page.wait_for_function("() => window.seen.mean[0] > window.seen.mean[2] + 50", timeout=20_000)
    finally:
        process.kill()
        process.wait()


def test_a_dead_relay_holds_nobody_up_who_has_another_way(camera: Browser) -> None:
    settings = Settings.load(visitors=1, turn_url=f"turn:127.0.0.1:{free_port()}", turn_secret="0123456789abcdef")
    with running(create_app(settings, ColourPipeline(), RateLimit(burst=100))) as served, visit(camera) as context:
        page = context.new_page()
        page.goto(f"{served.base}/?auto=camera")
        page.wait_for_selector("body[data-state=live]", timeout=15_000)
        page.close()
        wait_for(lambda: served.visitors() == 0, 6)


RELAY_ONLY = """
const Real = RTCPeerConnection;
window.RTCPeerConnection = class extends Real {
  constructor(options) { super({ ...options, iceTransportPolicy: "relay" }); window.line = this; }
};
"""
WAY = """async () => {
  const stats = [...(await window.line.getStats()).values()];
  const pair = stats.find(({ type, nominated }) => type === "candidate-pair" && nominated);
  return stats.find(({ id }) => id === pair.localCandidateId).candidateType;
}"""


@needs_coturn
@pytest.mark.slow
def test_a_relay_that_dies_in_the_middle_is_told_in_words_and_the_picture_is_back_when_it_is(
    camera: Browser, tmp_path: Path
) -> None:
    """The real relay, with the settings that containers start it with, as the visitor's only way."""
    here, port = own_address(), free_udp_port()
    settings = Settings.load(visitors=2, turn_url=f"turn:{here}:{port}", turn_secret=SECRET)
    with running(create_app(settings, ColourPipeline(), RateLimit(burst=1000))) as served, visit(camera) as context:
        page = context.new_page()
        page.add_init_script(RELAY_ONLY)
        with relay(tmp_path, port, here, here, listening_ip=here) as process:
            go_live(page, served.base)
            assert page.evaluate(WAY) == "relay"
            process.kill()
            page.wait_for_selector("body[data-state=reconnecting]", timeout=15_000)
            assert page.inner_text("#heading") == "Reconnecting"
        with relay(tmp_path, port, here, here, listening_ip=here):
            page.evaluate("() => { window.seen.unique = 0; }")
            wait_unique(page, 4, timeout_ms=30_000)
            assert page.evaluate(WAY) == "relay"


def test_the_page_tries_again_on_its_curve_and_says_so(worker: Running, camera: Browser) -> None:
    """With a worker that refuses every connection, on the page's own clock, which the test winds forward."""
    with visit(camera) as context:
        page = context.new_page()
        page.add_init_script(
            "const real = fetch; window.asked = [];"
            "window.fetch = (path, options) => { if (options?.method !== 'POST') return real(path, options);"
            " asked.push(Date.now()); return Promise.reject(new TypeError('no network')); };"
        )
        page.clock.install()
        page.goto(f"{worker.base}/?auto=camera")
        page.wait_for_function("() => window.asked.length >= 2")
        for count, wait_ms in enumerate(CURVE_MS[1:], start=2):
            page.clock.run_for(wait_ms + 50)
            page.wait_for_function(f"() => window.asked.length > {count}")
        asked = page.evaluate("() => window.asked")
        assert page.get_attribute("body", "data-state") == "reconnecting"
        page.evaluate("() => dispatchEvent(new Event('online'))")  # seven seconds before its next try
        page.wait_for_function(f"() => window.asked.length > {len(asked)}", timeout=3000)
    waits = np.diff(asked)
    assert all(curve - 20 <= wait <= curve + 250 for wait, curve in zip(waits, CURVE_MS, strict=False)), waits
