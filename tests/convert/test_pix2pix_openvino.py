"""A transposed convolution and its convolution with a shuffle are the same."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from kernels.weights import random_weights
from stylizer.convert.pix2pix import Unet256
from stylizer.convert.pix2pix_int8 import float_unet
from stylizer.convert.pix2pix_openvino import four_kernels
from tests.conftest import Rng


@pytest.mark.parametrize("cin, cout, side", [(1, 1, 1), (3, 2, 4), (2, 5, 7)])
def test_four_kernels_make_the_transposed_convolution(rng: Rng, cin: int, cout: int, side: int) -> None:
    kernel, x = rng.normal_f32(4, 4, cout, cin), torch.from_numpy(rng.normal_f32(1, cin, side, side))
    turned = torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy())
    expected = F.conv_transpose2d(x, turned, stride=2, padding=1)
    y = F.conv2d(x, torch.from_numpy(four_kernels(kernel)), padding=1)
    got = y.view(2, 2, cout, side, side).permute(2, 3, 0, 4, 1).reshape(1, cout, 2 * side, 2 * side)
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("precision, error", [("fp32", 1e-4), (None, 0.05)])
def test_the_compiled_network_is_torchs(rng: Rng, precision: str | None, error: float) -> None:
    """Untrained weights; None is bf16 where the processor multiplies it, and then decoders are shuffled."""
    weights, picture = random_weights(4), rng.unit_f32(1, 3, 256, 256)
    expected = Unet256.from_weights(weights)(torch.from_numpy(picture)).numpy()
    np.testing.assert_allclose(float_unet(weights, 1, precision)(picture), expected, atol=error)
