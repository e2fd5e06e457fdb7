"""The building blocks of StyleGAN2 (arXiv:1912.04958).

Weights are kept with unit variance and scaled when used ("equalised learning rate"): one step size suits every layer.
"""

from collections.abc import Callable
from math import sqrt
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NoiseMode = Literal["const", "random", "none"]
BiasAct = Callable[[Tensor, Tensor, Tensor, Tensor | None, Tensor | None], Tensor]

BLUR_TAPS = (1.0, 3.0, 3.0, 1.0)  # the paper's separable low-pass filter
SLOPE = 0.2  # of the leaky ReLU below zero


def activate(x: Tensor) -> Tensor:
    """Leaky ReLU times sqrt(2), which keeps the variance of its input."""
    return F.leaky_relu(x, SLOPE) * sqrt(2)


def _depthwise(taps: Tensor, x: Tensor, shape: tuple[int, int]) -> Tensor:
    return taps.to(x.dtype).view(1, 1, *shape).expand(x.shape[1], 1, *shape)


def blur(x: Tensor, taps: Tensor, *, pad: int) -> Tensor:
    """Low-pass filter of every channel by taps x taps.

    x [N, C, H, W], taps [4], pad: zeros on all four sides -> [N, C, H + 2 pad - 3, W + 2 pad - 3]. One 4x4 pass: on
    a CPU in bf16, channels last, 8 ms against 29 ms for two passes of 4 taps (8x32x256x256, two Zen 5 cores).
    """
    size = (taps.numel(), taps.numel())
    return F.conv2d(x, _depthwise(torch.outer(taps, taps), x, size), padding=pad, groups=x.shape[1])


def upsample(x: Tensor, taps: Tensor) -> Tensor:
    """Zeros between the pixels, then the low-pass filter with gain 4. [N, C, H, W] -> [N, C, 2H, 2W]."""
    kernel = torch.outer(taps, taps) * 4
    size = (taps.numel(), taps.numel())
    return F.conv_transpose2d(x, _depthwise(kernel, x, size), stride=2, padding=1, groups=x.shape[1])


def make_taps(gain: float = 1.0) -> Tensor:
    """The blur's four taps; they sum to `gain`."""
    taps = torch.tensor(BLUR_TAPS)
    return taps / taps.sum() * gain


class Linear(nn.Module):
    """Fully connected layer. x [N, in] -> [N, out]. `lr_scale` slows its learning (0.01 in the mapping network)."""

    def __init__(self, n_in: int, n_out: int, *, bias: float = 0.0, lr_scale: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_out, n_in) / lr_scale)
        self.bias = nn.Parameter(torch.full((n_out,), bias / lr_scale))
        self.gain, self.lr_scale = lr_scale / sqrt(n_in), lr_scale

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.gain, self.bias * self.lr_scale)


class Conv(nn.Module):
    """Plain convolution with equalised learning rate, for the discriminator. `down` blurs first and halves the size."""

    taps: Tensor

    def __init__(self, n_in: int, n_out: int, kernel: int, *, bias: bool = True, down: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_out, n_in, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(n_out)) if bias else None
        self.gain, self.kernel, self.down = 1 / sqrt(n_in * kernel * kernel), kernel, down
        self.register_buffer("taps", make_taps(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.down:  # 4 taps and the kernel together leave half the size
            x = blur(x, self.taps, pad=1 + self.kernel // 2)
        stride, padding = (2, 0) if self.down else (1, self.kernel // 2)
        return F.conv2d(x, self.weight * self.gain, self.bias, stride=stride, padding=padding)


def modulated_conv(
    x: Tensor, weight: Tensor, style: Tensor, *, demodulate: bool = True, up_taps: Tensor | None = None
) -> Tensor:
    """Modulated convolution as scaled inputs and outputs, so that one weight serves a whole batch.

    x [N, C, H, W], weight [K, C, k, k] already scaled, style [N, C] -> [N, K, H, W], or twice that size when `up_taps`
    (with gain 2 each way) are given. Equal to convolving each sample with weight * style, each filter over its norm.
    """
    x = scaled_conv(x, weight, style, up=up_taps is not None)
    if up_taps is not None:
        x = blur(x, up_taps, pad=1)
    return x * demodulation(weight, style).to(x.dtype)[:, :, None, None] if demodulate else x


def demodulation(weight: Tensor, style: Tensor) -> Tensor:
    """One over the norm of each filter of weight [K, C, k, k] with its inputs scaled by style [N, C] -> [N, K]."""
    energy = weight.float().square().sum((2, 3))
    return (style.float().square() @ energy.t() + 1e-8).rsqrt()


def scaled_conv(x: Tensor, weight: Tensor, style: Tensor, *, up: bool) -> Tensor:
    """The convolution of `modulated_conv` before blur and demodulation; with `up` [N, K, 2H + 1, 2W + 1]."""
    x = x * style.to(x.dtype)[:, :, None, None]
    if up:
        return F.conv_transpose2d(x, weight.to(x.dtype).transpose(0, 1), stride=2)
    return F.conv2d(x, weight.to(x.dtype), padding=weight.shape[2] // 2)


def bias_act(x: Tensor, scale: Tensor, bias: Tensor, noise: Tensor | None, up_taps: Tensor | None) -> Tensor:
    """All of a layer that follows its convolution x [N, K, H, W]: blur with `up_taps`, scale, noise, bias, leaky ReLU.

    scale [N, K] is the demodulation times the activation's gain of sqrt(2); bias [K]; noise [1 or N, 1, H, W].
    """
    if up_taps is not None:
        x = blur(x, up_taps, pad=1)
    shift = bias[None, :, None, None]
    shift = (shift if noise is None else shift + noise) * sqrt(2)
    return F.leaky_relu_(torch.addcmul(shift.to(x.dtype), x, scale.to(x.dtype)[:, :, None, None]), SLOPE)


def modulated_conv_ref(
    x: Tensor, weight: Tensor, style: Tensor, *, demodulate: bool = True, up_taps: Tensor | None = None
) -> Tensor:
    """The same as the paper writes it: one weight per sample. Slow, obvious, what the tests believe."""
    results = []
    for sample, s in zip(x, style, strict=True):
        w = weight * s[None, :, None, None]
        if demodulate:
            w = w / (w.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        if up_taps is None:
            y = F.conv2d(sample[None], w, padding=w.shape[2] // 2)
        else:
            y = F.conv_transpose2d(sample[None], w.transpose(0, 1), stride=2)
            kernel = torch.outer(up_taps, up_taps)[None, None].expand(y.shape[1], 1, -1, -1)
            y = F.conv2d(F.pad(y, (1, 1, 1, 1)), kernel, groups=y.shape[1])
        results.append(y)
    return torch.cat(results)


class SynthesisLayer(nn.Module):
    """Modulated 3x3 convolution, noise, bias, activation. x [N, C, H, W], w [N, w_dim] -> [N, K, size, size].

    The activation's gain is folded into the demodulation and the bias (a leaky ReLU lets a positive factor through),
    so that after the convolution the features are touched twice only: they are what time is spent on at 256 px.
    bias_act: what does that; an engine may put a kernel of its own there.
    """

    noise_const: Tensor
    up_taps: Tensor | None

    def __init__(self, n_in: int, n_out: int, *, w_dim: int, size: int, up: bool = False, noise: bool = True) -> None:
        super().__init__()
        self.affine = Linear(w_dim, n_in, bias=1.0)
        self.weight = nn.Parameter(torch.randn(n_out, n_in, 3, 3))
        self.bias = nn.Parameter(torch.zeros(n_out))
        self.noise_strength = nn.Parameter(torch.zeros(())) if noise else None
        self.gain, self.size = 1 / sqrt(n_in * 9), size
        self.bias_act: BiasAct = bias_act
        if noise:
            self.register_buffer("noise_const", torch.randn(size, size))
        self.register_buffer("up_taps", make_taps(2.0) if up else None, persistent=False)

    def forward(self, x: Tensor, w: Tensor, noise: NoiseMode = "const") -> Tensor:
        weight, style = self.weight * self.gain, self.affine(w)
        x = scaled_conv(x, weight, style, up=self.up_taps is not None)
        scale = demodulation(weight, style) * sqrt(2)
        rough = None
        if self.noise_strength is not None and noise != "none":
            rough = self.noise_strength * self._noise(x, noise)
        return self.bias_act(x, scale, self.bias, rough, self.up_taps)

    def _noise(self, x: Tensor, mode: NoiseMode) -> Tensor:
        """[1 or N, 1, size, size]; `x` gives the batch and the device."""
        if mode == "random":
            return torch.randn(x.shape[0], 1, self.size, self.size, device=x.device)
        return self.noise_const[None, None]


class ToRGB(nn.Module):
    """Features to image: 1x1 modulated convolution, no demodulation.

    x [N, C, H, W], w [N, w_dim] -> [N, channels, H, W], about -1..1, not clamped.
    """

    def __init__(self, n_in: int, channels: int, *, w_dim: int) -> None:
        super().__init__()
        self.affine = Linear(w_dim, n_in, bias=1.0)
        self.weight = nn.Parameter(torch.randn(channels, n_in, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.gain = 1 / sqrt(n_in)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        y = modulated_conv(x, self.weight * self.gain, self.affine(w), demodulate=False)
        return y + self.bias.to(y.dtype)[None, :, None, None]
