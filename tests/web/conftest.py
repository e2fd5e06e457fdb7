"""A worker without a web, a pipeline that only tints, and browsers: started once for each module that asks for one,
since Playwright takes over its thread."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from stylizer.live import Worker
from tests.web.browser import CAMERA_FPS, Launch, browsers, save_mjpeg, visit, walking_block
from tests.web.doubles import ColourPipeline


@pytest.fixture
def started() -> Iterator[Worker]:
    """The pipeline's threads with two places, and no web around them."""
    worker = Worker(ColourPipeline(), capacity=2)
    worker.start()
    yield worker
    worker.stop()


@pytest.fixture(scope="module")
def pipeline() -> ColourPipeline:
    return ColourPipeline()


@pytest.fixture(scope="module")
def launch() -> Iterator[Launch]:
    with browsers() as start:
        yield start


@pytest.fixture(scope="module")
def camera(launch: Launch, tmp_path_factory: pytest.TempPathFactory) -> Browser:
    """A browser whose camera shows a red block walking over green ground: three seconds, each picture another."""
    return launch(save_mjpeg(tmp_path_factory.mktemp("camera") / "walk.mjpeg", walking_block(), CAMERA_FPS))


@pytest.fixture
def page(camera: Browser) -> Iterator[Page]:
    """Of a visitor with that camera."""
    with visit(camera) as context:
        yield context.new_page()
