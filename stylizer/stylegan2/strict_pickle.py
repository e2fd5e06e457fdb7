"""A pickle read without trust: nothing is built but tensors, arrays of numbers and plain containers.

A pickle names functions to be called; opened carelessly it runs whatever its author wrote. Here every name is looked
up in one table; one that is not there ends the reading before anything has been called by it.
"""

import io
import pickle
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.storage import TypedStorage, UntypedStorage

from stylizer.errors import ModelRejected, Unreadable


class Record:
    """What was an object of a class that we do not build: its class's name and its attributes."""

    def __init__(self, class_name: str, state: dict[str, Any]) -> None:
        self.class_name, self.state = class_name, state


class _Dict(dict[str, Any]):
    """A dictionary whose keys were also its attributes."""


class _DType:
    """A number's type as numpy writes it: "f4", and in its state the order of bytes."""

    def __init__(self, code: str, *_: object) -> None:
        self.code, self.order = code, "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = str(state[1])


class _Array:
    """An array as numpy writes it; `value` once its state is there."""

    value: NDArray[Any]

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, columns_first, data = state
        kind = np.dtype(dtype.order.replace("|", "=") + dtype.code)
        if kind.kind not in "fiub" or not isinstance(data, bytes):
            raise ModelRejected(f"an array of {dtype.code!r} is not one of numbers")
        self.value = np.frombuffer(data, kind).reshape(shape, order="F" if columns_first else "C")


def _tensor(
    storage: TypedStorage | UntypedStorage, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: object
) -> Tensor:
    typed = storage if isinstance(storage, TypedStorage) else None
    if typed is None:
        raise ModelRejected("a tensor without a type of numbers")
    untyped = typed._untyped_storage  # the public way to it warns
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if 0 not in size and (last + 1) * typed.dtype.itemsize > untyped.nbytes():
        raise ModelRejected("a tensor reaches beyond its numbers")  # torch would add whatever lay in memory
    return torch.empty(0, dtype=typed.dtype).set_(untyped, offset, size, stride)


def _storage(data: bytes) -> Any:
    """Numbers that torch wrote as a file within the file; torch's own strict reading admits nothing else."""
    try:
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise ModelRejected(f"what should be a tensor's numbers is something else ({str(error)[:80]})") from None


def _persistent(meta: dict[str, Any]) -> Record:
    """NVIDIA's objects carry the source of their class along; it is left unread."""
    return Record(str(meta["class_name"]), dict(meta["state"]))


ADMITTED: dict[str, Callable[..., Any] | torch.dtype] = {
    "collections.OrderedDict": OrderedDict,
    "builtins.set": set,
    "builtins.dict": dict,
    "builtins.list": list,
    "dnnlib.util.EasyDict": _Dict,
    "torch_utils.persistence._reconstruct_persistent_obj": _persistent,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": lambda tensor, *_: tensor,
    "torch.storage._load_from_bytes": _storage,
    "torch.device": lambda *_: "cpu",
    **{f"numpy.{core}.multiarray._reconstruct": lambda *_: _Array() for core in ("core", "_core")},
    "numpy.ndarray": _Array,
    "numpy.dtype": _DType,
    **{f"torch.{name}": getattr(torch, name) for name in ("float16", "float32", "float64", "int32", "int64", "uint8")},
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return ADMITTED[f"{module}.{name}"]
        except KeyError:
            raise ModelRejected(f"it names {module}.{name}, which is no tensor and no plain container") from None

    def persistent_load(self, pid: object) -> Any:
        raise ModelRejected(f"it refers to something outside the file ({pid!r})")


def read_pickle(path: Path) -> Any:
    """The content of a pickle. Raises ModelRejected naming what is not admitted, Unreadable for what is no pickle."""
    try:
        with path.open("rb") as file:
            return _Unpickler(file).load()
    except ModelRejected as refusal:
        raise ModelRejected(f"{path}: refused, {refusal}") from None
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from None
    except Exception as error:  # any: a file tells the reader what to do, and a broken one tells it anything
        raise Unreadable(f"{path}: not a pickle that can be read ({type(error).__name__}: {error})") from None
