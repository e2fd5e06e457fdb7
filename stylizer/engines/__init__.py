"""Engines compile networks for the machine: one small interface, one file for each way.

Plain torch is the reference that every other engine is tested against. `choose` asks the machine unless told.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from stylizer.config import Device, EngineName, Settings
from stylizer.engines.card import why_no_cuda
from stylizer.errors import Unavailable

CORES = torch.get_num_threads()  # as torch counts them, before anybody tells it to take fewer
ANY = -1  # as the first side of a shape: any batch
LANES = 2  # frames in work at once (see stylizer/lanes.py): each network gets its share of the cores

Compiled = Callable[..., tuple[Tensor, ...]]


class OnnxNet(Protocol):
    """A network that others trained, read from an ONNX file; tensors by the file's own names."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    device: torch.device  # where the outputs lie; inputs may come from anywhere

    def __call__(self, **inputs: Tensor) -> dict[str, Tensor]:
        """Runs once. Floats are cast to the network's own type on the way in and to float32 on the way out."""
        ...


class Engine(Protocol):
    name: str
    device: torch.device
    precision: str  # "fp32" | "bf16" | "fp16": what the arithmetic is done in; tensors in and out are float32
    lacks: str  # what its networks run without, and why; "" for nothing

    def compile(self, net: nn.Module, example: tuple[Tensor, ...], any_size: bool = False) -> Compiled:
        """`net` for inputs shaped like `example`, except that the first dimension may be any batch size.

        Every output must have the batch as its first dimension. The result always is a tuple.
        any_size: `net` computes the same for pictures of every height and width; what is costly is then done once for
        all of them.
        """
        ...

    def read(
        self,
        path: Path,
        shapes: Mapping[str, Sequence[int]] | None = None,
        precision: str | None = None,
        outputs: Sequence[str] | None = None,
        constants: Mapping[str, float] | None = None,
    ) -> OnnxNet:
        """The ONNX file at `path`, for fixed `shapes` (by input name) or any. A first side of ANY is for a batch of any
        size: then every output has the batch as its first side.

        precision: "fp32" where the engine's own would harm the result.
        outputs: inner tensors to return instead of the file's own outputs, each by the ending of its name.
        constants: inputs fixed to a number once and for all; they are no inputs any more.
        Raises Unreadable when it is no ONNX file, ModelRejected when it has no such inner tensor or cannot take the
        shapes.
        """
        ...

    def reading(self) -> tuple[str, str]:
        """What runs the files read so far, and why that is not something better; empty when it is the best there is."""
        ...


def choose(settings: Settings) -> Engine:
    """The engine for this machine, or the one that the settings force. Raises Unavailable when that cannot run here."""
    missing = "STYLIZER_DEVICE=cpu" if settings.device == Device.CPU else why_no_cuda()
    if settings.device == Device.CUDA and missing:
        raise Unavailable(f"STYLIZER_DEVICE=cuda, but {missing}; use cpu or auto")
    on_gpu = not missing
    name = settings.engine
    if name == EngineName.AUTO:
        name = EngineName.CUDA_GRAPH if on_gpu else EngineName.OPENVINO
    if name == EngineName.CUDA_GRAPH and not on_gpu:
        raise Unavailable(f"STYLIZER_ENGINE=cuda_graph, but {missing}; use openvino, torch or auto")
    threads, compiled = settings.threads or max(1, CORES // LANES), settings.cache / "openvino"
    # Imported here: each file imports a library that the others can do without.
    if name == EngineName.OPENVINO:
        from stylizer.engines.openvino import OpenVinoEngine

        return OpenVinoEngine(threads, compiled)
    if name == EngineName.CUDA_GRAPH:
        from stylizer.engines.cuda_graph import CudaGraphEngine

        return CudaGraphEngine(threads, compiled)
    from stylizer.engines.torch_eager import TorchEngine

    return TorchEngine(torch.device("cuda" if on_gpu else "cpu"), threads, compiled)


def describe(engine: Engine) -> str:
    return f"{engine.name} {engine.precision} on {engine.device}"
