"""CUDA graphs in fp16, channels_last, with our own kernel in the generators: one graph for each batch size, captured at
its first use.

ONNX files run beside them in ONNX Runtime; what it does not take stays in OpenVINO on the CPU, with the reason.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from stylizer.engines import Compiled, OnnxNet
from stylizer.engines.fused import Run, fuse, open_run
from stylizer.engines.onnx import OnnxReader
from stylizer.engines.torch_eager import as_tuple
from stylizer.errors import ModelRejected, Unavailable, Unreadable

if TYPE_CHECKING:
    from stylizer.engines.onnx_runtime import OnnxRuntimeReader

WARM_UP_RUNS = 3  # cuDNN chooses its algorithms before the capture


class CudaGraphEngine(OnnxReader):
    name = "cuda_graph"
    precision = "fp16"

    def __init__(self, threads: int, cache: Path) -> None:
        super().__init__(threads, cache)
        self.device = torch.device("cuda")
        self._read_by: dict[str, list[str]] = {}  # what runs them: file names
        self._refused: dict[str, str] = {}  # file name: why it is not on the card
        self._card: OnnxRuntimeReader | None = None
        self._no_card = ""
        self._run_kernel: Run | None = None
        try:
            self._run_kernel = open_run()
        except Unavailable as error:
            self.lacks = str(error)
        try:
            self._card = _onnx_runtime(self.device)
        except Unavailable as error:
            self._no_card = str(error)

    def read(
        self,
        path: Path,
        shapes: Mapping[str, Sequence[int]] | None = None,
        precision: str | None = None,
        outputs: Sequence[str] | None = None,
        constants: Mapping[str, float] | None = None,
    ) -> OnnxNet:
        why = self._no_card
        if self._card is not None and path.suffix == ".onnx":  # others, such as .tflite, OpenVINO alone can read
            try:
                net = self._card.read(path, shapes, precision, outputs, constants)
            except (Unavailable, ModelRejected, Unreadable) as error:
                why = str(error)
            else:
                self._note(path, net.standing)
                return net
        slow = super().read(path, shapes, precision, outputs, constants)  # raises for a file that is bad in itself
        self._note(path, f"OpenVINO {self.cpu_precision} on cpu", why)
        return slow

    def _note(self, path: Path, runner: str, why: str = "") -> None:
        for names in self._read_by.values():
            if path.name in names:
                names.remove(path.name)
        self._read_by.setdefault(runner, []).append(path.name)
        self._refused.pop(path.name, None)
        if why:
            self._refused[path.name] = why

    def reading(self) -> tuple[str, str]:
        standing = (f"{runner}: {', '.join(names)}" for runner, names in self._read_by.items() if names)
        return "; ".join(standing), "; ".join(dict.fromkeys(self._refused.values()))

    def compile(self, net: nn.Module, example: tuple[Tensor, ...], any_size: bool = False) -> Compiled:
        net = net.eval().half().to(self.device).to(memory_format=torch.channels_last)
        if self._run_kernel is not None:
            fuse(net, self._run_kernel)
        graphs: dict[int, _Graph] = {}

        def call(*inputs: Tensor) -> tuple[Tensor, ...]:
            batch = inputs[0].shape[0]
            if batch not in graphs:
                graphs[batch] = _Graph(net, inputs, self.device)
            return graphs[batch](inputs)

        call(*example)
        return call


class _Graph:
    def __init__(self, net: nn.Module, inputs: Sequence[Tensor], device: torch.device) -> None:
        self._inputs = [t.to(device, torch.float16) for t in inputs]
        self._graph = torch.cuda.CUDAGraph()
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.inference_mode(), torch.cuda.stream(stream):
            for _ in range(WARM_UP_RUNS):
                net(*self._inputs)
        torch.cuda.current_stream().wait_stream(stream)
        # Other threads may ask for memory meanwhile: ONNX Runtime does, for a network that it runs the first time.
        with torch.inference_mode(), torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
            self._outputs = as_tuple(net(*self._inputs))

    def __call__(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        for own, given in zip(self._inputs, inputs, strict=True):
            own.copy_(given, non_blocking=True)
        self._graph.replay()
        return tuple(t.float() for t in self._outputs)  # a copy: the next replay overwrites the graph's own


def _onnx_runtime(device: torch.device) -> "OnnxRuntimeReader":
    """Raises Unavailable, with the reason, when it is not installed or has nothing for the device."""
    try:
        from stylizer.engines.onnx_runtime import OnnxRuntimeReader
    except ImportError as error:
        raise Unavailable(
            f"ONNX files run on the CPU: {error.name or error} is not installed (extra cuda13 or cuda12)"
        ) from None
    return OnnxRuntimeReader(device, threads=1)
