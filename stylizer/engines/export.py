"""Converts a torch module for OpenVINO in a process of its own: `python -m stylizer.engines.export TARGET < PICKLE`.

torch.export patches every nn.Module of its process while it traces; a module that another thread runs meanwhile
fails. So nothing is traced where pictures are drawn. The pickle on standard input is the caller's own: (module, example
inputs).
"""

import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

from torch import Tensor, nn

from stylizer.errors import Unavailable


def export(net: nn.Module, example: tuple[Tensor, ...], target: Path) -> None:
    """Writes `target` (.xml) and its .bin, together or not at all. Raises Unavailable with the child's words."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:  # two processes may export the same network
        made = Path(folder) / target.name
        child = subprocess.run(
            [sys.executable, "-m", "stylizer.engines.export", str(made)],
            input=pickle.dumps((net.cpu().eval(), example)),
            env=os.environ | {"PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)},
            capture_output=True,
        )
        if child.returncode:
            last = child.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise Unavailable(f"a network could not be converted for OpenVINO: {' '.join(last)}")
        os.replace(made.with_suffix(".bin"), target.with_suffix(".bin"))
        os.replace(made, target)


def _main(target: Path) -> None:
    import openvino as ov
    import torch

    net, example = pickle.load(sys.stdin.buffer)
    with torch.no_grad():
        model = ov.convert_model(torch.export.export(net, example))
    model.reshape({port: list(t.shape) for port, t in zip(model.inputs, example, strict=True)})
    ov.save_model(model, target, compress_to_fp16=False)


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
