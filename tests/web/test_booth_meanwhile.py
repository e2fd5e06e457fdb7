"""What changes while the booth's page waits: nothing of before may be left on the screen or at the worker."""

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route

from stylizer.config import Settings
from tests.web.browser import visit
from tests.web.doubles import ColourPipeline, Running, running, wait_for
from web.api.app import create_app
from web.api.doors import RateLimit

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]
LIVE = "body[data-state=live]:not([data-rest])"
PLACES = re.compile("/v1/streams$")


@pytest.fixture(scope="module")
def pipeline() -> ColourPipeline:
    return ColourPipeline()


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


@pytest.fixture
def page(camera: Browser) -> Iterator[Page]:
    with visit(camera) as context:
        yield context.new_page()


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
