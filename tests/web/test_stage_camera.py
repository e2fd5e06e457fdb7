"""A page's camera on its way into the show."""

import threading
from pathlib import Path

import numpy as np

from stylizer.frame import VIDEO_CLOCK, Frame, PixelsU8
from stylizer.vj.outputs.broadcast import Broadcast
from stylizer.vj.session import VjSession
from tests.web.stages import small_bank
from web.vj.viewers import Audience


def test_the_last_picture_of_a_camera_that_goes_does_not_stay(tmp_path: Path) -> None:
    """It stood in the place of `--guest` for the rest of the night."""
    session, entered, left = VjSession(small_bank(tmp_path)), threading.Event(), threading.Event()
    let_in = session.offer

    def slow(pixels: PixelsU8 | None, *, by_page: bool = False) -> None:
        if pixels is not None:
            entered.set()
            left.wait(0.3)
        let_in(pixels, by_page=by_page)

    session.offer = slow  # type: ignore[method-assign]
    audience = Audience(session, Broadcast())
    viewer = audience.join()
    audience.let_send(viewer.id)
    frame = Frame(np.zeros((4, 4, 3), np.uint8), 0, VIDEO_CLOCK)
    sender = threading.Thread(target=viewer.offer, args=(frame,))
    sender.start()
    assert entered.wait(20)
    viewer.leave()
    left.set()
    sender.join()
    assert session.guest_pixels is None
