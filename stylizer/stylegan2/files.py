"""Networks on disk: one safetensors file, its sizes as JSON in the header, read strictly."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from stylizer.errors import ModelMissing, ModelRejected


def write_network(path: Path, weights: Mapping[str, Tensor], *, format: str, config: dict[str, Any]) -> None:
    """Weights keep their types; the header holds `format` and `config`. Raises OSError.

    By way of memory: safetensors' own writing has errors of its own, and leaves a file that its owner alone can read.
    """
    plain = {name: value.detach().cpu().contiguous() for name, value in weights.items()}
    path.write_bytes(save(plain, metadata={"format": format, "config": json.dumps(config)}))


def read_network(path: Path, *, format: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """-> config, weights. Raises ModelMissing without a file, ModelRejected when it is not one of that format."""
    if not path.is_file():
        raise ModelMissing(f"{path}: there is no such file")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except OSError as error:
        raise ModelRejected(f"{path}: {error.strerror or error}") from None
    except SafetensorError as error:
        raise ModelRejected(f"{path}: not a safetensors file ({error})") from None
    if header.get("format") != format:
        raise ModelRejected(f"{path}: its format is {header.get('format')!r}, wanted is {format!r}")
    try:
        config = json.loads(header["config"])
    except (KeyError, ValueError, RecursionError) as error:
        raise ModelRejected(f"{path}: the header's config is not usable ({error})") from None
    return config, weights


def fill_network(net: nn.Module, weights: Mapping[str, Tensor], where: str) -> None:
    """Loads weights whose names and shapes must all fit. Raises ModelRejected naming the first that does not."""
    check_fit(net, weights, where)
    for name, value in weights.items():
        if not torch.isfinite(value.float()).all():  # eight bits have no such question of their own
            raise ModelRejected(f"{where}: {name} holds numbers that are not finite")
    net.load_state_dict(weights)


def check_fit(net: nn.Module, weights: Mapping[str, Tensor], where: str) -> None:
    """`fill_network` without filling it; the network may be on torch's device "meta", where it takes no memory."""
    wanted = net.state_dict()
    for name in sorted(set(weights) ^ set(wanted)):
        raise ModelRejected(f"{where}: {name} is {'missing' if name in wanted else 'unknown'}")
    for name, value in weights.items():
        if value.shape != wanted[name].shape:
            raise ModelRejected(f"{where}: {name} is {list(value.shape)}, wanted is {list(wanted[name].shape)}")
