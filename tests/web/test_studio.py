"""The studio in headless Chromium: Streamlit in its own process, real weights, camera and clip."""

import contextlib
import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Error, Page, expect

from stylizer.config import Settings
from stylizer.weights.download import sha256_of
from tests.conftest import Finder
from tests.web.axe import serious
from tests.web.browser import Launch, frames_of, save_mjpeg, visit
from tests.web.doubles import free_port, wait_for
from tests.web.test_end_to_end import add_style
from web.studio import launch as studio_process

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]


@dataclass(frozen=True)
class Studio:
    base: str
    pid: int

    def healthy(self) -> bool:
        try:
            return httpx.get(f"{self.base}/_stcore/health", timeout=2).status_code == 200
        except httpx.TransportError:
            return False


@pytest.fixture(scope="module")
def studio(weights: Finder, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    own = tmp_path_factory.mktemp("models")
    add_style(own, weights("stylizers/AnimeGANv3_tiny_Cute.onnx"))
    models = (own, weights("yolov5n_fp16.onnx").parent)
    port = free_port()
    runs = _training_run(tmp_path_factory.mktemp("runs"))
    process = studio_process.start(Settings.load(models=models, cache=cache, runs=runs, studio_port=port, threads=2))
    served = Studio(f"http://127.0.0.1:{port}", process.pid)
    try:
        wait_for(served.healthy, 60)
        yield served
    finally:
        studio_process.stop(process)
        assert process.returncode is not None


def _training_run(root: Path) -> Path:
    """A folder of runs with one in it."""
    run = root / "first"
    run.mkdir()
    rows = ({"step": step, "time": 1e9, "style": 1 / step} for step in range(1, 20))
    (run / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    Image.new("RGB", (64, 32)).save(run / "samples_000010.png")
    return root


@pytest.fixture
def page(studio: Studio, launch: Launch, media: Finder, tmp_path: Path) -> Iterator[Page]:
    film = media("sam2_juggle.mp4")
    camera = launch(save_mjpeg(tmp_path / "camera.mjpeg", frames_of(film, (640, 360), 60), 12))
    with visit(camera, size=(1280, 900)) as context:
        page = context.new_page()
        page.goto(studio.base)
        page.get_by_role("button", name="Start camera").wait_for(timeout=120_000)
        yield page


PICTURE_MS = 200_000  # a machine with other work may have to connect twice


class Picture(NamedTuple):
    width: int
    at_s: float


def _picture(page: Page) -> Picture | None:
    """What the stage's video shows now; None without one. A stream that connects again comes in a new frame."""
    look = "() => { const v = document.querySelector('video'); return v && [v.videoWidth, v.currentTime]; }"
    for frame in page.frames:
        with contextlib.suppress(Error):  # it was replaced just now
            if "webrtc" in frame.url and (seen := frame.evaluate(look)):
                return Picture(*seen)
    return None


def _wait_picture(page: Page, wanted: Callable[[Picture], bool]) -> Picture:
    """The page's own clock turns the waiting: Playwright hears of frames only then."""
    end = time.monotonic() + PICTURE_MS / 1000
    while time.monotonic() < end:
        if (seen := _picture(page)) is not None and seen.width and wanted(seen):
            return seen
        page.wait_for_timeout(100)
    raise AssertionError(f"no such picture, the last was {_picture(page)}; the page says: {_words(page)}")


def _words(page: Page) -> str:
    return page.get_by_test_id("stMain").inner_text()


def test_a_camera_is_stylized_and_a_control_reaches_the_worker(page: Page, media: Finder, tmp_path: Path) -> None:
    page.get_by_role("button", name="Start camera").dblclick()  # as some do: one place is taken for it
    first = _wait_picture(page, lambda seen: seen.at_s > 2)
    page.get_by_text("Latency p50").wait_for()
    page.get_by_text("Scene", exact=True).click()
    _wait_picture(page, lambda seen: seen.width != first.width)
    page.get_by_role("button", name="Reroll").click()
    expect(page.get_by_test_id("stNumberInputField")).not_to_have_value("0")
    page.locator("input[type=file][accept*=webp]").set_input_files(media("zidane.jpg"))
    page.get_by_alt_text("The picture whose look is taken on").wait_for(timeout=60_000)
    page.screenshot(path=tmp_path / "studio.png", full_page=True)
    page.get_by_role("button", name="Own colours").click()
    expect(page.get_by_alt_text("The picture whose look is taken on")).to_have_count(0)
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Start camera").wait_for()
    page.get_by_text("Machine", exact=True).first.click()
    expect(page.get_by_text("places taken")).to_have_text(re.compile(r"^0 of \d places taken"))
    assert page.get_by_test_id("stException").count() == 0


def test_without_a_camera_the_sample_clip_plays_and_comes_back_after_a_break(page: Page, studio: Studio) -> None:
    page.get_by_role("button", name="Play the sample clip").click()
    before = _wait_picture(page, lambda seen: seen.at_s > 3)
    os.kill(studio.pid, signal.SIGSTOP)
    page.wait_for_timeout(10_000)  # Chromium gives a silent connection up after some 7 s
    os.kill(studio.pid, signal.SIGCONT)
    _wait_picture(page, lambda seen: 1 < seen.at_s < before.at_s)  # another video, from its beginning
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Start camera").wait_for()


def _open(page: Page, title: str, essential: str) -> None:
    """Another page of the studio, with what it is there for."""
    page.get_by_test_id("stTopNavLink").filter(has_text=title).click()
    page.get_by_text(essential, exact=True).first.wait_for()


def _nothing_wrong(page: Page) -> None:
    """No page failed and axe-core is content."""
    expect(page.locator("[data-stale=true]")).to_have_count(0)  # Streamlit fades what it is about to replace
    assert page.get_by_test_id("stException").count() == 0
    assert serious(page) == []


def _first_paint_ms(page: Page) -> float:
    """Streamlit's own script, megabytes of it, comes first; the studio adds none."""
    first: float = page.evaluate("() => performance.getEntriesByType('paint')[0].startTime")
    return first


def _saved(page: Page, button: str) -> bytes:
    with page.expect_download() as download:
        page.get_by_role("button", name=button, exact=True).first.click()
    return download.value.path().read_bytes()


def test_every_page_does_what_it_is_there_for(studio: Studio, launch: Launch, weights: Finder, tmp_path: Path) -> None:
    """One visit through all of them: presets, a comparison, curves, figures, health, a style brought in, Japanese."""
    with visit(launch(None), size=(1280, 1400)) as context:
        page = context.new_page()
        page.set_default_timeout(60_000)
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(studio.base)
        page.get_by_role("button", name="Start camera").wait_for(timeout=180_000)
        page.get_by_text("Presets").click()
        page.get_by_label("Keep what is set now as").fill("Festival evening")
        page.get_by_role("button", name="Keep", exact=True).click()
        page.get_by_text("Festival evening is kept.").wait_for()
        assert b'title = "Festival evening"' in _saved(page, "As a file")
        _nothing_wrong(page)

        _open(page, "Compare", "Draw both")
        page.get_by_role("combobox").nth(1).fill("anime")  # as on the left: nothing needs to be compiled
        page.keyboard.press("Enter")
        page.get_by_role("slider").last.press("Home")
        page.get_by_role("button", name="Draw both").click()
        page.wait_for_function("() => document.querySelector('video')?.videoWidth > 0", timeout=180_000)
        assert (
            page.evaluate("() => { const v = document.querySelector('video'); return v.videoWidth / v.videoHeight; }")
            == 2
        )
        _nothing_wrong(page)

        _open(page, "Training", "Training runs")
        page.locator("[data-testid=stVegaLiteChart] svg").wait_for()
        page.get_by_alt_text("Samples of first at step 10").wait_for()
        _nothing_wrong(page)

        _open(page, "Bench", "Where the time goes")
        page.get_by_alt_text("predicted H200 waterfall").wait_for()
        _nothing_wrong(page)
        assert _saved(page, "PNG").startswith(b"\x89PNG") and b"stylizer" in _saved(page, "CSV")

        _open(page, "Machine", "Health")
        _nothing_wrong(page)

        _open(page, "Library", "Bring in a style")
        add_style(tmp_path, weights("stylizers/AnimeGANv3_tiny_Cute.onnx"))
        brought = tmp_path / "styles" / "cute"
        card = (brought / "card.toml").read_text().replace('"cute"', '"brought"').replace('"Cute"', '"Brought"')
        (brought / "card.toml").write_text(f'sha256 = "{sha256_of(brought / "cute.onnx")}"\n{card}')
        for index, name in enumerate(("card.toml", "cute.onnx")):
            page.locator("input[type=file]").nth(index).set_input_files(brought / name)
            page.get_by_text(name, exact=True).wait_for()
        page.get_by_label("Title", exact=True).fill("Brought along")
        page.get_by_label("Title in Japanese").fill("持ち込み")
        page.get_by_role("button", name="Check and bring in").click()
        page.get_by_text("Brought along is here and plays at once").wait_for(timeout=180_000)  # it is compiled
        _nothing_wrong(page)

        page.get_by_text("日本語").click()
        page.get_by_text("スタイルを追加", exact=True).wait_for()
        page.get_by_text("持ち込み · brought").wait_for()
        chosen = page.url[page.url.index("?") :]
        page.goto(f"{studio.base}/library{chosen}")
        expect(page.get_by_role("button", name="ファイルを選ぶ")).to_have_count(2)
        expect(page.get_by_text("Upload", exact=True).first).to_have_css("font-size", "0px")
        _nothing_wrong(page)
        page.goto(f"{studio.base}/machine{chosen}")  # the address keeps the language
        page.get_by_text("状態", exact=True).wait_for()
        _nothing_wrong(page)
        paints = [_first_paint_ms(page)]
        for _ in range(2):  # the best of three: the machine is shared
            page.goto(f"{studio.base}/live{chosen}")  # as people type it, though the first page has no address
            page.get_by_role("button", name="カメラを始める").wait_for()
            paints.append(_first_paint_ms(page))
        assert min(paints) < 1000
        assert page.get_by_role("dialog").count() == 0, "no 'page not found'"
        expect(page.get_by_role("combobox").first).to_have_value("アニメ")
        _nothing_wrong(page)
        assert faults == []
