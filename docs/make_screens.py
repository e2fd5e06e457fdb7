"""Takes every picture of the pages in docs/screens with headless Chromium, from what the project brings along.

    python -m docs.make_screens [booth visit studio sizes stage]     all of them without a name

No real person is shown: the sample clip is the camera, the VJ's pictures are dreamt. Weights are searched as ever
(STYLIZER_MODELS, the cache); without them the lower rungs draw. STYLIZER_RUNS names the training runs to show; where
there are none, that picture stays as it is.
"""

import contextlib
import io
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
from PIL import Image
from playwright.sync_api import Browser, Page

from stylizer.config import Settings
from stylizer.styles import CLIP
from stylizer.vj.bank import Bank
from stylizer.vj.inputs.mapping import Mapper, ngx_map
from stylizer.vj.outputs.broadcast import Broadcast
from stylizer.vj.presets import presets
from stylizer.vj.session import VjSession
from stylizer.vj.show import Show
from tests.web.browser import browsers, frames_of, save_mjpeg, visit
from tests.web.doubles import Running, free_port, running, wait_for
from web.api.app import create_app
from web.api.doors import RateLimit
from web.api.server import make_server
from web.studio import launch as studio_process
from web.vj.app import create_stage_app
from web.vj.server import Playing
from web.vj.stage import Stage

SCREENS = Path(__file__).resolve().parent / "screens"
PATIENCE_MS = 240_000
LONGEST_PX = 1280  # of a stored picture: the 4K screen is shown at a third
BEGINNING = """() => new Promise((done) => {
  const film = document.querySelector('#attract');
  film.pause();
  film.onseeked = () => requestAnimationFrame(() => requestAnimationFrame(done));
  film.currentTime = 0;
})"""  # of the attract loop: half photo, half drawing
LIVE = "body[data-state=live]:not([data-rest])"
PHONE, TABLET, UPRIGHT, WIDE, DESKTOP, TALL = (
    (390, 844),
    (1180, 820),
    (820, 1180),
    (1280, 720),
    (1440, 900),
    (2160, 3840),
)
BOOTHS = {"wide": (WIDE, "en"), "phone": (PHONE, "ja-JP"), "tablet": (UPRIGHT, "en"), "tall": (TALL, "ja-JP")}
STAGES = {
    "desktop": (DESKTOP, "en"),
    "tablet": (TABLET, "ja-JP"),
    "tablet-upright": (UPRIGHT, "en"),
    "phone": (PHONE, "en"),
}
STUDIO = (1280, 1000)
STUDIOS = {"phone": (PHONE, "ja-JP"), "tablet": (UPRIGHT, "en"), "tall": (TALL, "ja-JP")}
PHONES = "http://192.168.1.20:8000"  # in the QR code of the picture
HEARD = {"level": 0.72, "low": 0.9, "mid": 0.55, "high": 0.34, "flux": 0.41, "onset": 0.0}


def main() -> None:
    SCREENS.mkdir(exist_ok=True)
    with browsers() as launch, tempfile.TemporaryDirectory() as folder:
        film = save_mjpeg(Path(folder) / "camera.mjpeg", frames_of(CLIP, (640, 480), 160), 12)
        for name in sys.argv[1:] or GROUPS:
            GROUPS[name](launch(film))


def save(page: Page, name: str, *, whole: bool = False) -> None:
    if whole:  # Streamlit scrolls inside the page
        height = page.evaluate("() => document.querySelector('[data-testid=stMain]').scrollHeight")
        page.set_viewport_size({"width": page.viewport_size["width"], "height": height})
        page.wait_for_timeout(1000)
    _store(_seen(page), name, whole=whole)


def _seen(page: Page) -> Image.Image:
    return Image.open(io.BytesIO(page.screenshot(timeout=PATIENCE_MS))).convert("RGB")


def _store(picture: Image.Image, name: str, *, whole: bool = False) -> None:
    target = SCREENS / f"{name}.webp"
    picture.thumbnail((LONGEST_PX, LONGEST_PX * 2 if whole else LONGEST_PX), Image.Resampling.LANCZOS)
    picture.save(target, quality=82, method=6)
    sys.stdout.write(f"{target.name}: {target.stat().st_size // 1024} kB\n")


@contextlib.contextmanager
def opened(browser: Browser, address: str, size: tuple[int, int], language: str = "en") -> Iterator[Page]:
    with visit(browser, size=size, language=language) as context:
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.goto(address)
        yield page


# The booth: the real pipeline.


@contextlib.contextmanager
def _worker() -> Iterator[Running]:
    app = create_app(Settings.load(visitors=1, public_url=PHONES), limit=RateLimit(burst=10_000))
    with running(app) as worker:
        yield worker


def booth(browser: Browser) -> None:
    """Each screen live; the wide one at rest and with a picture behind, too."""
    with _worker() as worker:
        for name, (size, language) in BOOTHS.items():
            with opened(browser, worker.base, size, language) as page:
                if name == "wide":
                    page.evaluate(BEGINNING)
                    save(page, f"booth-{name}-idle")
                _step_in(page)
                save(page, f"booth-{name}-live")
                if name == "wide":
                    page.click("#dock [value=background]")
                    page.click("button.choice[value=picture]")
                    page.wait_for_timeout(4000)  # on a machine with other work
                    save(page, f"booth-{name}-background")


def turn(browser: Browser) -> None:
    """Taking it home, the queue, the six troubles of a camera."""
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


def _refuse(error: str) -> str:
    return f"navigator.mediaDevices.getUserMedia = async () => {{ throw new DOMException('', '{error}'); }}"


TROUBLES = {
    "absent": _refuse("NotFoundError"),
    "denied": _refuse("NotAllowedError"),
    "busy": _refuse("NotReadableError"),
    "insecure": "Object.defineProperty(navigator, 'mediaDevices', { value: undefined })",
    "silent": "navigator.mediaDevices.getUserMedia = async () => document.createElement('canvas').captureStream(0);",
    "blocked": "const Real = RTCPeerConnection; window.RTCPeerConnection = class extends Real {"
    "constructor(c) { super({ ...c, iceTransportPolicy: 'relay' }); } };",
}  # what makes a browser meet each of them


def _troubles(browser: Browser, worker: Running) -> None:
    """All of them in one picture, two in a row."""
    sheet = Image.new("RGB", (2 * WIDE[0], 3 * WIDE[1]))
    for index, (state, script) in enumerate(TROUBLES.items()):
        with visit(browser, size=WIDE) as context:
            page = context.new_page()
            page.add_init_script(script)
            page.goto(worker.base)
            page.click("#start")
            page.wait_for_selector(f"body[data-state={state}]", timeout=PATIENCE_MS)
            page.wait_for_timeout(1000)  # the figure has faded
            sheet.paste(_seen(page), (index % 2 * WIDE[0], index // 2 * WIDE[1]))
    _store(sheet, "booth-troubles")


# The studio: Streamlit in its own process, page by page.


@contextlib.contextmanager
def _studio() -> Iterator[tuple[str, Settings]]:
    settings = Settings.load(studio_port=free_port(), threads=2)
    process = studio_process.start(settings)
    base = f"http://127.0.0.1:{settings.studio_port}"
    try:
        wait_for(lambda: _answers(f"{base}/_stcore/health"), 120)
        yield base, settings
    finally:
        studio_process.stop(process)


def studio(browser: Browser) -> None:
    with _studio() as (base, settings):
        _live(browser, base)
        for name, ready in PAGES.items():
            if name == "training" and not any(settings.runs.glob("*/log.jsonl")):
                sys.stdout.write(f"studio-training stays as it is: no run in {settings.runs}\n")
                continue
            with opened(browser, f"{base}/{name}", STUDIO) as page:
                ready(page)
                _settled(page)
                save(page, f"studio-{name}", whole=True)


def studio_sizes(browser: Browser) -> None:
    """The studio at rest on other screens."""
    with _studio() as (base, _):
        for name, (size, language) in STUDIOS.items():
            with opened(browser, base, size, language) as page:
                page.get_by_role("button", name="Start camera" if language == "en" else "カメラを始める").wait_for()
                _settled(page)
                save(page, f"studio-{name}")


def _live(browser: Browser, base: str) -> None:
    with opened(browser, base, STUDIO) as page:
        page.get_by_role("button", name="Start camera").click()
        page.wait_for_function("() => /\\d ms/.test(document.body.innerText)")  # a latency: pictures flow
        page.get_by_text("Before and after").click()
        page.get_by_alt_text("After").wait_for()
        page.wait_for_timeout(2000)
        page.wait_for_function("() => !document.querySelector('[data-stale=true]')")  # nothing is faded for its next
        save(page, "studio-live", whole=True)
        page.get_by_role("button", name="Stop").click()
        page.get_by_role("button", name="Start camera").wait_for()


def _compare(page: Page) -> None:
    page.get_by_role("button", name="Draw both").click()
    page.locator("video").wait_for()
    page.wait_for_function("() => document.querySelector('video').currentTime > 1")


def _previews(page: Page) -> None:
    _shown("Bring in a style")(page)
    cards = page.get_by_text("The whole card").count()
    page.wait_for_function(f"() => document.querySelectorAll('img[alt^=\"The sample clip\"]').length === {cards}")


def _curves(page: Page) -> None:
    page.locator("[data-testid=stVegaLiteChart] svg").first.wait_for()


def _shown(words: str) -> Callable[[Page], None]:
    return lambda page: page.get_by_text(words, exact=True).first.wait_for()


def _settled(page: Page) -> None:
    """Nothing is being drawn any more: no spinner, no skeleton, every picture there."""
    busy = ", ".join(f"[data-testid={name}]" for name in ("stSpinner", "stSkeleton", "stStatusWidget"))
    page.wait_for_function(
        "(busy) => !document.querySelector(busy) && [...document.images].every((image) => image.complete)", arg=busy
    )
    page.wait_for_timeout(1500)  # curves are drawn after the page says it is done


PAGES: dict[str, Callable[[Page], None]] = {
    "library": _previews,
    "compare": _compare,
    "training": _curves,
    "bench": lambda page: page.get_by_alt_text("predicted H200 waterfall").wait_for(),
    "machine": _shown("Health"),
}


def _answers(address: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(address, timeout=2).status_code == 200
    return False


# The stage: embedded models, a show that plays.


def stage(browser: Browser) -> None:
    with _show() as (base, show):
        control = f"{base}/#key"
        for name, (size, language) in STAGES.items():
            with opened(browser, control, size, language) as page:
                _ready(page)
                show.turned("cc:0:77", 0.4)
                _wait_heard(page)
                save(page, f"stage-{name}")
        with opened(browser, control, DESKTOP) as page:
            _ready(page)
            page.click(".control.hue .wire")
            page.wait_for_selector("#wire[open]")
            save(page, "stage-wire")
            page.click("#wire_close")
            page.keyboard.press("?")
            page.wait_for_selector("#keys[open]")
            save(page, "stage-keys")
        with opened(browser, f"{base}/output", (1280, 720)) as page:
            page.wait_for_selector("body[data-state=live]")
            page.wait_for_function("() => document.querySelector('#view').currentTime > 2")
            save(page, "stage-output")


@contextlib.contextmanager
def _show() -> Iterator[tuple[str, Show]]:
    settings = Settings.load(port=free_port(), stage_key="key", host="127.0.0.1")
    bank, broadcast = Bank(), Broadcast()
    session, mapper = VjSession(bank), Mapper(ngx_map(bank.names), soft=False)
    known = list(presets().values())
    session.play(presets()["rose_window"])
    session.modulators.features = HEARD
    show = Show(session, broadcast, known, mapper, rate=15)
    server = make_server(
        settings, create_stage_app(settings, Stage(show, broadcast, mapper, known, lambda: ("Faderfox",)))
    )
    playing, serving = Playing(show, server), threading.Thread(target=server.run)
    playing.start()
    serving.start()
    try:
        wait_for(lambda: server.started, 60)
        yield f"http://127.0.0.1:{settings.port}", show
    finally:
        server.should_exit = True
        serving.join()
        show.gesture("quit")
        playing.join()


def _ready(page: Page) -> None:
    """Live, with a moving picture and every thumbnail."""
    page.wait_for_selector("body[data-state=live]")
    page.wait_for_selector(".tile")
    page.wait_for_function(
        "() => [...document.querySelectorAll('.tile')].every((t) => t.querySelector('img')?.complete)"
    )
    page.wait_for_selector("#slot_a img:not([hidden])")
    page.wait_for_selector("#slot_b img:not([hidden])")
    page.wait_for_function("() => document.querySelector('#view').videoWidth > 0")


def _wait_heard(page: Page) -> None:
    page.wait_for_function("() => document.querySelector('#bars meter').value > 0.5")
    page.wait_for_function("() => document.querySelector('#view_fps').textContent")


GROUPS: dict[str, Callable[[Browser], None]] = {
    "booth": booth,
    "visit": turn,
    "studio": studio,
    "sizes": studio_sizes,
    "stage": stage,
}


if __name__ == "__main__":
    main()
