"""ONNX files on the card, by ONNX Runtime's CUDA provider.

Tensors stay on the card: inputs and outputs are bound by their addresses, on a stream that torch knows. On a CPU the
same code runs with the CPU provider; so it is tested without a card.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
from onnx import ModelProto
from torch import Tensor

from stylizer.engines.card import ALONE
from stylizer.engines.onnx_file import folded, halved, opened
from stylizer.errors import Unavailable

PROVIDERS = {"cuda": "CUDAExecutionProvider", "cpu": "CPUExecutionProvider"}
INSTALL = "install the extra cuda13 or cuda12, whose onnxruntime-gpu takes the place of onnxruntime"
# Largest difference of fp16 from fp32 on noise, as a share of the largest value (at least of 1); 11 bits, many steps.
HALF_TOLERANCE = 0.03
NOISE_BATCH = 2  # where any is allowed
_TORCH = {"tensor(float)": torch.float32, "tensor(float16)": torch.float16, "tensor(int64)": torch.int64}
_NUMPY = {torch.float32: np.float32, torch.float16: np.float16, torch.int64: np.int64}


class OnnxRuntimeReader:
    """Reads ONNX files for one device, fp16 where the result allows it."""

    def __init__(self, device: torch.device, threads: int) -> None:
        """threads: for what runs on the CPU. Raises Unavailable when ONNX Runtime has nothing for the device."""
        self.device, self._threads = device, threads
        self._provider = PROVIDERS[device.type]
        if device.type == "cuda":
            with redirect_stdout(sys.stderr):  # it prints what it does not find, and stdout may be a report in JSON
                ort.preload_dlls()  # CUDA's libraries that torch has not loaded; only then its provider is there
        if self._provider not in ort.get_available_providers():
            raise Unavailable(f"ONNX Runtime {ort.__version__} comes without its {self._provider}; {INSTALL}")

    def read(
        self,
        path: Path,
        shapes: Mapping[str, Sequence[int]] | None = None,
        precision: str | None = None,
        outputs: Sequence[str] | None = None,
        constants: Mapping[str, float] | None = None,
    ) -> "OnnxRuntimeNet":
        """See engines.Engine. Files of any size, and those whose fp16 strays from their fp32, stay in fp32.

        Raises Unavailable when the device cannot run it.
        """
        model = folded(opened(path, shapes, outputs, constants), path)
        full = self._net(model, path)
        if precision == "fp32" or not full.fixed:
            return full
        half = halved(model)
        try:
            net = None if half is None else self._net(half, path)
        except Unavailable:  # some step knows no fp16
            net = None
        return net if net is not None and _alike(net, full) else full

    def _net(self, model: ModelProto, path: Path) -> "OnnxRuntimeNet":
        options = ort.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = self._threads
        on_card = self.device.type == "cuda"
        stream = torch.cuda.Stream(self.device) if on_card else None  # type: ignore[no-untyped-call]
        providers = [(self._provider, _options(stream))]
        try:
            with ALONE:  # its CUDA provider waits for the whole card when it begins
                # Without its own fallback to the CPU, of which it prints the reason: here that is an error.
                session = ort.InferenceSession(
                    model.SerializeToString(), options, providers=providers, enable_fallback=0
                )
                if session.get_providers()[0] != self._provider:
                    raise Unavailable(f"ONNX Runtime could not start its {self._provider}")
                net = OnnxRuntimeNet(session, self.device, stream)
                if net.fixed:
                    net(**net.noise())  # chooses algorithms now rather than at the first frame
        except Exception as error:  # ONNX Runtime's own errors have no common base but this
            raise Unavailable(f"{path.name}: {' '.join(str(error).split())[:300]}") from None
        return net


def _options(stream: Any) -> dict[str, str]:
    """Of the CUDA provider. Its default is to try all algorithms of each convolution: a second at every new batch."""
    if stream is None:
        return {}
    return {
        "device_id": str(stream.device.index or 0),
        "user_compute_stream": str(stream.cuda_stream),
        "cudnn_conv_algo_search": "HEURISTIC",
        "arena_extend_strategy": "kSameAsRequested",
    }


class OnnxRuntimeNet:
    """See engines.OnnxNet. Not re-entrant on its stream, hence the lock."""

    def __init__(self, session: ort.InferenceSession, device: torch.device, stream: Any = None) -> None:
        """stream: torch.cuda.Stream that the session computes on; None on a CPU.

        fixed: whether all sizes are known, but for the batch; then the outputs go into tensors of torch's own.
        """
        self.device = device
        self.inputs = tuple(value.name for value in session.get_inputs())
        self.outputs = tuple(value.name for value in session.get_outputs())
        self._types = {v.name: _TORCH[v.type] for v in (*session.get_inputs(), *session.get_outputs())}
        self._shapes = {value.name: value.shape for value in (*session.get_inputs(), *session.get_outputs())}
        self.fixed = all(isinstance(side, int) for shape in self._shapes.values() for side in shape[1:])
        self.precision = "fp16" if torch.float16 in self._types.values() else "fp32"
        self.standing = f"ONNX Runtime {self.precision} on {device.type}"
        self._session, self._stream, self._lock = session, stream, Lock()
        self._after = ort.RunOptions()
        if stream is not None and self.fixed:  # what follows waits on the stream, not here
            self._after.add_run_config_entry("disable_synchronize_execution_providers", "1")

    def __call__(self, **inputs: Tensor) -> dict[str, Tensor]:
        with self._lock, self._on_stream(tuple(inputs.values())) as out:
            binding = self._session.io_binding()
            given = {n: inputs[n].to(self.device, self._types[n], non_blocking=True).contiguous() for n in self.inputs}
            for name, tensor in given.items():
                binding.bind_input(name, *self._place(tensor))
            results = self._bound(binding, next(iter(given.values())).shape[0])
            self._session.run_with_iobinding(binding, self._after)
            if results is None:  # sizes that only the run could tell
                results = [torch.from_numpy(array).to(self.device) for array in binding.copy_outputs_to_cpu()]
            out += [result.float() for result in results]
        return dict(zip(self.outputs, out, strict=True))

    def noise(self) -> dict[str, Tensor]:
        """Inputs of a `fixed` network, uniform in 0..1, the same every time."""
        generator = torch.Generator().manual_seed(0)
        return {name: torch.rand(self._shape(name, NOISE_BATCH), generator=generator) for name in self.inputs}

    def _shape(self, name: str, batch: int) -> list[int]:
        """Of a `fixed` network's input or output."""
        return [side if isinstance(side, int) else batch for side in self._shapes[name]]

    def _bound(self, binding: Any, batch: int) -> list[Tensor] | None:
        """New tensors for the outputs, bound; None where their sizes are not known before the run."""
        if not self.fixed:
            for name in self.outputs:
                binding.bind_output(name)
            return None
        results = [torch.empty(self._shape(n, batch), dtype=self._types[n], device=self.device) for n in self.outputs]
        for name, tensor in zip(self.outputs, results, strict=True):
            binding.bind_output(name, *self._place(tensor))
        return results

    def _place(self, tensor: Tensor) -> tuple[str, int, Any, tuple[int, ...], int]:
        return self.device.type, self.device.index or 0, _NUMPY[tensor.dtype], tuple(tensor.shape), tensor.data_ptr()

    @contextmanager
    def _on_stream(self, inputs: Sequence[Tensor]) -> Iterator[list[Tensor]]:
        """Work inside runs on the session's stream, after all that the caller's did before, and before all that it does
        next. Yields a list for the results; memory of either side is not given away before the other has used it."""
        results: list[Tensor] = []
        if self._stream is None:
            yield results
            return
        callers = torch.cuda.current_stream(self.device)
        self._stream.wait_stream(callers)
        with torch.cuda.stream(self._stream):
            yield results
        callers.wait_stream(self._stream)
        for tensor in inputs:
            if tensor.is_cuda:
                tensor.record_stream(self._stream)
        for tensor in results:
            tensor.record_stream(callers)


def _alike(half: OnnxRuntimeNet, full: OnnxRuntimeNet) -> bool:
    noise = full.noise()
    for got, want in zip(half(**noise).values(), full(**noise).values(), strict=True):
        limit = HALF_TOLERANCE * max(1.0, float(want.abs().max()))
        if not bool((got - want).abs().max() <= limit):  # not so either where it is no number
            return False
    return True
