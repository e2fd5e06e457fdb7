"""How many of a show's pictures its outputs are given."""

from pathlib import Path

import numpy as np
import pytest

from stylizer.vj.outputs.broadcast import Broadcast
from stylizer.vj.session import VjSession
from tests.web.stages import small_bank
from web.vj.viewers import Audience


@pytest.mark.parametrize(
    "show_fps, output, preview", [(20, 20, 15), (34, 30, 15), (40, 30, 15), (60, 30, 15), (90, 30, 15)]
)
def test_an_output_has_30_pictures_a_second_of_any_show_that_makes_them(
    show_fps: int, output: int, preview: int, tmp_path: Path
) -> None:
    """Of 34 a second, as while the fader moves on two cores, it was given 17."""
    now = [0.0]
    broadcast = Broadcast(lambda: now[0])
    audience = Audience(VjSession(small_bank(tmp_path)), broadcast, clock=lambda: now[0])
    viewers = [audience.join(), audience.join({"output_size": "256"})]
    tremble = np.random.default_rng(1).uniform(-0.001, 0.001, 4 * show_fps)
    for frame in range(4 * show_fps):
        now[0] = frame / show_fps + float(tremble[frame])
        broadcast.show(np.zeros((256, 256, 3), np.uint8))
        for viewer in viewers:
            viewer.take()
    assert [viewer.stats().frames_out / 4 for viewer in viewers] == pytest.approx([output, preview], abs=0.5)
