"""The synthesis network: from a constant, or from features at 16x16, to a picture, doubling the size block by block."""

from dataclasses import asdict, dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn

from stylizer.stylegan2.layers import NoiseMode, SynthesisLayer, ToRGB, make_taps, upsample


@dataclass(frozen=True, slots=True)
class SynthesisConfig:
    """Sizes of one generator.

    widths: channels of each block, from `first` px on, each block twice the size of the one before.
    first: 4 for the whole generator, 16 for one that always starts from an encoder's features.
    rgb_from: size of the first block that adds to the picture; at 16 a start from features at 16x16 loses nothing.
    channels: 4 draws red, green, blue and the figure's own opacity.
    noise: whether the layers have noise inputs; a generator that only follows an encoder does without.
    """

    widths: tuple[int, ...] = (256, 128, 64, 32, 16)
    first: int = 16
    rgb_from: int = 16
    w_dim: int = 64
    channels: int = 4
    noise: bool = True

    def __post_init__(self) -> None:
        if self.first < 4 or self.first & (self.first - 1) or self.rgb_from < self.first:
            raise ValueError(f"first {self.first} must be a power of two, at least 4, rgb_from {self.rgb_from} no less")
        if not self.widths or min(self.widths) < 1 or self.w_dim < 1 or self.channels < 1:
            raise ValueError(f"widths {self.widths}, w_dim {self.w_dim}, channels {self.channels} must be at least 1")

    @property
    def sizes(self) -> tuple[int, ...]:
        """Side of each block in pixels."""
        return tuple(self.first << i for i in range(len(self.widths)))

    @property
    def num_ws(self) -> int:
        """One w per convolution and a last one for the last ToRGB; each other ToRGB shares the w of the next block."""
        return 2 * len(self.widths)

    def width_at(self, size: int) -> int:
        return dict(zip(self.sizes, self.widths, strict=True))[size]

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        return cls(**{**values, "widths": tuple(values["widths"])})

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


FULL_256 = SynthesisConfig(widths=(256, 256, 256, 128, 64, 32, 16), first=4)
CONFIG_F_256 = SynthesisConfig(widths=(512, 512, 512, 512, 512, 256, 128), first=4, rgb_from=4, w_dim=512, channels=3)


class SynthesisBlock(nn.Module):
    """One size: an up-convolution (not in the first block), a convolution, and ToRGB from `rgb_from` on."""

    taps: Tensor

    def __init__(self, config: SynthesisConfig, index: int) -> None:
        super().__init__()
        size, width, w_dim = config.sizes[index], config.widths[index], config.w_dim
        below = config.widths[index - 1]
        self.conv0 = (
            SynthesisLayer(below, width, w_dim=w_dim, size=size, up=True, noise=config.noise) if index else None
        )
        has_conv1 = index > 0 or config.first == 4
        self.conv1 = SynthesisLayer(width, width, w_dim=w_dim, size=size, noise=config.noise) if has_conv1 else None
        self.to_rgb = ToRGB(width, config.channels, w_dim=w_dim) if size >= config.rgb_from else None
        self.register_buffer("taps", make_taps(), persistent=False)

    def features(self, x: Tensor, ws: Tensor, noise: NoiseMode, detail: Tensor | None = None) -> Tensor:
        """x: the features of the block below, [N, C, H, W]; ws [N, 2, w_dim] of the two convolutions.

        detail: added between them, [N, K, size, size]: what an encoder saw at this size.
        """
        if self.conv0 is not None:
            x = self.conv0(x, ws[:, 0], noise)
        if detail is not None:
            x = x + detail
        return x if self.conv1 is None else self.conv1(x, ws[:, 1], noise)

    def picture(self, x: Tensor, w: Tensor, below: Tensor | None) -> Tensor | None:
        """The picture so far: the one below at twice its size, plus this block's share."""
        if self.to_rgb is None:
            return below
        share: Tensor = self.to_rgb(x, w)
        return share if below is None else share + upsample(below, self.taps)


class Synthesis(nn.Module):
    """ws [N, num_ws, w_dim] (and, for a later start, features) -> picture [N, channels, size, size], about -1..1.

    ws[2i - 1] and ws[2i] drive the convolutions of block i, ws[2i + 1] its ToRGB; the first block has ws[0] and ws[1].
    """

    def __init__(self, config: SynthesisConfig) -> None:
        super().__init__()
        self.config = config
        if config.first == 4:
            self.const = nn.Parameter(torch.randn(1, config.widths[0], 4, 4))
        self.blocks = nn.ModuleDict({str(size): SynthesisBlock(config, i) for i, size in enumerate(config.sizes)})

    def _block_ws(self, ws: Tensor, index: int) -> Tensor:
        """[N, 2, w_dim] of block `index`'s convolutions; the first block has only the second of them."""
        first = 2 * index - 1
        return ws[:, [0, 0]] if index == 0 else ws[:, first : first + 2]

    def features(self, ws: Tensor, *, at: int = 16, noise: NoiseMode = "const") -> Tensor:
        """The features after the block of size `at`, from the constant on: what the encoder learns to give."""
        if self.config.first != 4:
            raise ValueError(f"this generator starts at {self.config.first} px and has no layers below")
        x = self.const.expand(ws.shape[0], -1, -1, -1)
        for i, size in enumerate(self.config.sizes[: self.config.sizes.index(at) + 1]):
            x = self._block(size).features(x, self._block_ws(ws, i), noise)
        return x

    def forward(
        self,
        feat: Tensor | None,
        ws: Tensor,
        details: tuple[Tensor, ...] = (),
        *,
        start: int = 16,
        stop: int | None = None,
        noise: NoiseMode = "const",
    ) -> Tensor:
        """feat [N, width, start, start]: features after the block of size `start`; None begins at the constant.

        details: for the first blocks after `start`, see SynthesisBlock.features.
        stop: side of the picture, when it shall be smaller than the last block's.
        """
        if feat is None:
            start = self.config.first
            feat = self.features(ws, at=start, noise=noise)
        begin = self.config.sizes.index(start)
        image = None
        for i, size in enumerate(self.config.sizes):
            if i < begin:
                continue
            block = self._block(size)
            if i > begin:
                detail = details[i - begin - 1] if i - begin <= len(details) else None
                feat = block.features(feat, self._block_ws(ws, i), noise, detail)
            image = block.picture(feat, ws[:, 2 * i + 1], image)
            if size == stop:
                break
        assert image is not None, "rgb_from is at most the last size drawn"
        return image

    def _block(self, size: int) -> SynthesisBlock:
        block = self.blocks[str(size)]
        assert isinstance(block, SynthesisBlock)
        return block
