"""A person's picture -> the generator's features at 16x16 and its style vectors (after arXiv:2008.00951, made light).

Three strided convolutions bring 256 px down to 16, residual blocks look around there. `feat16` and `ws` say who stands
there and how; `details` at 32 px and above say where an edge lies (as in VToonify, arXiv:2209.11224): through 16x16
alone, 10000 steps gave sharp silhouettes and blurred insides. The trunk's first convolution steps by 4: many features
at half the size of the picture cost more than everything else together. What is seen at full and at half size takes a
way of its own, few channels and two small convolutions: with it lines lie on the pixel.
"""

from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """widths: channels at 1/4, 1/8 and 1/16 of the input. blocks: residual blocks at 1/16.

    detail_channels: the generator's widths at 32 and 64 px. fine_channels: those at 128 and 256 px, or none.
    fine_widths: channels seen at 1/2 and 1/1 of the input.
    """

    channels: int = 4
    widths: tuple[int, ...] = (64, 128, 176)
    blocks: int = 2
    feat_channels: int = 256
    detail_channels: tuple[int, ...] = (128, 64)
    fine_channels: tuple[int, ...] = (32, 16)
    fine_widths: tuple[int, ...] = (24, 12)
    num_ws: int = 10
    w_dim: int = 64

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """A file from before there were fine details has none."""
        sizes = {name: tuple(v) for name, v in {"fine_channels": [], **values}.items() if isinstance(v, list)}
        return cls(**{**values, **sizes})

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def _activate(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2) * sqrt(2)


class _Conv(nn.Module):
    """Convolution whose weights are kept at unit variance and scaled when used."""

    def __init__(
        self, n_in: int, n_out: int, kernel: int, *, stride: int = 1, dilation: int = 1, init: float = 1.0
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_out, n_in, kernel, kernel) * init)
        self.bias = nn.Parameter(torch.zeros(n_out))
        self.gain = 1 / sqrt(n_in * kernel * kernel)
        self.stride, self.dilation, self.padding = stride, dilation, kernel // 2 * dilation

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight * self.gain
        return F.conv2d(x, weight, self.bias, stride=self.stride, padding=self.padding, dilation=self.dilation)


class _Residual(nn.Module):
    """The second convolution reaches two cells far: a hand may belong to a shoulder five cells away."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv0, self.conv1 = _Conv(width, width, 3), _Conv(width, width, 3, dilation=2, init=0.3)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x + self.conv1(_activate(self.conv0(x)))
        return y


class _Head(nn.Module):
    """Pooled features -> one w per layer: what is the same over the whole figure, such as its light and its colours."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.shape = (config.num_ws, config.w_dim)
        self.conv0 = _Conv(2 * config.widths[-1], 2 * config.w_dim, 1)
        self.conv1 = _Conv(2 * config.w_dim, config.num_ws * config.w_dim, 1, init=0.05)

    def forward(self, x: Tensor) -> Tensor:
        pooled = torch.cat((x.mean((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)), 1)
        w: Tensor = self.conv1(_activate(self.conv0(pooled)))
        return w.reshape(-1, *self.shape)


class _Fine(nn.Module):
    """picture -> details at half and at full size, in this order."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        half, full = config.fine_widths
        self.at_full, self.at_half = _Conv(config.channels, full, 3), _Conv(full, half, 3, stride=2)
        self.to_half = _Conv(half, config.fine_channels[0], 1, init=0.0)
        self.to_full = _Conv(full, config.fine_channels[1], 1, init=0.0)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        full = _activate(self.at_full(picture))
        return self.to_half(_activate(self.at_half(full))), self.to_full(full)


class Feature16(nn.Module):
    """picture [N, 4, 256, 256]: RGB over mid-grey -1..1, alpha 0..1 -> feat16 [N, C, 16, 16], ws [N, num_ws, w_dim],
    details [N, C, S, S] at S = 32, 64 and, with fine_channels, 128 and 256.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        widths = config.widths
        self.stem = _Conv(config.channels, widths[0], 7, stride=4)
        self.down = nn.ModuleList(_Conv(a, b, 3, stride=2) for a, b in zip(widths, widths[1:], strict=False))
        self.trunk = nn.ModuleList(_Residual(config.widths[-1]) for _ in range(config.blocks))
        wide = reversed(widths[:-1])  # 1/8, then 1/4
        self.to_details = nn.ModuleList(
            _Conv(a, b, 1, init=0.0) for a, b in zip(wide, config.detail_channels, strict=True)
        )
        self.to_feat = _Conv(config.widths[-1], config.feat_channels, 1, init=0.3)
        self.to_ws = _Head(config)
        self.fine = _Fine(config) if config.fine_channels else None

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        x = _activate(self.stem(picture))
        fine: list[Tensor] = []
        for conv in self.down:
            fine.insert(0, x)
            x = _activate(conv(x))
        for block in self.trunk:
            x = block(_activate(x))
        x = _activate(x)
        details = tuple(conv(y) for conv, y in zip(self.to_details, fine, strict=True))
        if self.fine is not None:
            details += self.fine(picture)
        return self.to_feat(x), self.to_ws(x), details
