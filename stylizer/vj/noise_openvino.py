"""The simplex noise of `noise.py` as one OpenVINO graph: 0.6 ms for a picture on two cores, where torch takes 4.6.

OpenVINO turns the long chain of arithmetic into a few compiled loops; torch walks through memory at each step.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import openvino as ov
import torch
from openvino import opset13 as op
from torch import Tensor

from kernels.feedback import NOISE_PERIOD
from stylizer.vj.noise import AMPLITUDE, EDGE, PRIME_SQUARE, RADIUS_2, SIZE, away

_COMPILER = ThreadPoolExecutor(1, "vj-noise")
Node = Any  # an OpenVINO operation: the library has no types of its own


class PictureNoise:
    """For any frequency and time; for one caller at a time. Compiled in a thread, which the first call waits for."""

    def __init__(self, threads: int) -> None:
        self._compiled = _compiling(threads)
        self._request: Any = None

    def __call__(self, frequency: float, z: float, *, seed: int = 0) -> Tensor:
        """See `noise.picture_noise`."""
        self._request = self._request or self._compiled.result().create_infer_request()
        inputs = [np.full((1, 1), value, np.float32) for value in (frequency, z % NOISE_PERIOD, away(seed))]
        return torch.from_numpy(np.asarray(self._request.infer(inputs, share_inputs=True)[0], np.float32))


@cache
def _compiling(threads: int) -> Future[Any]:
    """Once in a process: it takes 0.3 s, while the rest of the instrument is opened."""
    return _COMPILER.submit(_compiled, threads)


def _compiled(threads: int) -> Any:
    options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
    return ov.Core().compile_model(_graph(), "CPU", options)


def _graph() -> Any:
    frequency, z, off = (op.parameter([1, 1], np.float32) for _ in range(3))
    axis = ((np.arange(SIZE) + 0.5) / SIZE).astype(np.float32)
    columns, rows = (np.broadcast_to(a, (SIZE, SIZE)).copy() for a in (axis[None, :], axis[:, None]))
    noise = _simplex3(op.constant(columns) * frequency + off, op.constant(rows) * frequency + off, z)
    return ov.Model([noise], [frequency, z, off])


def _simplex3(x: Node, y: Node, z: Node) -> Node:
    """Step for step as `noise.simplex3`, which explains it."""
    place = (x, y, z)
    skew = (x + y + z) / _number(3)
    cells = [op.floor(a + skew) for a in place]
    unskew = (cells[0] + cells[1] + cells[2]) / _number(6)
    near = [a - c + unskew for a, c in zip(place, cells, strict=True)]
    ge = [_one_where(op.greater_equal(near[i], near[(i + 1) % 3])) for i in range(3)]
    pairs = ((ge[0], ge[2]), (ge[1], ge[0]), (ge[2], ge[1]))
    first, second = [a * (_number(1) - c) for a, c in pairs], [op.maximum(a, _number(1) - c) for a, c in pairs]
    lattice = [_modulo(c, PRIME_SQUARE) for c in cells]
    total = _number(0)
    for number, step in enumerate(([_number(0)] * 3, first, second, [_number(1)] * 3)):
        d = [n - s + _number(number / 6) for n, s in zip(near, step, strict=True)]
        hashed = _permuted(lattice[2] + step[2])
        hashed = _permuted(_permuted(hashed + lattice[1] + step[1]) + lattice[0] + step[0])
        gradient = _gradient(hashed)
        fall = op.relu(_number(RADIUS_2) - _dot(d, d))
        fall = fall * fall
        total = total + fall * fall * _dot(gradient, d) * op.power(_dot(gradient, gradient), _number(-0.5))
    return total * _number(AMPLITUDE)


def _gradient(hashed: Node) -> list[Node]:
    """Not yet of unit length."""
    place = _modulo(hashed, 49)
    row = op.floor(place / _number(7))
    gx = (row * _number(2) + _number(0.5)) / _number(7) - _number(1)
    gy = ((place - _number(7) * row) * _number(2) + _number(0.5)) / _number(7) - _number(1)
    gz = _number(1) - op.abs(gx) - op.abs(gy)
    below = _one_where(op.less(gz, _number(EDGE)))
    return [gx - below * _sign(gx), gy - below * _sign(gy), gz]


def _permuted(x: Node) -> Node:
    return _modulo((x * _number(34) + _number(1)) * x, PRIME_SQUARE)


def _modulo(x: Node, by: float) -> Node:
    return x - _number(by) * op.floor(x / _number(by))


def _dot(a: list[Node], b: list[Node]) -> Node:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _sign(x: Node) -> Node:
    return _one_where(op.greater_equal(x, _number(0))) * _number(2) - _number(1)


def _one_where(condition: Node) -> Node:
    return op.select(condition, _number(1), _number(0))


def _number(value: float) -> Node:
    return op.constant(np.full((1, 1), value, np.float32))
