"""The film for machines without a camera, as it is shipped."""

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from stylizer.styles import CLIP


@pytest.fixture(scope="module")
def film() -> list[NDArray[np.int64]]:
    with av.open(str(CLIP)) as container:
        return [frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(video=0)]


def test_it_is_small_and_long_enough(film: list[NDArray[np.int64]]) -> None:
    assert CLIP.stat().st_size <= 400_000
    assert (film[0].shape, len(film)) == ((480, 640, 3), 168)


def test_its_end_goes_on_in_its_beginning(film: list[NDArray[np.int64]]) -> None:
    """The step over the seam is no larger than others of the dance; blocks of 16 px leave the codec's grain out."""
    small = [frame.reshape(30, 16, 40, 16, 3).mean((1, 3)) for frame in film]
    seam, *beside = (float(np.abs(small[i + 1] - small[i]).mean()) for i in (-1, *range(12)))
    assert seam < 1.2 * max(beside)
