"""The booth page in headless Chromium, with a pipeline that only tints: every path a visitor can take."""

import io
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from stylizer.config import Settings
from tests.web.axe import serious
from tests.web.browser import CAMERA_FPS, Launch, mean_colour, visit, wait_unique, watch
from tests.web.doubles import ColourPipeline, Running, free_port, running, wait_for
from web.api.app import create_app
from web.api.doors import RateLimit

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def served() -> Iterator[Running]:
    with running(create_app(Settings.load(visitors=1), ColourPipeline(), RateLimit(burst=10_000))) as worker:
        yield worker


@pytest.fixture
def worker(served: Running) -> Iterator[Running]:
    """One place, free at the start and, however the browser ended, free again within six seconds."""
    yield served
    wait_for(lambda: served.visitors() == 0, 6)


def test_a_visitor_sees_the_stylized_mirror_and_changes_it(worker: Running, camera: Browser, tmp_path: Path) -> None:
    with visit(camera) as browser:
        page = browser.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(worker.base)
        page.click("#start")
        page.wait_for_selector("body[data-state=live]")
        watch(page)
        wait_unique(page, 30)
        red, _, blue = mean_colour(page)
        assert blue > red + 50, "the tint that the pipeline gives, not the camera's own colours"
        page.click("#dock [value=style]")
        assert page.inner_text("button.choice[value=red]") == "Fire Red", "what its card calls it"
        page.click("#languages [value=ja]")
        assert page.inner_text("button.choice[value=red]") == "赤"
        page.click("button.choice[value=red]")
        page.wait_for_function("() => window.seen.mean[0] > window.seen.mean[2] + 50")
        page.click("#new")
        wait_for(lambda: worker.controls()["seed"] != 0, 5)
        page.wait_for_function("() => /\\d/.test(document.querySelector('#numbers').textContent)")
        page.screenshot(path=tmp_path / "booth.png")
        page.close()
        wait_for(lambda: worker.visitors() == 0, 1)
        assert faults == []


def test_pictures_arrive_at_the_cameras_rate_and_none_twice(worker: Running, camera: Browser) -> None:
    with visit(camera) as browser:
        page = browser.new_page()
        page.goto(f"{worker.base}/?auto=camera")
        page.wait_for_selector("body[data-state=live]")
        watch(page)
        page.wait_for_timeout(4000)
        presented, unique = page.evaluate("() => [window.seen.presented, window.seen.unique]")
    assert unique >= 3 * CAMERA_FPS, "three quarters of what the camera made in four seconds"
    assert unique >= 0.9 * presented


def test_the_next_visitors_wait_in_turn_and_are_let_in(worker: Running, camera: Browser) -> None:
    with visit(camera) as browser:
        first, second, third = browser.new_page(), browser.new_page(), browser.new_page()
        first.goto(f"{worker.base}/?auto=camera")
        first.wait_for_selector("body[data-state=live]")
        second.goto(f"{worker.base}/?auto=camera")
        second.wait_for_selector("body[data-state=full]")
        assert "taken" in second.inner_text("#heading") and second.inner_text("#place") == "1"
        assert serious(second) == []
        third.goto(f"{worker.base}/?auto=camera")
        third.wait_for_selector("body[data-state=full]")
        assert third.inner_text("#place") == "2"
        first.close()
        second.wait_for_selector("body[data-state=live]")
        third.wait_for_function("() => document.querySelector('#place').textContent === '1'")


def test_a_lost_line_comes_back_by_itself_with_the_settings(worker: Running, camera: Browser) -> None:
    with visit(camera) as browser:
        page = browser.new_page()
        page.add_init_script(
            "const Real = RTCPeerConnection; window.lines = [];"
            "window.RTCPeerConnection = class extends Real { constructor(c) { super(c); lines.push(this); } };"
        )
        page.goto(f"{worker.base}/?auto=camera")
        page.wait_for_selector("body[data-state=live]")
        page.click("#dock [value=style]")
        page.click("button.choice[value=red]")
        watch(page)
        page.wait_for_function("() => window.seen.mean?.[0] > window.seen.mean?.[2] + 50")
        page.evaluate(
            "() => { window.states = []; lines[0].close();"
            "const note = () => states.push(document.body.dataset.state);"
            "new MutationObserver(note).observe(document.body, { attributes: true }); }"
        )
        page.wait_for_function("() => states.includes('reconnecting') && states.at(-1) === 'live'")
        assert "blocked" not in page.evaluate("() => states"), "the stall was seen, long before connecting is given up"
        page.evaluate("() => { window.seen.unique = 0; }")
        wait_unique(page, 5)
        assert mean_colour(page)[0] > mean_colour(page)[2] + 50
        assert worker.visitors() == 1, "the same place, not a second one"


def test_a_worker_that_is_started_again_is_found_again(camera: Browser) -> None:
    port = free_port()
    with visit(camera) as browser:
        page = browser.new_page()
        with running(create_app(Settings.load(visitors=1), ColourPipeline()), port=port) as first:
            page.goto(f"{first.base}/?auto=camera")
            page.wait_for_selector("body[data-state=live]")
            page.click("#dock [value=style]")
            page.click("button.choice[value=red]")
        page.wait_for_selector("body[data-state=reconnecting]")
        with running(create_app(Settings.load(visitors=1), ColourPipeline()), port=port):
            page.wait_for_selector("body[data-state=live]", timeout=10_000)
            watch(page)
            page.wait_for_function("() => window.seen.mean?.[0] > window.seen.mean?.[2] + 50")


def test_no_camera_is_said_in_words_with_a_way_out(worker: Running, launch: Launch) -> None:
    with visit(launch(None)) as browser:
        page = browser.new_page()
        page.goto(worker.base)
        page.click("#start")
        page.wait_for_selector("body[data-state=absent]")
        assert page.inner_text("#heading") == "No camera was found"
        assert "Connect one" in page.inner_text("#more") and page.is_visible("#clip")
    assert worker.visitors() == 0


@pytest.mark.parametrize(
    "fault, state, remedy",
    [
        ("NotAllowedError", "denied", "Click the camera symbol in the address bar"),
        ("NotReadableError", "busy", "Close that program"),
        ("OtherError", "unknown", "Unplug it"),
    ],
)
def test_camera_troubles_have_their_own_remedies(
    worker: Running, camera: Browser, fault: str, state: str, remedy: str
) -> None:
    with visit(camera) as browser:
        page = browser.new_page()
        refuse = f"navigator.mediaDevices.getUserMedia = async () => {{ throw new DOMException('x', '{fault}'); }}"
        page.add_init_script(refuse)
        page.goto(worker.base)
        page.click("#start")
        page.wait_for_selector(f"body[data-state={state}]")
        assert remedy in page.inner_text("#more")
        assert page.inner_text("#start") == "Try again" and page.is_visible("#clip")
        assert serious(page) == []


def test_an_insecure_address_is_explained_in_japanese_as_well(worker: Running, launch: Launch) -> None:
    with visit(launch(None), language="ja-JP") as browser:
        page = browser.new_page()
        page.add_init_script("Object.defineProperty(navigator, 'mediaDevices', { value: undefined })")
        page.goto(worker.base)
        assert page.inner_text("#heading") == "カメラの前で、絵になろう"
        page.click("#start")
        page.wait_for_selector("body[data-state=insecure]")
        assert "https://" in page.inner_text("#more")


def test_without_a_camera_the_sample_clip_is_stylized(worker: Running, launch: Launch) -> None:
    with visit(launch(None)) as browser:
        page = browser.new_page()
        page.goto(worker.base)
        page.click("#clip")
        page.wait_for_selector("body[data-state=live]")
        watch(page)
        wait_unique(page, 20)


BOXES = """() => Object.fromEntries(
  [...document.querySelectorAll('header > *, #dock button, #stage')].filter((e) => e.checkVisibility()).map((e) => {
    const { left, top, right, bottom } = e.getBoundingClientRect();
    return [e.id || e.value || e.className, [left, top, right, bottom]];
  }))"""


DOCK = {"style", "new", "background", "home", "more"}
RESTING = """() => ['brand', 'heading', 'more', 'start', 'clip'].map((name) => {
  const { top, bottom } = document.querySelector(name === 'brand' ? '.brand' : `#${name}`).getBoundingClientRect();
  return [name, top, bottom];
})"""


def _overlap(one: list[float], other: list[float]) -> bool:
    """left, top, right, bottom of each."""
    return all(one[d] < other[d + 2] and other[d] < one[d + 2] for d in (0, 1))


SIZES = [(390, 844), (360, 640), (640, 360), (844, 390), (820, 1180), (1180, 820), (2160, 3840), (1280, 720)]


@pytest.mark.parametrize("size", SIZES)
def test_the_page_fits_phone_tablet_and_booth_screens(worker: Running, camera: Browser, size: tuple[int, int]) -> None:
    with visit(camera, size=size, language="ja-JP" if min(size) == 360 else "en") as browser:  # its words are wider
        page = browser.new_page()
        page.goto(worker.base)
        page.wait_for_selector("body[data-state=idle]")
        resting = page.evaluate(RESTING)
        assert all(top >= 0 and bottom <= size[1] for _, top, bottom in resting), f"in view at rest: {resting}"
        page.click("#start")
        page.wait_for_selector("body[data-state=live]")
        page.wait_for_function("() => /\\d/.test(document.querySelector('#numbers').textContent)")
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), "nothing to scroll sideways"
        assert page.evaluate("() => document.querySelector('#mirror').getBoundingClientRect().height > 200")
        boxes = page.evaluate(BOXES)
        stage = boxes.pop("stage")
        assert {"brand", "chip", "stop", "languages", "style", "new", "background", "home", "more"} == set(boxes)
        assert [pair for pair in itertools.combinations(boxes, 2) if _overlap(boxes[pair[0]], boxes[pair[1]])] == []
        outside = [name for name, box in boxes.items() if min(box) < 0 or box[2] > size[0] or box[3] > size[1]]
        assert outside == []
        height = {name: box[3] - box[1] for name, box in boxes.items()}
        assert [n for n in ("chip", "stop", "languages") if height[n] > 1.4 * height["brand"]] == [], "one line each"
        assert [name for name in DOCK if height[name] < 36] == [], "high enough for a finger"
        half = [name for name in ("brand", "chip", "stop") if boxes[name][2] > stage[2]]
        assert half == [], "what stands on the picture does not hang over the dock"


UNREACHED = """() => [...document.querySelectorAll('button')].filter((button) => {
  if (!button.checkVisibility()) return false;
  button.scrollIntoView({ block: 'nearest' });
  const { left, right, top, bottom } = button.getBoundingClientRect();
  const there = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
  return left < 0 || right > innerWidth || there?.closest('button') !== button;
}).map((button) => button.id || button.value)"""


@pytest.mark.parametrize("size", [(320, 256), (427, 267), (480, 320)])
def test_every_button_can_be_pressed_on_a_page_that_is_enlarged_four_times(
    worker: Running, camera: Browser, size: tuple[int, int]
) -> None:
    with visit(camera, size=size) as browser:
        page = browser.new_page()
        page.goto(worker.base)
        page.wait_for_selector("#start:visible")
        top = "() => { words.scrollTop = 0; return heading.getBoundingClientRect().top; }"
        assert page.evaluate(top) > 0, "the first words can be scrolled to"
        assert page.evaluate(UNREACHED) == []
        page.click("#start")
        page.wait_for_selector("body[data-state=live]")
        assert page.evaluate(UNREACHED) == []


A_CARD = """
const told = WebGLRenderingContext.prototype.getParameter;
WebGLRenderingContext.prototype.getParameter = function (name) {
  const value = told.call(this, name);
  return typeof value === 'string' ? 'a card' : value;
};"""  # the browser of the tests shades on the processor, where the page leaves it alone


def _steepest(page: Page) -> float:
    """The largest step between neighbouring pixels of a row through the walking block, of red minus green."""
    stage = page.locator("#stage").bounding_box()
    assert stage is not None
    picture = np.asarray(Image.open(io.BytesIO(page.screenshot(timeout=60_000))).convert("RGB"), int)
    row = picture[round(stage["y"] + stage["height"] / 2), : round(stage["width"])]  # the dock stands beside it
    return float(np.abs(np.diff(row[:, 0] - row[:, 1])).max())


def test_on_a_large_screen_a_card_keeps_the_edges_sharp(worker: Running, camera: Browser) -> None:
    with visit(camera, size=(1280, 900)) as browser:
        page = browser.new_page()
        page.add_init_script(A_CARD)
        page.goto(f"{worker.base}/?auto=camera")
        page.wait_for_selector("body[data-state=live]")
        watch(page)
        wait_unique(page, 10, 60_000)  # the processor shades it
        page.wait_for_selector("#crisp:visible")
        pairs: list[tuple[float, float]] = []
        while len(pairs) < 5:  # the block may stand beside the row just then
            page.evaluate("() => document.querySelector('#mirror').pause()")
            page.wait_for_timeout(500)
            shaded = _steepest(page)
            page.evaluate("() => { document.querySelector('#crisp').style.visibility = 'hidden'; }")
            pairs.append((shaded, _steepest(page)))
            if shaded > 1.05 * pairs[-1][1]:
                return
            page.evaluate("() => { document.querySelector('#crisp').style.visibility = ''; }")
            page.evaluate("() => document.querySelector('#mirror').play()")
            page.wait_for_timeout(700)
        raise AssertionError(f"the same picture without it: {pairs}")


def test_without_a_card_the_processor_is_left_alone(worker: Running, camera: Browser) -> None:
    with visit(camera, size=(1280, 900)) as browser:
        page = browser.new_page()
        page.goto(f"{worker.base}/?auto=camera")
        page.wait_for_selector("body[data-state=live]")
        watch(page)
        wait_unique(page, 10)
        assert not page.is_visible("#crisp")


def test_a_refusal_is_said_in_the_visitors_language_with_the_workers_words_below(
    worker: Running, camera: Browser
) -> None:
    with visit(camera, language="ja-JP") as browser:
        page = browser.new_page()
        refusal = {"code": "bad_input", "message": "seed: got -1, allowed is whole numbers 0 to 9"}
        page.route("**/v1/streams", lambda route: route.fulfill(status=422, json=refusal))
        page.goto(worker.base)
        page.click("#start")
        page.wait_for_selector("body[data-state=refused]")
        assert page.inner_text("#more") == "このままでは使えません。"
        assert page.inner_text("#detail") == refusal["message"]
        page.click("#languages [value=en]")
        assert page.inner_text("#more") == "This cannot be used as it is."
        page.unroute("**/v1/streams")
        page.click("#start")
        page.wait_for_selector("body[data-state=live]")
        assert not page.is_visible("#detail")


def test_what_runs_below_its_best_is_one_line_that_opens_in_the_visitors_language(
    worker: Running, camera: Browser
) -> None:
    with visit(camera, language="ja-JP") as browser:
        page = browser.new_page()
        page.goto(worker.base)
        page.click("#start")
        page.wait_for_selector("body[data-state=live]")
        assert page.inner_text("#notes").endswith("切り抜き")
        page.click("#notes summary")
        assert "次善の方法" in page.inner_text("#notes li") and "needs no weights" in page.inner_text("#notes small")
        assert serious(page) == []
