"""Stylizers that others trained: any ONNX file that turns a picture into a picture (AnimeGAN, fast neural style, …)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from stylizer.convert import SIZE, Controls, Look
from stylizer.engines import Engine
from stylizer.errors import ModelRejected
from stylizer.frame import signed_from_unit, unit_from_signed
from stylizer.stages.medium import Medium

Range = Callable[[Tensor], Tensor]
_TO_FILE: Mapping[str, Range] = {"unit": lambda t: t, "signed": signed_from_unit, "255": lambda t: t * 255}
_FROM_FILE: Mapping[str, Range] = {"unit": lambda t: t, "signed": unit_from_signed, "255": lambda t: t / 255}
BACKDROP = 0.5  # what such a network sees behind the person: mid-grey


@dataclass(frozen=True, slots=True)
class ImageModelConfig:
    """What the card's [network] table says of the file. values: the range of pixel values on both sides."""

    layout: Literal["NCHW", "NHWC"] = "NCHW"
    values: Literal["unit", "signed", "255"] = "signed"
    size: int = SIZE

    def __post_init__(self) -> None:
        if self.layout not in ("NCHW", "NHWC") or self.values not in ("unit", "signed", "255"):
            raise ModelRejected(
                f"[network]: layout {self.layout!r}, values {self.values!r}; allowed: NCHW | NHWC, unit | signed | 255"
            )
        if not isinstance(self.size, int) or not 32 <= self.size <= 1024:
            raise ModelRejected(f"[network]: size {self.size!r} px; allowed is 32 to 1024")


class ImageModelConverter:
    """See convert.Converter. `style_strength` fades between the person's own picture and the drawing."""

    closeup = None

    def __init__(self, path: Path, config: ImageModelConfig, engine: Engine, medium: Medium | None = None) -> None:
        """Raises Unreadable for a file that is no ONNX, ModelRejected for one that is not picture to picture."""
        self._config, self.medium = config, medium
        any_size = engine.read(path)
        if len(any_size.inputs) != 1:
            raise ModelRejected(f"{path}: has inputs {', '.join(any_size.inputs)}; wanted is one picture")
        self._input = any_size.inputs[0]
        side = config.size
        shape = (1, 3, side, side) if config.layout == "NCHW" else (1, side, side, 3)
        # Halves end at 65504, which few layers reach from 1 and many from 255.
        precision = "fp32" if config.values == "255" and engine.precision == "fp16" else None
        self._net = engine.read(path, {self._input: shape}, precision)
        self._output = self._net.outputs[0]
        self._check(path, torch.rand(shape, generator=torch.Generator().manual_seed(0)))

    def _check(self, path: Path, picture: Tensor) -> None:
        drawn = self._net(**{self._input: picture})[self._output]
        got = drawn.shape
        if len(got) != 4 or got[0] != 1 or got[1 if self._config.layout == "NCHW" else 3] not in (1, 3):
            raise ModelRejected(
                f"{path}: gives {list(got)} for a picture {list(picture.shape)}; wanted is a picture, grey or RGB"
            )
        if not drawn.isfinite().all():
            raise ModelRejected(f"{path}: gives numbers that are not finite")

    def warm_up(self) -> None:
        self._run(torch.zeros(1, 3, SIZE, SIZE))

    def look_of(self, foreground: Tensor, alpha: Tensor) -> None:
        """Such a network knows one look."""

    def __call__(
        self, foreground: Tensor, alpha: Tensor, controls: Sequence[Controls], looks: Sequence[Look | None]
    ) -> tuple[Tensor, Tensor]:
        seen = foreground * alpha + BACKDROP * (1 - alpha)
        drawn = torch.cat([self._run(row[None]) for row in seen])
        strength = torch.tensor([float(c["style_strength"]) for c in controls], device=drawn.device)
        return torch.lerp(foreground, drawn, strength[:, None, None, None]).cpu(), alpha.cpu()

    def _run(self, picture: Tensor) -> Tensor:
        """[1, 3, SIZE, SIZE] unit -> the same, in the same place."""
        config = self._config
        x = _TO_FILE[config.values](_resized(picture, config.size))
        if config.layout == "NHWC":
            x = x.permute(0, 2, 3, 1).contiguous()
        y = self._net(**{self._input: x})[self._output].to(x.device)
        if config.layout == "NHWC":
            y = y.permute(0, 3, 1, 2)
        return _resized(_FROM_FILE[config.values](y).clamp(0, 1), SIZE)


def _resized(picture: Tensor, side: int) -> Tensor:
    if picture.shape[-1] == side:
        return picture
    return torch.nn.functional.interpolate(picture, (side, side), mode="bilinear", antialias=True)
