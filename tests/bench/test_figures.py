"""What the benchmarks count: multiplications of a network, pictures of a visitor."""

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as op

from stylizer.bench.stages import gflop
from web.bench.visitor import Seen


def test_multiplications_of_each_kind_of_layer() -> None:
    x = op.parameter([1, 4, 10, 10], np.float32)
    plain = op.convolution(x, np.zeros((8, 4, 3, 3), np.float32), [1, 1], [1, 1], [1, 1], [1, 1])
    wide = op.convolution_backprop_data(
        plain, np.zeros((8, 2, 2, 2), np.float32), [2, 2], pads_begin=[0, 0], pads_end=[0, 0]
    )
    flat = op.reshape(wide, np.array([2, 400]), False)
    model = ov.Model([op.matmul(flat, np.zeros((400, 5), np.float32), False, False)], [x])
    wanted = 2 * (100 * 8 * 4 * 9 + 100 * 8 * 2 * 4 + 2 * 5 * 400)
    assert gflop(model) * 1e9 == pytest.approx(wanted)


def test_a_picture_counts_once_and_from_its_first_arrival() -> None:
    seen = Seen(sent={1: 0.0, 2: 0.5}, numbers=[(1, 0.2), (1, 0.4), (2, 0.6)])
    assert seen.unique_fps(0.0, 1.0) == 2
    assert seen.latencies_ms(0.0, 1.0) == pytest.approx([200, 100])
    assert seen.latencies_ms(0.5, 1.0) == pytest.approx([100])
