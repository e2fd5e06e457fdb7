"""Pictures of booth and studio for docs/screens: the real pipeline, and the drawn clip as the browser's camera.

    python -m docs.booth_screens [booth visit studio]     all without a name

Weights are searched as ever (STYLIZER_MODELS, the cache); without them the lower rungs draw. STYLIZER_RUNS may name
training runs to show.
"""

import contextlib
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
from PIL import Image
from playwright.sync_api import Browser, Page

from stylizer.config import Settings
from stylizer.styles import CLIP
from tests.web.browser import browsers, frames_of, save_mjpeg, visit
from tests.web.doubles import Running, free_port, running, wait_for
from web.api.app import create_app
from web.api.doors import RateLimit
from web.studio import launch as studio_process

SCREENS = Path(__file__).resolve().parent / "screens"
PATIENCE_MS = 240_000
PHONE, TABLET, WIDE, TALL = (390, 844), (820, 1180), (1280, 720), (2160, 3840)
LONGEST_PX = 1280  # of a stored picture: the 4K screen is shown at a third
LIVE = "body[data-state=live]:not([data-rest])"
SIZES = {"wide": (WIDE, "en"), "phone": (PHONE, "ja-JP"), "tablet": (TABLET, "en"), "tall": (TALL, "ja-JP")}
PHONES = "http://192.168.1.20:8000"  # in the QR code of the picture


def main() -> None:
    SCREENS.mkdir(exist_ok=True)
    with browsers() as launch, tempfile.TemporaryDirectory() as folder:
        film = save_mjpeg(Path(folder) / "camera.mjpeg", frames_of(CLIP, (640, 480), 160), 12)
        for name in sys.argv[1:] or GROUPS:
            GROUPS[name](launch(film))


def save(page: Page, name: str, *, whole: bool = False) -> None:
    target = SCREENS / f"{name}.webp"
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "shot.png"
        page.screenshot(path=shot, full_page=whole, timeout=PATIENCE_MS)
        picture = Image.open(shot).convert("RGB")
    picture.thumbnail((LONGEST_PX, LONGEST_PX), Image.Resampling.LANCZOS)
    picture.save(target, quality=82, method=6)
    sys.stdout.write(f"{target.name}: {target.stat().st_size // 1024} kB\n")


@contextlib.contextmanager
def opened(browser: Browser, address: str, size: tuple[int, int], language: str = "en") -> Iterator[Page]:
    with visit(browser, size=size, language=language) as context:
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.goto(address)
        yield page


@contextlib.contextmanager
def _worker() -> Iterator[Running]:
    app = create_app(Settings.load(visitors=1, public_url=PHONES), limit=RateLimit(burst=10_000))
    with running(app) as worker:
        yield worker


def booth(browser: Browser) -> None:
    """Each screen: at rest, live, with a picture behind."""
    with _worker() as worker:
        for name, (size, language) in SIZES.items():
            with opened(browser, worker.base, size, language) as page:
                page.wait_for_function("() => document.querySelector('#attract').currentTime > 0.3")
                save(page, f"booth-{name}-idle")
                _step_in(page)
                save(page, f"booth-{name}-live")
                page.click("#dock [value=background]")
                page.click("button.choice[value=picture]")
                page.wait_for_timeout(1500)
                save(page, f"booth-{name}-background")


def turn(browser: Browser) -> None:
    """Taking it home, the queue, a trouble."""
    with _worker() as worker:
        _troubles(browser, worker)
        _take_home(browser, worker)


def _step_in(page: Page) -> None:
    page.click("#start")
    page.wait_for_selector(LIVE)
    page.wait_for_selector("#hint polygon:not([points=''])", state="attached")
    page.wait_for_timeout(2500)  # the matte settles, the video reaches its bit rate


def _take_home(browser: Browser, worker: Running) -> None:
    with opened(browser, worker.base, WIDE) as page:
        _step_in(page)
        page.click("#home")
        page.wait_for_selector("#count.big:visible")
        save(page, "booth-get-ready")
        page.wait_for_selector("#code:visible")
        save(page, "booth-take-home")
        with opened(browser, page.inner_text("#address").replace(PHONES, worker.base), PHONE) as phone:
            phone.wait_for_function("() => document.querySelector('video').readyState >= 2")
            save(phone, "booth-on-the-phone")
        with opened(browser, f"{worker.base}/?auto=camera", WIDE) as second:
            second.wait_for_selector("body[data-state=full] #place:visible")
            save(second, "booth-queue")


def _troubles(browser: Browser, worker: Running) -> None:
    with visit(browser, size=WIDE) as context:
        page = context.new_page()
        page.add_init_script(
            "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('', 'NotAllowedError'); }"
        )
        page.goto(worker.base)
        page.click("#start")
        page.wait_for_selector("body[data-state=denied]")
        page.wait_for_timeout(1000)  # the figure has faded
        save(page, "booth-denied")


def studio(browser: Browser) -> None:
    settings = Settings.load(studio_port=free_port())
    process = studio_process.start(settings)
    base = f"http://127.0.0.1:{settings.studio_port}"
    try:
        wait_for(lambda: _answers(f"{base}/_stcore/health"), 120)
        with opened(browser, base, (1280, 1000)) as page:
            page.get_by_role("button", name="Start camera").click()
            page.wait_for_function("() => /\\d ms/.test(document.body.innerText)")  # a latency: pictures flow
            page.get_by_text("Before and after").click()
            page.locator("[data-testid=stImage] img").nth(1).wait_for()
            page.wait_for_timeout(2000)
            save(page, "studio-live")
            page.get_by_role("button", name="Stop").click()
        for name, ready in (("library", "Bring in a style"), ("training", "Training runs"), ("machine", "Health")):
            with opened(browser, f"{base}/{name}", (1280, 1000)) as page:
                page.get_by_text(ready, exact=True).wait_for()
                page.wait_for_timeout(12_000)
                save(page, f"studio-{name}", whole=True)
        with opened(browser, f"{base}/compare", (1280, 1000)) as page:
            page.get_by_role("button", name="Draw both").click()
            page.locator("video").wait_for()
            page.wait_for_timeout(3000)
            save(page, "studio-compare", whole=True)
    finally:
        studio_process.stop(process)


def _answers(address: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(address, timeout=2).status_code == 200
    return False


GROUPS: dict[str, Callable[[Browser], None]] = {"booth": booth, "visit": turn, "studio": studio}


if __name__ == "__main__":
    main()
