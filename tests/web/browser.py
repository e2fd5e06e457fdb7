"""A real browser: headless Chromium with a fake camera, and what a test wants to know of the page's video."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from stylizer.frame import PixelsU8

FLAGS = (
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
LIVE = "body[data-state=live]:not([data-rest])"  # the booth shows its visitor's drawing
CAMERA_FPS = 12
EXPECT_MS = 30_000  # Playwright's own 5 s are short on a machine with other work
WATCH = Path(__file__).with_name("watch.js").read_text()


def chromium_path() -> str:
    """The browser of STYLIZER_CHROMIUM, or Debian's; without one the test is skipped."""
    found = os.environ.get("STYLIZER_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        pytest.skip("no Chromium: neither STYLIZER_CHROMIUM nor chromium on the PATH")
    return found


Launch = Callable[[Path | None], Browser]
CAMERAS = (  # every camera that a page was given, in `cameras`
    "window.cameras = []; const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);"
    "navigator.mediaDevices.getUserMedia = async (c) => {"
    "const stream = await real(c); cameras.push(...stream.getTracks()); return stream; };"
)


@contextlib.contextmanager
def browsers(*flags: str) -> Iterator[Launch]:
    """`launch(camera)`: a Chromium whose fake camera plays that .mjpeg round and round, or one without a camera.

    Each is started once. Playwright takes over the thread's event loop: a module that calls asyncio.run cannot use it.
    """
    expect.set_options(timeout=EXPECT_MS)
    with sync_playwright() as playwright, contextlib.ExitStack() as stack:

        @cache
        def launch(camera: Path | None) -> Browser:
            fake = [f"--use-fake-device-for-media-stream=device-count={1 if camera else 0}"]
            fake += [f"--use-file-for-fake-video-capture={camera}"] if camera else []
            browser = playwright.chromium.launch(executable_path=chromium_path(), args=[*FLAGS, *flags, *fake])
            stack.callback(browser.close)
            return browser

        yield launch


@contextlib.contextmanager
def visit(browser: Browser, *, language: str = "en", size: tuple[int, int] = (1280, 800)) -> Iterator[BrowserContext]:
    """A fresh profile; its pages are closed as a visitor closes them."""
    context = browser.new_context(locale=language, viewport={"width": size[0], "height": size[1]})
    context.set_default_timeout(20_000)
    try:
        yield context
    finally:
        for page in context.pages:
            page.close()
        context.close()


def save_mjpeg(path: Path, pictures: Iterable[PixelsU8], fps: int) -> Path:
    """Pictures [H, W, 3] of one size as the film that Chromium's fake camera reads."""
    with av.open(str(path), "w", format="mjpeg") as film:
        stream = film.add_stream("mjpeg", rate=fps)
        stream.pix_fmt = "yuvj420p"
        for index, pixels in enumerate(pictures):
            if index == 0:
                stream.height, stream.width = pixels.shape[:2]
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, fps)
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
    return path


def walking_block() -> Iterator[PixelsU8]:
    """Three seconds at CAMERA_FPS, 320x240: a red block walks over green ground; every picture is another."""
    for step in range(3 * CAMERA_FPS):
        pixels = np.full((240, 320, 3), (60, 150, 60), np.uint8)
        pixels[60:220, step * 7 : step * 7 + 60] = (230, 80, 60)
        yield pixels


def frames_of(film: Path, size: tuple[int, int], count: int) -> Iterator[PixelsU8]:
    """The first `count` pictures of a film, scaled to `size` (width, height)."""
    with av.open(str(film)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index == count:
                return
            yield frame.to_ndarray(format="rgb24", width=size[0], height=size[1])


def watch(page: Page, selector: str = "#mirror") -> None:
    page.evaluate(WATCH, selector)


def go_live(page: Page, base: str) -> None:
    """Opens the booth's page and takes the camera; five pictures have come when it returns."""
    page.goto(f"{base}/?auto=camera")
    page.wait_for_selector("body[data-state=live]", timeout=40_000)
    watch(page)
    wait_unique(page, 5)


def wait_unique(page: Page, count: int, timeout_ms: int = 20_000) -> None:
    page.wait_for_function(f"() => window.seen.unique >= {count}", timeout=timeout_ms)


def mean_colour(page: Page) -> tuple[float, float, float]:
    red, green, blue = page.evaluate("() => window.seen.mean")
    return red, green, blue
