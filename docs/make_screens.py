"""Takes every picture of the pages in docs/screens with headless Chromium, from what the project brings along.

    python -m docs.make_screens [booth studio stage bench]     all of them without a name

No real person is shown: the booth sees the drawn clip, the VJ's pictures are dreamt.
"""

import contextlib
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Page

from docs import booth_screens
from docs.booth_screens import SCREENS, opened, save
from stylizer.config import Settings
from stylizer.styles import CLIP
from stylizer.vj.bank import Bank
from stylizer.vj.inputs.mapping import Mapper, ngx_map
from stylizer.vj.outputs.broadcast import Broadcast
from stylizer.vj.presets import presets
from stylizer.vj.session import VjSession
from stylizer.vj.show import Show
from tests.web.browser import browsers, frames_of, save_mjpeg
from tests.web.doubles import free_port, wait_for
from web.api.server import make_server
from web.studio import launch as studio
from web.vj.app import create_stage_app
from web.vj.server import Playing
from web.vj.stage import Stage

DESKTOP, TABLET, UPRIGHT = (1440, 900), (1180, 820), (820, 1180)
HEARD = {"level": 0.72, "low": 0.9, "mid": 0.55, "high": 0.34, "flux": 0.41, "onset": 0.0}


def main() -> None:
    SCREENS.mkdir(exist_ok=True)
    with browsers() as launch, tempfile.TemporaryDirectory() as folder:
        film = save_mjpeg(Path(folder) / "camera.mjpeg", frames_of(CLIP, (640, 480), 160), 12)
        for name in sys.argv[1:] or GROUPS:
            GROUPS[name](launch(film))


# The stage: embedded models, a show that plays.


def stage(browser: Browser) -> None:
    with _show() as (base, show):
        control = f"{base}/#key"
        with opened(browser, control, DESKTOP) as page:
            _ready(page)
            show.turned("cc:0:77", 0.4)
            _slide(page, "crossfade", 0.4)
            _wait_heard(page)
            save(page, "stage-desktop")
            page.click(".control.hue .wire")
            page.wait_for_selector("#wire[open]")
            save(page, "stage-wire")
            page.click("#wire_close")
            page.keyboard.press("?")
            page.wait_for_selector("#keys[open]")
            save(page, "stage-keys")
        for name, size, language in (("stage-tablet", TABLET, "ja-JP"), ("stage-tablet-upright", UPRIGHT, "en")):
            with opened(browser, control, size, language) as page:
                _ready(page)
                _wait_heard(page)
                save(page, name)
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


def _slide(page: Page, name: str, value: float) -> None:
    script = "(input, value) => { input.value = value; input.dispatchEvent(new Event('input')); }"
    page.eval_on_selector(f"input[data-control={name}]", script, value)


# The studio.


def bench(browser: Browser) -> None:
    settings = Settings.load(studio_port=free_port(), threads=2)
    process = studio.start(settings)
    base = f"http://127.0.0.1:{settings.studio_port}"
    try:
        wait_for(lambda: _answers(f"{base}/_stcore/health"), 120)
        with opened(browser, f"{base}/bench", (1280, 900)) as page:
            page.wait_for_function("() => document.querySelectorAll('[data-testid=stImage] img').length >= 4")
            page.wait_for_timeout(1500)
            save(page, "studio-bench", whole=True)
    finally:
        studio.stop(process)


def _answers(address: str) -> bool:
    try:
        return httpx.get(address, timeout=2).status_code == 200
    except httpx.TransportError:
        time.sleep(0.2)
        return False


GROUPS: dict[str, Callable[[Browser], None]] = {**booth_screens.GROUPS, "stage": stage, "bench": bench}


if __name__ == "__main__":
    main()
