"""What changes while the booth's page waits: nothing of before may be left on the screen or at the worker."""

import json
import re
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Route

from stylizer.config import Settings
from stylizer.controls import Value
from tests.web.browser import CAMERAS, LIVE, visit
from tests.web.doubles import ColourPipeline, Running, free_port, running, wait_for
from web.api.app import create_app
from web.api.doors import RateLimit

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]
PLACES = re.compile("/v1/streams$")


@pytest.fixture(scope="module")
def served(pipeline: ColourPipeline) -> Iterator[Running]:
    settings = Settings.load(visitors=2, public_url="http://192.0.2.7:8000")
    with running(create_app(settings, pipeline, RateLimit(burst=10_000))) as worker:
        yield worker


@pytest.fixture
def worker(served: Running, pipeline: ColourPipeline) -> Iterator[Running]:
    yield served
    pipeline.nobody = False
    wait_for(lambda: served.visitors() == 0, 12)


def test_a_countdown_of_the_hands_free_way_does_not_stay_over_a_booth_at_rest(
    worker: Running, pipeline: ColourPipeline, page: Page
) -> None:
    page.goto(f"{worker.base}/?auto=camera&rest=1&hands=5")  # all of its five seconds are shown
    page.wait_for_selector("#count:visible")
    pipeline.nobody = True
    page.wait_for_selector("body[data-rest]")
    assert not page.is_visible("#count")


def test_who_stops_within_the_countdown_is_told_of_no_failure(worker: Running, page: Page) -> None:
    page.goto(worker.base)
    page.click("#start")
    page.wait_for_selector(LIVE)
    page.click("#home")
    page.wait_for_selector("#count.big:visible")
    page.click("#stop")
    assert not page.is_visible("#count")
    page.wait_for_timeout(4000)  # the countdown has three seconds
    assert not page.is_visible("#taken")


def test_a_kiosk_at_rest_whose_camera_was_away_shows_who_comes_to_themselves(
    worker: Running, pipeline: ColourPipeline, page: Page
) -> None:
    page.add_init_script(CAMERAS)
    page.goto(f"{worker.base}/?auto=camera&rest=1")
    page.wait_for_selector(LIVE)
    pipeline.nobody = True
    page.wait_for_selector("body[data-rest]")
    pipeline.nobody = False
    page.evaluate("() => { cameras[0].stop(); cameras[0].dispatchEvent(new Event('ended')); }")  # its plug was pulled
    page.wait_for_selector("body[data-state=unplugged]")
    page.wait_for_selector(LIVE)


def test_a_blip_costs_nobody_their_place_in_the_queue(
    worker: Running, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits asks every three seconds; here whoever has not for 4.5 is forgotten, and one ask is lost."""
    monkeypatch.setattr("web.api.turns.FORGET_S", 4.5)
    host = worker.app.state.service.ready.worker
    everybody = [host.join() for _ in range(host.capacity)]
    tickets: list[str] = []

    def fourth_is_lost(route: Route) -> None:
        tickets.append(json.loads(route.request.post_data or "")["ticket"])
        if len(tickets) == 4:
            route.abort()
        else:
            route.continue_()

    page.route(PLACES, fourth_is_lost)
    page.goto(f"{worker.base}/?auto=camera")
    while len(tickets) < 6:
        page.wait_for_timeout(100)
    for session in everybody:
        session.leave()
    assert len(set(tickets[1:])) == 1, "the same ticket all the while"


def test_a_proxy_that_answers_for_a_worker_that_is_away_does_not_keep_the_visitor_out(
    worker: Running, page: Page
) -> None:
    answered: list[str] = []

    def at_first(route: Route) -> None:
        if len(answered) < 2:
            answered.append(route.request.url)
            route.fulfill(status=502, content_type="text/html", body="<h1>502 Bad Gateway</h1>")
        else:
            route.continue_()

    page.route(PLACES, at_first)
    page.goto(worker.base)
    page.click("#start")
    page.wait_for_selector(LIVE)


def test_a_network_that_returns_while_a_place_is_asked_for_takes_no_second_one(worker: Running, page: Page) -> None:
    asked: list[str] = []

    def slow(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) == 1:
            route.abort()
            return
        answer = route.fetch()
        if len(asked) == 2:
            page.evaluate("() => dispatchEvent(new Event('online'))")
        route.fulfill(response=answer)

    page.route(PLACES, slow)
    page.goto(worker.base)
    page.click("#start")
    page.wait_for_selector(LIVE)
    assert worker.visitors() == 1


def test_who_tried_the_clip_first_finds_a_mirror_all_the_same(worker: Running, page: Page) -> None:
    page.goto(worker.base)
    page.click("#clip")
    page.wait_for_selector(LIVE)
    assert worker.controls()["mirror"] is False
    page.click("#stop")
    page.click("#start")
    page.wait_for_selector(LIVE)
    wait_for(lambda: worker.visitors() == 1, 5)
    assert worker.controls()["mirror"] is True


def test_a_new_connection_has_a_relays_new_credentials(camera: Browser) -> None:
    """They hold for an hour, a kiosk's place for days."""
    settings = Settings.load(visitors=1, turn_url=f"turn:127.0.0.1:{free_port()}", turn_secret="0123456789abcdef")
    with running(create_app(settings, ColourPipeline())) as served, visit(camera) as context:
        page = context.new_page()
        page.add_init_script(
            "const Real = RTCPeerConnection; window.lines = [];"
            "window.RTCPeerConnection = class extends Real { constructor(c) { super(c); lines.push(this); } };"
        )
        page.goto(f"{served.base}/?auto=camera")
        page.wait_for_selector(LIVE)
        stream = served.session().id
        page.evaluate("() => lines[0].close()")
        page.wait_for_selector("body[data-state=reconnecting]")
        page.wait_for_selector(LIVE)
        names = page.evaluate("() => lines.map((line) => line.getConfiguration().iceServers[0].username)")
        until = [int(name.partition(":")[0]) for name in names]
        assert served.session().id == stream and until[-1] > until[0]


def test_what_is_tapped_and_drawn_while_a_style_loads_holds(
    worker: Running, pipeline: ColourPipeline, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded, checked = threading.Event(), pipeline.checked

    def load(changes: Mapping[str, object]) -> dict[str, Value]:
        assert changes.get("style") != "red" or loaded.wait(20)
        return checked(changes)

    page.goto(worker.base)
    page.click("#start")
    page.wait_for_selector(LIVE)
    monkeypatch.setattr(pipeline, "checked", load)
    page.click("#dock [value=style]")
    page.click("button.choice[value=red]")
    page.click("#dock [value=background]")
    page.click("button.choice[value=blur]")
    page.click("#dock [value=style]")
    page.evaluate(
        "async () => { const slider = document.querySelector('.style_strength input');"
        "for (let step = 0; step <= 60; step++) { slider.value = step / 100;"
        "slider.dispatchEvent(new Event('input')); await new Promise((next) => setTimeout(next, 16)); } }"
    )
    loaded.set()
    wait_for(lambda: worker.controls()["style_strength"] == 0.6, 5)
    assert worker.controls()["background"] == "blur" and worker.controls()["style"] == "red"


def test_a_screen_may_sleep_again_when_a_visit_ends(worker: Running, page: Page) -> None:
    """Asked for with each change of the state, granted later."""
    page.add_init_script(
        "window.locks = []; Object.defineProperty(navigator, 'wakeLock', { value: { request: async () => {"
        "await new Promise((go) => setTimeout(go, 1500)); const lock = Object.assign(new EventTarget(), { held: true,"
        "release: async () => { lock.held = false; lock.dispatchEvent(new Event('release')); } });"
        "locks.push(lock); return lock; } } });"
    )
    page.goto(worker.base)
    page.click("#start")
    page.wait_for_selector(LIVE)
    page.wait_for_function("() => locks.length > 0")
    page.wait_for_timeout(2000)
    page.click("#stop")
    page.wait_for_timeout(2000)
    assert page.evaluate("() => locks.map((lock) => lock.held)").count(True) == 0
    page.click("#start")
    page.wait_for_selector(LIVE)
    page.click("#stop")
    page.wait_for_timeout(2000)
    assert page.evaluate("() => locks.map((lock) => lock.held)").count(True) == 0


def test_a_browser_that_keeps_nothing_shows_the_page_all_the_same(worker: Running, page: Page) -> None:
    """As Chromium does with "block all cookies"."""
    page.add_init_script(
        "const get = () => { throw new DOMException('denied', 'SecurityError'); };"
        "Object.defineProperty(window, 'localStorage', { get });"
    )
    page.goto(worker.base)
    page.wait_for_selector("#start:visible", timeout=5000)
    page.click("#languages button[value=ja]")
    assert page.inner_text("#start") == "カメラを始める"


def test_a_rest_that_is_set_to_never_is_not_taken_at_once(
    worker: Running, pipeline: ColourPipeline, page: Page
) -> None:
    """A browser's timers count to 2³¹ ms, 24 days, and take more for nothing."""
    page.goto(f"{worker.base}/?auto=camera&rest=3000000")
    page.wait_for_selector(LIVE)
    pipeline.nobody = True
    page.wait_for_timeout(2000)
    assert page.locator("body[data-rest]").count() == 0


def test_a_phone_that_is_turned_turns_the_hints_frame(worker: Running, pipeline: ColourPipeline, page: Page) -> None:
    page.add_init_script(CAMERAS)
    page.goto(worker.base)
    page.click("#start")
    page.wait_for_selector(LIVE)
    page.wait_for_selector("#hint svg[viewBox='0 0 100 75']")
    page.evaluate("() => { cameras[0].getSettings = () => ({ width: 480, height: 640 }); }")
    pipeline.nobody = True  # whoever moves does as well
    page.wait_for_selector("#hint svg[viewBox='0 0 56.25 75']", timeout=5000)


def test_who_finds_no_clip_can_still_take_the_camera(worker: Running, page: Page) -> None:
    page.route("**/clip.mp4", lambda route: route.fulfill(status=404))
    page.goto(worker.base)
    page.click("#clip")
    page.wait_for_selector("body[data-state=noclip]")
    assert page.inner_text("#start") == "Start the camera"
    page.click("#start")
    page.wait_for_selector(LIVE)


HELD_UP = """
const read = createImageBitmap;
window.goOn = new Promise((done) => { window.release = done; });
window.createImageBitmap = (...given) => window.goOn.then(() => read(...given));"""


def test_a_picture_that_is_read_when_its_owner_leaves_reaches_nobody(
    worker: Running, page: Page, tmp_path: Path
) -> None:
    Image.new("RGB", (300, 200), (10, 200, 30)).save(tmp_path / "mine.png")
    page.add_init_script(HELD_UP)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "PUT" else None)
    page.goto(worker.base)
    page.click("#start")
    page.wait_for_selector(LIVE)
    page.click("#dock [value=background]")
    page.set_input_files(".control.own input", tmp_path / "mine.png")
    page.click("#dock [value=background]")
    page.click("#stop")
    page.click("#start")
    page.wait_for_selector(LIVE)
    page.evaluate("() => window.release()")
    page.wait_for_timeout(1000)
    (session,) = worker.app.state.service.ready.streams.sessions
    assert session._state.backdrop is None and sent == []


def test_a_look_is_given_back_though_the_first_asking_is_lost(worker: Running, page: Page, tmp_path: Path) -> None:
    Image.new("RGB", (300, 200), (10, 200, 30)).save(tmp_path / "mine.png")
    page.add_init_script(
        "const ask = fetch; window.lost = 0;"
        "window.fetch = (path, how) =>"
        "  how.method === 'DELETE' && !window.lost++ ? Promise.reject(new TypeError()) : ask(path, how);"
    )
    page.goto(f"{worker.base}/?auto=camera")
    page.wait_for_selector(LIVE)
    (session,) = worker.app.state.service.ready.streams.sessions
    page.click("#dock [value=style]")
    page.set_input_files(".control.like input", tmp_path / "mine.png")
    wait_for(lambda: session._state.reference is not None, 10)
    page.click("#dock [value=new]")
    wait_for(lambda: session._state.reference is None, 10)
    assert page.evaluate("() => window.lost") > 1


ANSWERED_FOR = """
const ask = fetch, Real = RTCPeerConnection;
window.lines = []; window.answers = {}; // end of a path: the status that its next request is answered with
window.RTCPeerConnection = class extends Real { constructor(c) { super(c); lines.push(this); } };
window.fetch = (path, how) => {
  const end = path.split('/').at(-1), status = answers[end];
  delete answers[end];
  return status ? Promise.resolve(new Response('{"code": "no"}', { status })) : ask(path, how);
};"""


def test_a_picture_that_is_refused_takes_the_place_of_none(worker: Running, page: Page, tmp_path: Path) -> None:
    page.add_init_script(ANSWERED_FOR)
    for name, colour in (("first", (10, 200, 30)), ("second", (200, 10, 30))):
        Image.new("RGB", (300, 200), colour).save(tmp_path / f"{name}.png")
    page.goto(f"{worker.base}/?auto=camera")
    page.wait_for_selector(LIVE)
    streams = worker.app.state.service.ready.streams
    (session,) = streams.sessions
    page.click("#dock [value=background]")
    page.set_input_files(".control.own input", tmp_path / "first.png")
    wait_for(lambda: session._state.backdrop is not None, 10)
    page.evaluate("() => { answers.backdrop = 415; }")
    page.set_input_files(".control.own input", tmp_path / "second.png")
    page.wait_for_selector("#taken[open]")
    page.evaluate("() => { answers.offer = 404; lines[0].close(); }")  # forgotten by the worker: a new place
    wait_for(lambda: any(s is not session and s._state.backdrop is not None for s in streams.sessions), 20)
    (brought,) = (s._state.backdrop for s in streams.sessions if s is not session)
    assert brought[0, 0, 1] > 150, "the first one, which was taken"
