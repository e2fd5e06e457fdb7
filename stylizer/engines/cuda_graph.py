"""CUDA graphs in fp16, channels_last: one graph for each batch size, captured at its first use."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from stylizer.engines import Compiled
from stylizer.engines.onnx import OnnxReader
from stylizer.engines.torch_eager import as_tuple

WARM_UP_RUNS = 3  # cuDNN chooses its algorithms before the capture


class CudaGraphEngine(OnnxReader):
    name = "cuda_graph"
    precision = "fp16"

    def __init__(self, threads: int, cache: Path) -> None:
        super().__init__(threads, cache)
        self.device = torch.device("cuda")

    def compile(self, net: nn.Module, example: tuple[Tensor, ...], any_size: bool = False) -> Compiled:
        net = net.eval().half().to(self.device).to(memory_format=torch.channels_last)
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
        with torch.inference_mode(), torch.cuda.graph(self._graph):
            self._outputs = as_tuple(net(*self._inputs))

    def __call__(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        for own, given in zip(self._inputs, inputs, strict=True):
            own.copy_(given, non_blocking=True)
        self._graph.replay()
        return tuple(t.float() for t in self._outputs)  # a copy: the next replay overwrites the graph's own
