"""OpenVINO on a CPU: bf16 where the processor multiplies it natively, fp32 elsewhere."""

import hashlib
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import openvino as ov
import torch
from torch import Tensor, nn

import encoders
import stylizer
from stylizer.engines import Compiled
from stylizer.engines.export import export
from stylizer.engines.kept import trim
from stylizer.engines.onnx import OnnxReader, Runner
from stylizer.errors import Unavailable
from stylizer.logs import log


class OpenVinoEngine(OnnxReader):
    name = "openvino"
    device = torch.device("cpu")

    def __init__(self, threads: int, cache: Path) -> None:
        super().__init__(threads, cache)
        self.precision = self.cpu_precision

    def compile(self, net: nn.Module, example: tuple[Tensor, ...], any_size: bool = False) -> Compiled:
        run = Runner(self.on_cpu(self.converted(net, tuple(t[:1] for t in example), any_size), self.precision))
        self._trim()

        def call(*inputs: Tensor) -> tuple[Tensor, ...]:
            # On a CPU a batch of N costs N times one, so samples go one after the other through one compiled shape.
            batch = inputs[0].shape[0]
            rows = [run([t[i : i + 1] for t in inputs]) for i in range(batch)]
            return tuple(rows[0]) if batch == 1 else tuple(torch.cat(column) for column in zip(*rows, strict=True))

        return call

    def converted(self, net: nn.Module, one: tuple[Tensor, ...], any_size: bool = False) -> ov.Model:
        """From the cache where the same network was converted before: exporting takes 10 s, reading 10 ms."""
        shapes = [list(t.shape) for t in one]
        path = self.cache / f"{_fingerprint(net, [s[:2] if any_size else s for s in shapes])}.xml"
        model = self._kept(path) or self._made(net, one, path)
        if any_size:
            model.reshape(dict(zip(model.inputs, shapes, strict=True)))
        return model

    def _trim(self) -> None:
        try:
            trim(self.cache)
        except OSError as error:
            log.warning("networks that were long not used cannot be removed", reason=str(error))

    def _kept(self, path: Path) -> ov.Model | None:
        """None as well for what a power cut or a cleaner has left of it."""
        try:
            return self.core.read_model(path) if path.is_file() else None
        except (OSError, RuntimeError) as error:
            log.warning("a kept network cannot be read and is converted anew", file=str(path), reason=_last(error))
            return None

    def _made(self, net: nn.Module, one: tuple[Tensor, ...], path: Path) -> ov.Model:
        try:
            export(net, one, path)
            return self.core.read_model(path)
        except (OSError, Unavailable) as error:  # a folder that cannot be written, a full disk
            log.warning("a converted network cannot be kept", folder=str(path.parent), reason=_last(error))
        with TemporaryDirectory(prefix="stylizer-", ignore_cleanup_errors=True) as folder:
            export(net, one, Path(folder) / path.name)
            return self.core.read_model(Path(folder) / path.name)


def _fingerprint(net: nn.Module, shapes: list[list[int]]) -> str:
    """Changes with the weights, the structure, the shapes, OpenVINO and any line of our own code."""
    digest = hashlib.sha256(_code_fingerprint() + repr((net, shapes, ov.__version__)).encode())
    for name, value in net.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _last(error: Exception) -> str:
    """The last line of what it says: OpenVINO's first one names a line of its own sources."""
    return str(error).strip().splitlines()[-1]


@cache
def _code_fingerprint() -> bytes:
    digest = hashlib.sha256()
    for package in (Path(stylizer.__path__[0]), Path(encoders.__path__[0])):
        for file in sorted(package.rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.digest()
