"""Networks that others trained, from ONNX files, in OpenVINO on the CPU: the first way there, the last on a card."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import openvino as ov
import torch
from torch import Tensor

from stylizer.engines import OnnxNet
from stylizer.errors import ModelRejected, Unreadable
from stylizer.logs import log

# While OpenVINO writes or reads its cache it sets the locale of the whole process to "C" and then puts back the one it
# found. Two threads at once leave "C" behind: from then on Python reads every file and every child's words as ASCII.
_ONE_COMPILES = Lock()


class OnnxReader:
    """The half of an engine that reads ONNX files; see engines.Engine.

    lacks: what its own networks run without, and why; "" for nothing.
    cache: folder in which compiled networks are kept, so that the second start is quick.
    """

    lacks = ""

    def __init__(self, threads: int, cache: Path) -> None:
        self.core = ov.Core()
        self.cache = cache
        self._options: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            "ENABLE_CPU_PINNING": False,  # two networks of one thread each would be bound to the same core
        }
        try:
            cache.mkdir(parents=True, exist_ok=True)
            self._options["CACHE_DIR"] = str(cache)
        except OSError as error:
            log.warning("compiled networks cannot be kept: every start takes longer", reason=str(error))
        self.cpu_precision = "bf16" if "BF16" in self.core.get_property("CPU", "OPTIMIZATION_CAPABILITIES") else "fp32"

    def read(
        self,
        path: Path,
        shapes: Mapping[str, Sequence[int]] | None = None,
        precision: str | None = None,
        outputs: Sequence[str] | None = None,
        constants: Mapping[str, float] | None = None,
    ) -> OnnxNet:
        model = self.model(path, shapes, outputs, constants)
        names = [port.any_name for port in model.inputs]
        return OpenVinoOnnx(self.on_cpu(model, precision or self.cpu_precision), names)

    def reading(self) -> tuple[str, str]:
        return f"OpenVINO {self.cpu_precision} on cpu", ""

    def model(
        self,
        path: Path,
        shapes: Mapping[str, Sequence[int]] | None = None,
        outputs: Sequence[str] | None = None,
        constants: Mapping[str, float] | None = None,
    ) -> ov.Model:
        """The file's network, cut and fixed as `read` says, not compiled yet."""
        try:
            model = self.core.read_model(path)
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            raise Unreadable(f"{path}: not an ONNX file that OpenVINO can read ({reason})") from None
        if outputs:
            model = _cut(model, outputs, path)
        for name, value in (constants or {}).items():
            _fix(model, name, value, path)
        if shapes:
            _reshape(model, shapes, path)
        return model

    def on_cpu(self, model: ov.Model, precision: str) -> ov.CompiledModel:
        hint = {"bf16": "bf16", "fp32": "f32"}[precision]
        with _ONE_COMPILES:
            return self.core.compile_model(model, "CPU", self._options | {"INFERENCE_PRECISION_HINT": hint})


def _cut(model: ov.Model, endings: Sequence[str], path: Path) -> ov.Model:
    named = {name: port for op in model.get_ordered_ops() for port in op.outputs() for name in port.names}
    found = [next((port for name, port in named.items() if name.endswith(end)), None) for end in endings]
    if None in found:
        raise ModelRejected(f"{path}: has no inner tensor called ...{endings[found.index(None)]}")
    return ov.Model(found, model.get_parameters())


def _fix(model: ov.Model, name: str, value: float, path: Path) -> None:
    port = next((p for p in model.inputs if name in p.names), None)
    if port is None:
        raise ModelRejected(f"{path}: has no input called {name}")
    constant = ov.opset13.constant(np.full([1] * len(port.partial_shape), value, port.element_type.to_dtype()))
    for use in port.get_target_inputs():
        use.replace_source_output(constant.output(0))
    model.remove_parameter(port.get_node())


def _reshape(model: ov.Model, shapes: Mapping[str, Sequence[int]], path: Path) -> None:
    try:
        model.reshape({name: list(shape) for name, shape in shapes.items()})
    except RuntimeError as error:
        wanted = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
        raise ModelRejected(f"{path}: cannot take {wanted} ({str(error).splitlines()[0]})") from None


class OpenVinoOnnx:
    """See engines.OnnxNet."""

    device = torch.device("cpu")

    def __init__(self, compiled: ov.CompiledModel, inputs: Sequence[str]) -> None:
        """inputs: the file's own names; a compiled network may call a port by the name of a step that it folded
        away."""
        self.inputs = tuple(inputs)
        self.outputs = tuple(port.any_name for port in compiled.outputs)
        self._run = Runner(compiled)

    def __call__(self, **inputs: Tensor) -> dict[str, Tensor]:
        return dict(zip(self.outputs, self._run([inputs[name] for name in self.inputs]), strict=True))


class Runner:
    """One inference request: not re-entrant, hence the lock. Outputs are copies: the next run overwrites its own."""

    def __init__(self, compiled: ov.CompiledModel) -> None:
        self._request = compiled.create_infer_request()
        self._dtypes = [port.element_type.to_dtype() for port in compiled.inputs]
        self._lock = Lock()

    def __call__(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        arrays = [
            np.ascontiguousarray(t.detach().cpu().numpy(), dtype=dtype)
            for t, dtype in zip(inputs, self._dtypes, strict=True)
        ]
        with self._lock:
            results = self._request.infer(arrays, share_inputs=True)
        return [torch.from_numpy(np.asarray(r, dtype=np.float32)) for r in results.values()]
