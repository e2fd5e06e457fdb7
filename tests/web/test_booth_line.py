"""While the line is lost, or something is refused: nothing else is lost with it, and nothing looks done that is not."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, Route

from stylizer.config import Settings
from stylizer.controls import Value
from stylizer.errors import ModelRejected
from tests.web.browser import LIVE
from tests.web.doubles import ColourPipeline, Running, running, wait_for
from web.api.app import create_app
from web.api.doors import RateLimit

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]
PLACES = re.compile("/v1/streams$")
SCRIPTED = """
const ask = fetch, Real = RTCPeerConnection;
window.lines = []; window.lost = []; window.waits = {}; // ends of paths: never answered; what a request waits for
window.gone = ''; // the end of a path that the worker does not know any more, once
window.RTCPeerConnection = class extends Real { constructor(c) { super(c); lines.push(this); } };
window.fetch = async (path, how) => {
  const end = path.split('/').at(-1);
  await waits[end];
  if (lost.includes(end)) throw new TypeError('Failed to fetch');
  if (gone !== end) return ask(path, how);
  gone = '';
  return new Response('{"code": "not_found"}', { status: 404 });
};"""


@pytest.fixture(scope="module")
def served(pipeline: ColourPipeline) -> Iterator[Running]:
    settings = Settings.load(visitors=2, public_url="http://192.0.2.7:8000")
    with running(create_app(settings, pipeline, RateLimit(burst=10_000))) as worker:
        yield worker


@pytest.fixture
def worker(served: Running, pipeline: ColourPipeline) -> Iterator[Running]:
    yield served
    pipeline.styles = ColourPipeline.styles
    pipeline.delay_s = 0.0
    wait_for(lambda: served.visitors() == 0, 12)


def go_live(page: Page, worker: Running, query: str = "?auto=camera") -> None:
    page.add_init_script(SCRIPTED)
    page.goto(f"{worker.base}/{query}")
    page.wait_for_selector(LIVE)


def test_what_is_tapped_while_a_new_place_is_asked_for_holds(worker: Running, page: Page) -> None:
    go_live(page, worker)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if PLACES.search(request.url) else None)
    page.evaluate(
        "() => { const ask = fetch; window.fetch = async (path, how) => {"
        "const answer = await ask(path, how); if (path.endsWith('/streams')) await waits.answer; return answer; };"
        "waits.answer = new Promise((go) => { window.release = go; }); gone = 'offer'; lines[0].close(); }"
    )
    while not asked:
        page.wait_for_timeout(50)
    page.click("#dock [value=style]")
    page.click("button.choice[value=red]")
    page.evaluate("() => release()")
    page.wait_for_selector(LIVE)
    wait_for(lambda: "red" in [s.controls["style"] for s in worker.app.state.service.ready.streams.sessions], 5)
    assert page.get_attribute("button.choice[value=red]", "aria-pressed") == "true"


def test_a_style_that_cannot_be_played_is_told_and_does_not_look_chosen(
    worker: Running, pipeline: ColourPipeline, page: Page
) -> None:
    go_live(page, worker)
    pipeline.styles = ("blue",)  # its files are gone since the page was opened
    page.click("#dock [value=style]")
    page.click("button.choice[value=red]")
    page.wait_for_selector("#taken[open]")
    assert page.inner_text("#taken-more") == "This is not here any more."
    assert "'red'" in page.inner_text("#taken-detail")
    page.click("#done")
    assert page.get_attribute("button.choice[value=blue]", "aria-pressed") == "true"
    assert page.locator("button.choice[value=red]").count() == 0
    assert page.locator(LIVE).count() == 1


def test_the_hands_free_way_goes_on_past_a_style_that_cannot_be_played(
    worker: Running, pipeline: ColourPipeline, page: Page
) -> None:
    pipeline.styles = pipeline.on_disk = ("blue", "broken", "red")
    go_live(page, worker, "?auto=camera&hands=1")
    pipeline.styles = pipeline.on_disk = ColourPipeline.styles
    wait_for(lambda: worker.stands_at("style", "red"), 15)
    assert not page.is_visible("#taken"), "nobody stands before it who would press Done"


def test_a_style_that_broke_while_it_played_does_not_keep_the_page_out(
    worker: Running, pipeline: ColourPipeline, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker was started again: it loads each style anew, and one whose weights were exchanged not at all."""
    go_live(page, worker)
    page.click("#dock [value=style]")
    page.click("button.choice[value=red]")
    wait_for(lambda: worker.controls()["style"] == "red", 5)
    checked = pipeline.checked

    def check(changes: Mapping[str, object]) -> dict[str, Value]:
        if changes.get("style") == "red":
            raise ModelRejected("red: its sha256 is not the card's")
        return checked(changes)

    monkeypatch.setattr(pipeline, "checked", check)
    page.evaluate("() => { gone = 'offer'; lines[0].close(); }")
    page.wait_for_selector("body[data-state=reconnecting]")
    page.wait_for_selector(LIVE)
    assert page.get_attribute("button.choice[value=blue]", "aria-pressed") == "true"


def test_a_picture_that_is_picked_while_the_line_is_lost_comes_when_it_is_back(
    worker: Running, page: Page, tmp_path: Path
) -> None:
    """Phones cut the line while their owners look through the pictures."""
    Image.new("RGB", (300, 200), (10, 200, 30)).save(tmp_path / "mine.png")
    go_live(page, worker)
    page.click("#dock [value=background]")
    page.evaluate("() => { lost = ['offer', 'backdrop', 'stats']; lines[0].close(); }")
    page.wait_for_selector("body[data-state=reconnecting]")
    page.set_input_files(".control.own input", tmp_path / "mine.png")
    page.wait_for_timeout(500)
    assert not page.is_visible("#taken"), "nothing is wrong with the picture"
    page.evaluate("() => { lost = []; }")
    wait_for(lambda: worker.stands_at("background", "picture"), 15)
    wait_for(lambda: worker.app.state.service.ready.streams.sessions[0]._state.backdrop is not None, 5)


def test_a_look_that_was_chosen_after_a_picture_is_not_replaced_by_it(
    worker: Running, page: Page, tmp_path: Path
) -> None:
    Image.new("RGB", (300, 200), (10, 200, 30)).save(tmp_path / "mine.png")
    go_live(page, worker)
    (session,) = worker.app.state.service.ready.streams.sessions
    page.click("#dock [value=style]")
    page.evaluate("() => { waits.reference = new Promise((go) => { window.release = go; }); }")
    page.set_input_files(".control.like input", tmp_path / "mine.png")
    page.wait_for_timeout(500)
    page.click("#dock [value=new]")
    page.evaluate("() => release()")
    page.wait_for_timeout(1500)
    assert session._state.reference is None


def test_a_try_at_a_place_that_is_lost_is_given_up_at_once(worker: Running, page: Page) -> None:
    """Not after the eight seconds that a connection may take: nobody answers there."""
    opened: list[dict[str, str]] = []
    offered: list[str] = []

    def note(route: Route) -> None:
        answer = route.fetch()
        opened.append(answer.json())
        route.fulfill(response=answer)

    def without_a_path(route: Route) -> None:
        offer = {"sdp": _without_candidates(json.loads(route.request.post_data or "")["sdp"])}
        answer = route.fetch(post_data=offer).json()
        route.fulfill(json={"sdp": _without_candidates(answer["sdp"])})
        offered.append(answer["sdp"])

    page.route(PLACES, note)
    page.route("**/offer", without_a_path)
    page.goto(f"{worker.base}/?auto=camera")
    while not offered:
        page.wait_for_timeout(50)
    with worker.client(Authorization=f"Bearer {opened[0]['token']}") as http:
        http.delete(f"/v1/streams/{opened[0]['id']}")
    page.wait_for_timeout(4000)
    assert len(opened) > 1


def _without_candidates(sdp: str) -> str:
    return "".join(line for line in sdp.splitlines(keepends=True) if "candidate" not in line)


def test_a_request_that_is_lost_costs_nobody_their_place_in_the_queue(worker: Running, page: Page) -> None:
    """The page hears nothing for six seconds before it asks again."""
    host = worker.app.state.service.ready.worker
    everybody = [host.join() for _ in range(host.capacity)]
    tickets: list[str] = []

    def second_is_lost(route: Route) -> None:
        tickets.append(json.loads(route.request.post_data or "")["ticket"])
        if len(tickets) != 2:
            route.continue_()

    page.route(PLACES, second_is_lost)
    page.goto(f"{worker.base}/?auto=camera")
    while len(tickets) < 4:
        page.wait_for_timeout(100)
    for session in everybody:
        session.leave()
    assert tickets[1] == tickets[2] == tickets[3], "the same ticket all the while"


def test_who_is_told_of_something_while_a_clip_is_recorded_gets_the_clip(
    worker: Running, page: Page, tmp_path: Path
) -> None:
    (tmp_path / "photo.jpg").write_text("of a kind that this browser does not read")
    go_live(page, worker)
    page.click("#home")
    page.wait_for_selector("#count:not(.big):visible")
    page.set_input_files(".control.own input", tmp_path / "photo.jpg")
    page.click("#done")
    page.wait_for_selector("#code:visible")


def test_a_worker_that_takes_its_time_is_not_told_as_a_camera_that_sends_nothing(
    worker: Running, pipeline: ColourPipeline, page: Page
) -> None:
    pipeline.delay_s = 6.0
    page.goto(f"{worker.base}/?auto=camera")
    page.evaluate(
        "() => { window.states = []; const note = () => states.push(document.body.dataset.state);"
        "new MutationObserver(note).observe(document.body, { attributes: true }); }"
    )
    page.wait_for_selector(LIVE)
    assert "silent" not in page.evaluate("() => states")
