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
    before, seam, after = (np.abs(film[i + 1] - film[i]).mean() for i in (-3, -2, 0))
    assert np.abs(film[0] - film[-1]).mean() < 1.6 * max(before, seam, after)
