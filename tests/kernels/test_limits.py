"""What launchers refuse, each by name: CuPy itself checks no argument."""

import math

import numpy as np
import pytest

from kernels.feedback import Settings, lerp
from kernels.launch import Buffer, Ref, ints
from kernels.pict import BadWeights
from kernels.plan import unet_plan
from kernels.weights import random_weights

NOWHERE = Ref("")


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="zoom must be above 0, got 0"):
        Settings(zoom=0).pack()
    with pytest.raises(ValueError, match="octaves must be three"):
        Settings(octaves=((1, 1),)).pack()
    with pytest.raises(ValueError, match="blend must be one of mix, add, .* got 'burn'"):
        Settings(blend="burn").pack()


@pytest.mark.parametrize("nbytes", [0, 8, 24, -16])
def test_crossfade_takes_multiples_of_16_bytes(nbytes: int) -> None:
    with pytest.raises(ValueError, match=f"multiples of 16 bytes, got {nbytes}"):
        lerp(NOWHERE, NOWHERE, NOWHERE, NOWHERE, nbytes=nbytes, half=True)


@pytest.mark.parametrize("rung", [0, 7])
def test_there_are_six_rungs(rung: int) -> None:
    with pytest.raises(ValueError, match=f"rung must be one of .*, got {rung}"):
        unet_plan(random_weights(1), rung)


@pytest.mark.parametrize("rung", [4, 5, 6])
def test_a_weight_beyond_fp16_is_refused_where_halves_are_used(rung: int) -> None:
    weights = random_weights(2)
    weights["generator/encoder_3/batch_normalization/gamma"][1] = -7e4
    with pytest.raises(BadWeights, match="encoder_3/batch_normalization/gamma' holds 70000; fp16 holds at most 65504"):
        unet_plan(weights, rung)
    assert unet_plan(weights, 3).frame


def test_sizes_stay_within_a_c_int() -> None:
    with pytest.raises(ValueError, match="a buffer of 2147483648 elements"):
        Buffer(2**31, np.float32)
    with pytest.raises(OverflowError):
        ints(2**31)


X, W, B = np.zeros((8, 8, 16), np.float32), np.zeros((4, 4, 16, 32), np.float32), np.zeros(32, np.float32)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"x": X[:7]}, r"x must be \[S, S, C\], S even, got \[7, 8, 16\]"),
        ({"x": X[:7, :7]}, r"x must be \[S, S, C\], S even"),
        ({"x": X.astype(np.float64)}, "x must be C-contiguous float32 .* got float64"),
        ({"x": X.transpose(1, 0, 2)}, "x must be C-contiguous .* not C-contiguous"),
        ({"w": W[..., :31]}, r"w must be C-contiguous float32 \[4, 4, 16, 32\], got float32 \[4, 4, 16, 31\]"),
        ({"b": B[None]}, r"b must be \[K\], got \[1, 32\]"),
        ({"slope": 2.0}, r"slope must be in 0..1, got 2.0"),
        ({"rung": 4}, r"rung must be one of \[1, 2, 3\], got 4"),
        ({"b": B[:8], "w": np.zeros((4, 4, 16, 8), np.float32)}, "rung 3 needs C and K to be multiples of 16"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_by_name(change: dict[str, object], message: str) -> None:
    ops = pytest.importorskip("kernels.ops", reason="cupy is not installed", exc_type=ImportError)
    arguments = {"x": X, "w": W, "b": B, "slope": 0.2, "rung": 3} | change
    with pytest.raises(ValueError, match=message):
        ops.checked_layer("conv", **arguments)


class Large:
    """An array that nobody here has the memory for."""

    dtype, flags = np.dtype(np.float32), X.flags

    def __init__(self, *shape: int) -> None:
        self.shape, self.ndim, self.size = shape, len(shape), math.prod(shape)


def test_an_array_of_more_values_than_a_c_int_counts_is_refused() -> None:
    """Though the result, of fewer channels, is small enough."""
    ops = pytest.importorskip("kernels.ops", reason="cupy is not installed", exc_type=ImportError)
    w, b = np.zeros((4, 4, 16, 1), np.float32), np.zeros(1, np.float32)
    with pytest.raises(ValueError, match="x of 4294967296 values, at most 2147482624 are allowed"):
        ops.checked_layer("conv", Large(16384, 16384, 16), w, b, 0.2, 1)
    with pytest.raises(ValueError, match="x of 4294967296 values"):
        ops.instance_norm(Large(16384, 16384, 16), b, b)


def test_arrays_that_fit_describe_a_layer() -> None:
    ops = pytest.importorskip("kernels.ops", reason="cupy is not installed", exc_type=ImportError)
    layer = ops.checked_layer("conv", X, W, B, 0.2, 3)
    assert (layer.size, layer.cin, layer.cout, layer.out_size) == (8, 16, 32, 4)
