"""The `.pict` file: a set of weights, one byte per weight, that index one table of 256 floats.

Three blocks, each a big-endian u32 byte length and a payload:
1. UTF-8 JSON `[{"name", "shape"}, ...]`, sorted by name;
2. 256 float32, little-endian: the values, spaced by the mu-law (mu = 255), dense around zero;
3. one uint8 per weight, C order, tensors one after another in the order of block 1.

Sources: affinelayer/pix2pix-tensorflow `server/tools/export-checkpoint.py` (writer), keijiro/Pix2Pix (reader).
"""

import json
import math
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Weights = dict[str, NDArray[np.float32]]

MAX_FILE_BYTES = 512 << 20  # the 64-filter network is 54 MB
MAX_JSON_BYTES = 1 << 20  # 88 tensors need 7 kB
MAX_WEIGHTS = 1 << 29
LEVELS = 256
MU = 255.0


class BadWeights(ValueError):
    """Weights that cannot be used. The message names the file or tensor, what came and what is allowed."""


def read_pict(path: Path) -> Weights:
    """All tensors of a `.pict` file as float32. Raises BadWeights before allocating for a bad file."""
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise BadWeights(f"{path.name}: {size} bytes, at most {MAX_FILE_BYTES} are allowed")
    return parse_pict(path.read_bytes(), name=path.name)


def parse_pict(data: bytes, *, name: str = "pict") -> Weights:
    """The same from bytes in memory; `name` goes into the messages."""
    header, rest = _block(data, "tensor list", name, at_most=MAX_JSON_BYTES)
    table_bytes, rest = _block(rest, "value table", name, at_most=LEVELS * 4)
    index_bytes, rest = _block(rest, "weights", name, at_most=MAX_WEIGHTS)
    if rest:
        raise BadWeights(f"{name}: {len(rest)} bytes after the third block, there must be none")
    shapes = _shapes(header, name)
    if len(table_bytes) != LEVELS * 4:
        raise BadWeights(f"{name}: the value table has {len(table_bytes)} bytes, must be {LEVELS * 4}")
    table = np.frombuffer(table_bytes, "<f4").astype(np.float32)
    if not np.isfinite(table).all():
        raise BadWeights(f"{name}: the value table holds NaN or infinity")
    total = sum(math.prod(shape) for shape in shapes.values())
    if total != len(index_bytes):
        raise BadWeights(f"{name}: the shapes add up to {total} weights, the file holds {len(index_bytes)}")
    return _tensors(shapes, table, np.frombuffer(index_bytes, np.uint8))


def _block(data: bytes, what: str, name: str, *, at_most: int) -> tuple[bytes, bytes]:
    """Splits off one length-prefixed block -> (payload, what follows). The length is compared before it is believed."""
    if len(data) < 4:
        raise BadWeights(f"{name}: the file ends before the {what}")
    (length,) = struct.unpack_from(">I", data)
    if length > at_most:
        raise BadWeights(f"{name}: the {what} claims {length} bytes, at most {at_most} are allowed")
    if length > len(data) - 4:
        raise BadWeights(f"{name}: the {what} claims {length} bytes, only {len(data) - 4} are left")
    return data[4 : 4 + length], data[4 + length :]


def _shapes(header: bytes, name: str) -> dict[str, tuple[int, ...]]:
    try:
        entries = json.loads(header.decode())
    except (ValueError, RecursionError) as error:
        raise BadWeights(f"{name}: the tensor list is not JSON: {error}") from None
    if not isinstance(entries, list):
        raise BadWeights(f"{name}: the tensor list is a {type(entries).__name__}, must be a list")
    shapes: dict[str, tuple[int, ...]] = {}
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise BadWeights(f"{name}: tensor list entry {str(entry)[:80]!r} has no name")
        tensor, shape = entry["name"], entry.get("shape")
        if tensor in shapes:
            raise BadWeights(f"{name}: tensor {tensor!r} is listed twice")
        shapes[tensor] = _shape(shape, f"{name}: tensor {tensor[:80]!r}")
    return shapes


def _shape(shape: object, where: str) -> tuple[int, ...]:
    fits = isinstance(shape, list) and len(shape) <= 4 and all(type(s) is int and 0 < s <= MAX_WEIGHTS for s in shape)
    if not fits:
        raise BadWeights(f"{where}: shape {str(shape)[:80]}, must be at most four sizes of 1 to {MAX_WEIGHTS}")
    assert isinstance(shape, list)
    return tuple(shape)


def _tensors(shapes: dict[str, tuple[int, ...]], table: NDArray[np.float32], index: NDArray[np.uint8]) -> Weights:
    weights: Weights = {}
    start = 0
    for tensor, shape in shapes.items():
        end = start + math.prod(shape)
        weights[tensor] = table[index[start:end]].reshape(shape)
        start = end
    return weights


def write_pict(path: Path, weights: Mapping[str, NDArray[np.float32]]) -> None:
    """Writes one byte per weight: exact for weights that came from a `.pict`, else rounded (`mu_law_table`)."""
    path.write_bytes(dump_pict(weights))


def dump_pict(weights: Mapping[str, NDArray[np.float32]]) -> bytes:
    """The bytes of a `.pict` file. Raises BadWeights naming a tensor that holds NaN or infinity."""
    names = sorted(weights)
    for tensor in names:
        if not np.isfinite(weights[tensor]).all():
            raise BadWeights(f"tensor {tensor!r} holds NaN or infinity")
    flat = (
        np.concatenate([np.asarray(weights[n], np.float32).ravel() for n in names])
        if names
        else np.zeros(0, np.float32)
    )
    levels = np.unique(flat)
    if len(levels) <= LEVELS:  # at most 256 different values: they are the table and nothing is lost
        table = np.resize(levels, LEVELS) if len(levels) else np.zeros(LEVELS, np.float32)
        table[len(levels) :] = table.max()
    else:
        table = mu_law_table(float(np.abs(flat).max()))
    header = json.dumps([{"name": n, "shape": list(weights[n].shape)} for n in names]).encode()
    blocks = (header, table.astype("<f4").tobytes(), nearest_level(flat, table).tobytes())
    return b"".join(struct.pack(">I", len(b)) + b for b in blocks)


def mu_law_table(largest: float) -> NDArray[np.float32]:
    """256 ascending values in -largest..largest; index 128 is exactly 0, since a weight of zero should stay one."""
    u = np.clip((np.arange(LEVELS) - 128) / 127, -1, 1)
    return (largest * np.sign(u) * ((1 + MU) ** np.abs(u) - 1) / MU).astype(np.float32)


def nearest_level(values: NDArray[np.float32], table: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Index of the nearest entry of an ascending table, per value."""
    middles = (table[1:].astype(np.float64) + table[:-1]) / 2
    return np.searchsorted(middles, values).astype(np.uint8)
