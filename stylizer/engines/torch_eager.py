"""Plain torch, fp32: the reference."""

from pathlib import Path

import torch
from torch import Tensor, nn

from stylizer.engines import Compiled
from stylizer.engines.onnx import OnnxReader


class TorchEngine(OnnxReader):
    name = "torch"
    precision = "fp32"

    def __init__(self, device: torch.device, threads: int, cache: Path) -> None:
        super().__init__(threads, cache)
        self.device, self.cpu_precision = device, self.precision

    def compile(self, net: nn.Module, example: tuple[Tensor, ...], any_size: bool = False) -> Compiled:
        net = net.eval().to(self.device)

        def call(*inputs: Tensor) -> tuple[Tensor, ...]:
            with torch.inference_mode():
                return as_tuple(net(*(t.to(self.device) for t in inputs)))

        return call


def as_tuple(result: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (result,) if isinstance(result, Tensor) else tuple(result)
