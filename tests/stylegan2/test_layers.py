import numpy as np
import pytest
import torch
from scipy.signal import upfirdn
from torch import Tensor

from stylizer.stylegan2.layers import (
    SynthesisLayer,
    ToRGB,
    activate,
    blur,
    make_taps,
    modulated_conv,
    modulated_conv_ref,
    upsample,
)


def _random(*shape: int, seed: int = 3) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed + sum(shape)), dtype=torch.float64)


@pytest.mark.parametrize("demodulate", [False, True])
@pytest.mark.parametrize(
    "n, c, k, size, kernel, up",
    [
        (1, 1, 1, 4, 3, False),
        (3, 8, 5, 16, 3, False),
        (2, 3, 7, 9, 1, False),
        (1, 1, 1, 4, 3, True),
        (3, 8, 5, 9, 3, True),
    ],
)
def test_modulated_conv_equals_its_textbook_form(
    n: int, c: int, k: int, size: int, kernel: int, up: bool, demodulate: bool
) -> None:
    x, weight, style = _random(n, c, size, size), _random(k, c, kernel, kernel), _random(n, c)
    taps = make_taps(2.0).double() if up else None
    got = modulated_conv(x, weight, style, demodulate=demodulate, up_taps=taps)
    want = modulated_conv_ref(x, weight, style, demodulate=demodulate, up_taps=taps)
    assert got.shape == (n, k, size * (2 if up else 1), size * (2 if up else 1))
    torch.testing.assert_close(got, want, rtol=2e-6, atol=2e-6)  # demodulation is computed in float32


def test_gradients_of_the_modulated_conv_equal_those_of_its_textbook_form() -> None:
    leaves = [_random(2, 4, 6, 6), _random(3, 4, 3, 3), _random(2, 4)]
    grads = []
    for form in (modulated_conv, modulated_conv_ref):
        inputs = [leaf.clone().requires_grad_() for leaf in leaves]
        form(*inputs).square().sum().backward()  # type: ignore[no-untyped-call]
        grads.append([i.grad for i in inputs])
    for got, want in zip(*grads, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-5)


def test_a_layer_is_modulated_conv_bias_and_activation() -> None:
    layer = SynthesisLayer(4, 6, w_dim=5, size=8)
    torch.nn.init.normal_(layer.bias)
    torch.nn.init.constant_(layer.noise_strength, 0.3)  # type: ignore[arg-type]
    x, w = _random(2, 4, 8, 8).float(), _random(2, 5).float()
    with torch.no_grad():
        plain = modulated_conv_ref(x, layer.weight * layer.gain, layer.affine(w)) + 0.3 * layer.noise_const
        torch.testing.assert_close(layer(x, w), activate(plain + layer.bias[:, None, None]), rtol=1e-4, atol=1e-4)
        assert torch.equal(layer(x, w), layer(x, w)), "constant noise must not flicker"
        assert not torch.equal(layer(x, w, "random"), layer(x, w, "random"))


def test_to_rgb_does_not_demodulate() -> None:
    to_rgb = ToRGB(4, 3, w_dim=5)
    x, w = _random(1, 4, 8, 8).float(), _random(1, 5).float()
    with torch.no_grad():
        torch.testing.assert_close(
            to_rgb(2 * x, w) - to_rgb(x, w), to_rgb(x, w) - to_rgb(0 * x, w), rtol=1e-4, atol=1e-5
        )


def test_upsample_is_scipys_upfirdn() -> None:
    x, taps = _random(1, 2, 6, 7), make_taps().double()
    got = upsample(x, taps).numpy()
    rows = upfirdn(taps.numpy() * 2, x.numpy(), up=2, axis=2)
    want = upfirdn(taps.numpy() * 2, rows, up=2, axis=3)[:, :, 1:13, 1:15]
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


def test_blur_is_scipys_separable_filter() -> None:
    x, taps = _random(1, 3, 9, 8), make_taps().double()
    rows = upfirdn(taps.numpy(), x.numpy(), axis=2)
    want = upfirdn(taps.numpy(), rows, axis=3)[:, :, 2:-2, 2:-2]
    np.testing.assert_allclose(blur(x, taps, pad=1).numpy(), want, rtol=1e-12, atol=1e-12)
