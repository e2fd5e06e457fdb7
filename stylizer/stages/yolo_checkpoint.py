"""Reads ultralytics' `.pt` checkpoints of YOLOv5 without trusting them.

Such a file is a pickle: opened carelessly it runs whatever its author wrote. Here `torch.load(weights_only=True)`
builds nothing but the classes listed below. ultralytics itself is told to install nothing, to fetch nothing and to
keep its settings out of the user's home; it is imported only here, for the import alone takes seconds.
"""

import atexit
import os
import pickle
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from stylizer.errors import ModelRejected, Unreadable

_TORCH_LAYERS = (
    nn.Sequential,
    nn.ModuleList,
    nn.Conv2d,
    nn.BatchNorm2d,
    nn.SiLU,
    nn.MaxPool2d,
    nn.Upsample,
    nn.Identity,
)
_ULTRALYTICS_LAYERS = {"conv": ("Conv", "Concat"), "block": ("C3", "Bottleneck", "SPPF", "DFL"), "head": ("Detect",)}
_QUIET = {"YOLO_AUTOINSTALL": "false", "YOLO_OFFLINE": "true", "YOLO_VERBOSE": "false"}

Allowed = list[Callable[..., Any] | tuple[Callable[..., Any], str]]


def anchor_free(path: Path, example: Tensor) -> nn.Module:
    """The network of a checkpoint, in ultralytics' own classes: [1, 3, h, w] unit, shaped like `example`, -> [1, 84,
    n].

    Raises ModelRejected when the file holds anything but weights and layers of YOLOv5, Unreadable when it is no
    checkpoint.
    """
    try:
        with torch.serialization.safe_globals(_allowed()):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelRejected(f"{path}: refused, not only weights and layers of YOLOv5: {_reason(error)}") from None
    except (RuntimeError, EOFError, OSError) as error:
        raise Unreadable(f"{path}: not a PyTorch checkpoint: {_reason(error)}") from None
    net = (content.get("ema") or content.get("model")) if isinstance(content, dict) else content
    if not isinstance(net, nn.Module):
        raise ModelRejected(f"{path}: a network was expected, the file holds {type(net).__name__}")
    return _for_inference(net, example)


def _for_inference(net: nn.Module, example: Tensor) -> nn.Module:
    """Decoded boxes as the only output, the grid of anchor points filled in (ultralytics moves it with the network)."""
    from ultralytics.nn.modules.head import Detect

    net = net.float().eval()
    heads = [m for m in net.modules() if isinstance(m, Detect)]
    if len(heads) != 1:
        raise ModelRejected(f"detector: a network with one Detect head was expected, this one has {len(heads)}")
    heads[0].export, heads[0].format = True, "torch"
    with torch.no_grad():
        net(example)
    return net


def _allowed() -> Allowed:
    """Every class that a checkpoint may name, under its names of today and of ultralytics 8.0."""
    modules, tasks, utils = _ultralytics()
    allowed: Allowed = [*_TORCH_LAYERS, tasks.DetectionModel, utils.IterableSimpleNamespace]
    allowed.append((utils.IterableSimpleNamespace, "ultralytics.yolo.utils.IterableSimpleNamespace"))
    for file, names in _ULTRALYTICS_LAYERS.items():
        for name in names:
            layer = getattr(modules, name)
            allowed += [(layer, f"ultralytics.nn.modules.{file}.{name}"), (layer, f"ultralytics.nn.modules.{name}")]
    scalar = np.float64(0).__reduce__()[0]  # the fitness that training noted down
    assert callable(scalar)
    allowed += [np.dtype, type(np.dtype(np.float64)), type(np.dtype(np.float32))]
    return [*allowed, (scalar, "numpy.core.multiarray.scalar"), (scalar, "numpy._core.multiarray.scalar")]


def _ultralytics() -> tuple[Any, Any, Any]:
    """ultralytics' modules, imported with the environment that keeps it quiet, offline and out of the home folder."""
    os.environ.update(_QUIET)
    if "ultralytics" not in sys.modules and "YOLO_CONFIG_DIR" not in os.environ:
        folder = tempfile.TemporaryDirectory(prefix="stylizer-ultralytics-")
        atexit.register(folder.cleanup)
        os.environ["YOLO_CONFIG_DIR"] = folder.name
    threads = os.environ.get("OMP_NUM_THREADS")
    from ultralytics import utils
    from ultralytics.nn import modules, tasks
    from ultralytics.utils import patches

    # It replaces both for the whole process, Image.open by one that wants to install a package for what is no picture.
    Image.open, torch.save = patches._image_open, patches._torch_save
    if threads is None:
        os.environ.pop("OMP_NUM_THREADS", None)  # ultralytics sets 1 for the whole process
    return modules, tasks, utils


def _reason(error: Exception) -> str:
    """What torch found, without its page of advice to load the file anyway."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    named = [line for line in lines if "nsupported" in line]
    return (named or lines or [type(error).__name__])[0].split(" was not an allowed")[0]
