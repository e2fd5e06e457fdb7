import av
import numpy as np

from stylizer.styles import CLIP
from stylizer.training.data.clip import draw_frame, draw_room


def test_the_loop_has_no_seam() -> None:
    """The step from the last frame to the first is as small as the steps beside it."""
    room, last = draw_room(), 167 / 168
    frames = [draw_frame(t, room).astype(int) for t in (166 / 168, last, 0.0, 1 / 168)]
    before, seam, after = (np.abs(b - a).mean() for a, b in zip(frames, frames[1:], strict=False))
    assert seam < 1.6 * max(before, after)


def test_the_shipped_clip_is_small_and_long_enough() -> None:
    assert CLIP.stat().st_size <= 600_000
    with av.open(str(CLIP)) as film:
        frames = list(film.decode(video=0))
    assert (frames[0].width, frames[0].height, len(frames)) == (640, 480, 168)
