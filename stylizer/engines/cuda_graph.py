"""CUDA graphs in fp16, channels_last, with our own kernel in the generators: one graph for each batch size, captured at
its first use.

All of them share their memory: none runs beside another, and what one gave is copied before the next runs.

ONNX files run beside them in ONNX Runtime; what it does not take stays in OpenVINO on the CPU, with the reason.
"""

import gc
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from stylizer.engines import Compiled, OnnxNet
from stylizer.engines.card import ALONE
from stylizer.engines.fused import Run, fuse, open_run
from stylizer.engines.onnx import OnnxReader
from stylizer.engines.torch_eager import as_tuple
from stylizer.errors import ModelRejected, Unavailable, Unreadable, first_line
from stylizer.logs import log

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
        self._capturer = _Capturer()
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
        network = _Network(net, self.device, self._capturer, self._without_graphs)
        network(*example)
        return network

    def _without_graphs(self, error: RuntimeError) -> None:
        words = f"networks run in plain torch, for a graph could not be captured: {first_line(error)}"
        self.lacks = "; ".join(filter(None, (self.lacks, words)))
        log.warning(words)


class _Capturer:
    """Captures all graphs of an engine, into memory that they share.

    turn: held by the graph that runs, from its inputs to the copy of its outputs. works: False once a capture failed.
    """

    def __init__(self) -> None:
        self.turn, self.works = Lock(), True
        # Kept for good: torch gives up memory that no graph uses any more, and takes no other in its place.
        self._first: torch.cuda.CUDAGraph | None = None

    def captured(self, net: nn.Module, inputs: Sequence[Tensor]) -> tuple[torch.cuda.CUDAGraph, tuple[Tensor, ...]]:
        """The graph, and the tensors that it leaves its outputs in."""
        with ALONE, _nothing_collected(), torch.inference_mode():
            stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                for _ in range(WARM_UP_RUNS):
                    net(*inputs)
            torch.cuda.current_stream().wait_stream(stream)
            graph, pool = torch.cuda.CUDAGraph(), None if self._first is None else self._first.pool()
            # Other threads may ask for memory meanwhile: ONNX Runtime does, for a network that it runs the first time.
            with torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
                outputs = as_tuple(net(*inputs))
            self._first = self._first or graph
        return graph, outputs


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """What is collected may be a style that was given up, with graphs: to destroy one would end a capture."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


class _Network:
    """Its graphs by batch size. Any thread may call. A batch that finds no memory is drawn in parts from then on."""

    def __init__(
        self, net: nn.Module, device: torch.device, capturer: _Capturer, tell: Callable[[RuntimeError], None]
    ) -> None:
        """tell: called with what made a capture fail; from then on all networks run in plain torch."""
        self._net, self._device, self._capturer, self._tell = net, device, capturer, tell
        self._graphs: dict[int, _Graph] = {}
        self._most = sys.maxsize  # in one batch

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        batch = inputs[0].shape[0]
        if batch not in self._graphs and self._capturer.works and batch <= self._most:
            self._try_to_capture(batch, inputs)
        if (graph := self._graphs.get(batch)) is not None:
            return graph(inputs)
        if batch <= self._most:
            return self._plainly(inputs)
        rows = [self(*part) for part in zip(*(torch.split(t, self._most) for t in inputs), strict=True)]
        return tuple(torch.cat(column) for column in zip(*rows, strict=True))

    def _try_to_capture(self, batch: int, inputs: Sequence[Tensor]) -> None:
        try:
            self._graphs[batch] = _Graph(self._net, inputs, self._device, self._capturer)
        except torch.OutOfMemoryError as error:
            if batch == 1:
                raise
            self._most = batch // 2
            log.warning("visitors are drawn in smaller batches", together=self._most, reason=first_line(error))
        except RuntimeError as error:
            self._capturer.works = False
            self._tell(error)

    def _plainly(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        with torch.inference_mode():
            outputs = as_tuple(self._net(*(t.to(self._device, torch.float16) for t in inputs)))
        return tuple(t.float() for t in outputs)


class _Graph:
    """One batch size's. Threads that draw with the same network take turns: there is one place for what goes in."""

    def __init__(self, net: nn.Module, inputs: Sequence[Tensor], device: torch.device, capturer: _Capturer) -> None:
        self._inputs = [t.to(device, torch.float16, copy=True) for t in inputs]
        self._graph, self._outputs = capturer.captured(net, self._inputs)
        self._turn = capturer.turn

    def __call__(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        with self._turn:
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
