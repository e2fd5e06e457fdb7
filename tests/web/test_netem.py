"""Bad lines by Linux's own netem: the booth's page in Chromium and aiortc peers on one side, a worker on the other.

Loss and delay are for each direction: a picture meets them on its way to the worker, its drawing on the way back.
benchmarks/netem.sh runs this, and STYLIZER_NETEM names the file for its figures.
"""

import asyncio
import datetime
import json
import os
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from stylizer import machine
from tests.docker.relay import SECRET, needs_coturn, relay
from tests.web.browser import CAMERA_FPS, Launch, browsers, go_live, visit, wait_unique
from tests.web.netem import THERE, Netem, Worker
from tests.web.test_line import Watcher, leave, through
from tests.web.test_line_browser import RELAY_ONLY, WAY

FIGURES = os.environ.get("STYLIZER_NETEM", "")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not FIGURES, reason="needs root and a quiet machine (benchmarks/netem.sh runs it)"),
]
PORT, OTHER_PORT, RELAY_PORT = 8001, 8002, 3478  # of a network where nobody else is
WATCHED_S = 20
BACK_S = 3  # until the picture is back
FREEZES = pytest.mark.parametrize(  # percent, milliseconds, seconds at most
    "loss, delay_ms, longest_s", [(0, 0, 1), (1, 0, 1), (5, 0, 1), (10, 0, 3), (0, 100, 1), (5, 100, 1)]
)


@pytest.fixture(scope="module")
def figures(netem: Netem) -> Iterator[list[dict[str, object]]]:
    rows: list[dict[str, object]] = []
    yield rows
    where = {**machine.describe(), "router": f"User-Mode Linux {netem.kernel}"}
    report = {"date": str(datetime.date.today()), "watched_s": WATCHED_S, "rows": rows, "machine": where}
    Path(FIGURES).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def netem() -> Iterator[Netem]:
    with Netem() as made:
        yield made


@pytest.fixture
def line(netem: Netem) -> Iterator[Netem]:
    """A good one, to begin with."""
    netem.lay()
    yield netem
    netem.lay()


@pytest.fixture(scope="module")
def worker(netem: Netem) -> Iterator[Worker]:
    with netem.worker(PORT) as started:
        yield started


@pytest.fixture(scope="module")
def launch() -> Iterator[Launch]:
    """Browsers give cameras to pages of their own machine only, and of such that they are told of."""
    trusted = ",".join(f"http://{THERE}:{port}" for port in (PORT, OTHER_PORT))
    with browsers(f"--unsafely-treat-insecure-origin-as-secure={trusted}") as start:
        yield start


def apart(visiting: Coroutine[Any, Any, float]) -> float:
    """In a thread of its own: the browser has this one's event loop."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, visiting).result()


def _freeze(page: Page) -> tuple[float, int]:
    """The longest, in seconds, and the distinct pictures of WATCHED_S."""
    page.evaluate("() => Object.assign(window.seen, { longest: 0, unique: 0 })")
    page.wait_for_timeout(1000 * WATCHED_S)
    unique = page.evaluate("() => window.seen.unique")
    wait_unique(page, unique + 1)  # a freeze that begins at the end counts, too
    return page.evaluate("() => window.seen.longest") / 1000, unique


def _seconds_until_back(page: Page, timeout_s: float) -> float:
    begin = time.monotonic()
    page.evaluate("() => { window.seen.unique = 0; }")
    wait_unique(page, 4, timeout_ms=round(1000 * timeout_s))
    return time.monotonic() - begin


@FREEZES
def test_loss_and_delay_freeze_the_page_for_no_longer(
    line: Netem, worker: Worker, camera: Browser, figures: list[Any], loss: int, delay_ms: int, longest_s: float
) -> None:
    with visit(camera) as context:
        page = context.new_page()
        go_live(page, worker.base)
        line.lay(loss, delay_ms)
        freeze_s, unique = _freeze(page)
        passed = line.lay()
    figures.append(
        _row("page", loss, delay_ms, longest_freeze_s=freeze_s, unique_fps=unique / WATCHED_S, **passed._asdict())
    )
    assert (passed.lost > 0) == (loss > 0)
    assert freeze_s <= longest_s
    assert unique > CAMERA_FPS * WATCHED_S / 3


@FREEZES
def test_loss_and_delay_freeze_a_peer_s_picture_for_no_longer(
    line: Netem, worker: Worker, figures: list[Any], loss: int, delay_ms: int, longest_s: float
) -> None:
    pictures = 0

    async def watch() -> float:
        nonlocal pictures
        visitor = await through(worker)
        line.lay(loss, delay_ms)
        watcher = Watcher(visitor)
        await asyncio.sleep(WATCHED_S)
        freeze_s, pictures = watcher.end(), len(watcher.news_s)
        await leave(visitor)
        return freeze_s

    freeze_s, passed = apart(watch()), line.lay()
    figures.append(
        _row("aiortc", loss, delay_ms, longest_freeze_s=freeze_s, unique_fps=pictures / WATCHED_S, **passed._asdict())
    )
    assert (passed.lost > 0) == (loss > 0)
    assert freeze_s <= longest_s
    assert pictures >= WATCHED_S * 10 / 3, "of ten a second that the camera made"


@pytest.mark.parametrize("loss", [0, 5])
def test_two_seconds_without_a_network_are_over_three_seconds_after_on_the_page(
    line: Netem, worker: Worker, camera: Browser, figures: list[Any], loss: int
) -> None:
    with visit(camera) as context:
        page = context.new_page()
        go_live(page, worker.base)
        page.evaluate("() => { window.seen.longest = 0; }")
        line.lay(100)
        page.wait_for_timeout(2000)
        line.lay(loss)
        back_s = _seconds_until_back(page, 20)
        freeze_s = page.evaluate("() => window.seen.longest") / 1000
    figures.append(_row("page", loss, 0, after="2 s cut", back_s=back_s, longest_freeze_s=freeze_s))
    assert freeze_s > 1.5, "it was cut"
    assert back_s <= BACK_S


@pytest.mark.parametrize("loss", [0, 5])
def test_two_seconds_without_a_network_are_over_three_seconds_after_for_a_peer(
    line: Netem, worker: Worker, figures: list[Any], loss: int
) -> None:
    async def watch() -> float:
        visitor = await through(worker)
        watcher = Watcher(visitor)
        line.lay(100)
        await asyncio.sleep(2)
        line.lay(loss)
        before, begin = len(watcher.news_s), time.monotonic()
        async with asyncio.timeout(20):
            while len(watcher.news_s) < before + 4:
                await asyncio.sleep(0.02)
        freezes.append(watcher.end())
        await leave(visitor)
        return watcher.news_s[-1] - begin

    freezes: list[float] = []
    back_s = apart(watch())
    figures.append(_row("aiortc", loss, 0, after="2 s cut", back_s=back_s, longest_freeze_s=freezes[0]))
    assert freezes[0] > 1.5, "it was cut"
    assert back_s <= BACK_S


def test_a_worker_that_is_killed_and_started_again_under_loss_is_found_with_the_settings(
    line: Netem, camera: Browser, figures: list[Any]
) -> None:
    with line.worker(OTHER_PORT) as first, visit(camera) as context:
        page = context.new_page()
        go_live(page, first.base)
        page.click("#dock [value=style]")
        page.click("button.choice[value=red]")
        line.lay(5)
        first.kill()
        page.wait_for_selector("body[data-state=reconnecting]", timeout=10_000)
        with line.worker(OTHER_PORT):
            back_s = _seconds_until_back(page, 20)
            figures.append(_row("page", 5, 0, after="worker killed and ready again", back_s=back_s))
            page.wait_for_selector("body[data-state=live]", timeout=20_000)
            page.wait_for_function("() => window.seen.mean[0] > window.seen.mean[2] + 50", timeout=20_000)
            page.close()


@needs_coturn
def test_a_relay_that_dies_under_loss_is_told_in_words_and_the_picture_is_back_when_it_is(
    line: Netem, camera: Browser, figures: list[Any], tmp_path: Path
) -> None:
    """As the visitor's only way; beside another way it holds nobody up."""
    turn = {"turn_url": f"turn:{THERE}:{RELAY_PORT}", "turn_secret": SECRET}

    def relaying() -> Any:
        return relay(tmp_path, RELAY_PORT, THERE, THERE, listening_ip=THERE, wrapper=line.there)

    with line.worker(OTHER_PORT, visitors=2, **turn) as worker, visit(camera) as context:
        line.lay(5)
        page = context.new_page()
        begin = time.monotonic()
        go_live(page, worker.base)
        figures.append(_row("page", 5, 0, after="opening, relay dead", back_s=time.monotonic() - begin))
        page.close()
        page = context.new_page()
        page.add_init_script(RELAY_ONLY)
        with relaying() as process:
            go_live(page, worker.base)
            assert page.evaluate(WAY) == "relay"
            process.kill()
            page.wait_for_selector("body[data-state=reconnecting]", timeout=15_000)
            assert page.inner_text("#heading") == "Reconnecting"
        with relaying():
            back_s = _seconds_until_back(page, 30)
            assert page.evaluate(WAY) == "relay"
    figures.append(_row("page", 5, 0, after="relay killed and ready again", back_s=back_s))


def _row(peer: str, loss_percent: int, delay_ms: int, **seen: Any) -> dict[str, object]:
    rounded = {name: round(value, 2) if isinstance(value, float) else value for name, value in seen.items()}
    return {"peer": peer, "loss_percent": loss_percent, "delay_ms": delay_ms, **rounded}
