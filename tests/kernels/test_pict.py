"""Containers of weights: what goes in comes out, and what is no good is refused by name without being allocated."""

import json
import os
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from kernels.pict import BadWeights, Weights, dump_pict, mu_law_table, nearest_level, parse_pict, read_pict, write_pict
from kernels.weights import filters_of, load_weights, random_weights, save_weights, unet_layers
from tests.conftest import Finder, Rng


def pict(entries: object, table: bytes = bytes(1024), index: bytes = b"") -> bytes:
    header = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    return b"".join(struct.pack(">I", len(b)) + b for b in (header, table, index))


ONE = [{"name": "a", "shape": [2, 3]}]
RAMP = np.linspace(-1, 1, 256, dtype="<f4")
NAN_TABLE = np.where(np.arange(256) == 7, np.nan, RAMP).astype("<f4").tobytes()


def test_pict_is_read_as_the_format_says() -> None:
    data = pict(ONE, RAMP.tobytes(), bytes([0, 255, 1, 2, 3, 4]))
    np.testing.assert_array_equal(parse_pict(data)["a"], RAMP[[0, 255, 1, 2, 3, 4]].reshape(2, 3))


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "ends before the tensor list"),
        (b"\0\0", "ends before the tensor list"),
        (struct.pack(">I", 500) + b"[]", "claims 500 bytes, only 2 are left"),
        (struct.pack(">I", 2**32 - 1) + b"[]", "claims 4294967295 bytes, at most"),
        (pict(ONE)[: 4 + len(json.dumps(ONE))], "ends before the value table"),
        (pict(ONE, RAMP.tobytes(), bytes(5)), "add up to 6 weights, the file holds 5"),
        (pict(ONE, RAMP.tobytes(), bytes(6)) + b"x", "1 bytes after the third block"),
        (pict(ONE, bytes(1000), bytes(6)), "value table has 1000 bytes"),
        (pict(ONE, NAN_TABLE, bytes(6)), "NaN"),
        (pict(b"{broken", index=bytes(6)), "not JSON"),
        (pict(b"[" * 100_000, index=bytes(6)), "not JSON"),
        (pict(b"\xff\xfe", index=bytes(6)), "not JSON"),
        (pict({"a": 1}), "must be a list"),
        (pict([{"shape": [1]}]), "has no name"),
        (pict(ONE + ONE, index=bytes(12)), "listed twice"),
        (pict([{"name": "a", "shape": [10**30]}]), "shape"),
        (pict(b'[{"name": "a", "shape": [' + b"9" * 5000 + b"]}]"), "not JSON"),  # Python reads no longer numbers
        (pict([{"name": "a", "shape": [2**29, 2**29, 2**29, 2**29]}]), "add up to"),
        (pict([{"name": "a", "shape": [-1]}]), "shape"),
        (pict([{"name": "a", "shape": [True]}]), "shape"),
        (pict([{"name": "a", "shape": "six"}]), "shape"),
    ],
)
def test_bad_pict_is_refused_by_name_without_allocating(data: bytes, message: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(BadWeights, match=message) as caught:
            parse_pict(data, name="evil.pict")
        assert "evil.pict" in str(caught.value)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000  # parsing 100 kB of JSON is the most that is paid
    finally:
        tracemalloc.stop()


def test_weights_of_a_pict_survive_writing_exactly(rng: Rng) -> None:
    table = rng.normal_f32(256)
    weights: Weights = {"b": table[rng.pixels_u8(4, 4, 3, 5)], "a": table[rng.pixels_u8(7)]}
    again = parse_pict(dump_pict(weights))
    assert list(again) == ["a", "b"]  # sorted by name, as the format asks
    for name, value in weights.items():
        np.testing.assert_array_equal(again[name], value)


def test_other_weights_are_rounded_to_the_nearest_level(rng: Rng) -> None:
    weights: Weights = {"a": rng.normal_f32(5000)}
    again = parse_pict(dump_pict(weights))["a"]
    table = mu_law_table(float(np.abs(weights["a"]).max()))
    nearest = np.abs(weights["a"][:, None] - table).min(1)
    np.testing.assert_allclose(np.abs(again - weights["a"]), nearest, atol=1e-7)
    assert table[128] == 0 and (np.diff(table) >= 0).all()
    np.testing.assert_array_equal(table[nearest_level(table[1:], table)], table[1:])


def test_nan_is_not_written() -> None:
    with pytest.raises(BadWeights, match="'a' holds NaN"):
        dump_pict({"a": np.array([1, np.nan], np.float32)})


@pytest.mark.parametrize("suffix", [".pict", ".safetensors"])
def test_a_network_survives_both_containers(tmp_path: Path, suffix: str) -> None:
    weights = parse_pict(dump_pict(random_weights(2)))  # rounded once, so that .pict can keep it exactly
    save_weights(tmp_path / f"net{suffix}", weights)
    again = load_weights(tmp_path / f"net{suffix}")
    assert weights.keys() == again.keys()
    assert all((again[n] == w).all() for n, w in weights.items())


def test_real_pict_to_safetensors_and_back(weights: Finder, tmp_path: Path) -> None:
    original = weights("pix2pix/PixFaceLightLight.pict")
    first = load_weights(original)
    assert filters_of(first) == 16
    assert len(first) == 88 and sum(w.size for w in first.values()) == 3_408_803
    save_weights(tmp_path / "a.safetensors", first)
    write_pict(tmp_path / "b.pict", load_weights(tmp_path / "a.safetensors"))
    second = read_pict(tmp_path / "b.pict")
    assert all((second[n] == w).all() for n, w in first.items())


@pytest.mark.parametrize("filters", [1, 3])
def test_pict_to_safetensors_and_back_gives_the_same_file(tmp_path: Path, filters: int) -> None:
    """The first writing rounds; from then on every byte stays."""
    first, between, second = (tmp_path / name for name in ("a.pict", "b.safetensors", "c.pict"))
    save_weights(first, random_weights(filters))
    save_weights(first, load_weights(first))  # its table holds the values that occur
    save_weights(between, load_weights(first))
    save_weights(second, load_weights(between))
    assert second.read_bytes() == first.read_bytes()


def refused(path: Path, message: str) -> int:
    """-> the most bytes that Python had allocated meanwhile."""
    tracemalloc.start()
    try:
        with pytest.raises(BadWeights, match=message):
            load_weights(path)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("header_bytes", [10_000_000_000, 2**63, 0])
def test_safetensors_with_an_absurd_header_is_refused(tmp_path: Path, header_bytes: int) -> None:
    path = tmp_path / "evil.safetensors"
    path.write_bytes(struct.pack("<Q", header_bytes) + b"{}")
    assert refused(path, f"evil.safetensors: the header claims {header_bytes} bytes") < 2_000_000


@pytest.mark.parametrize("suffix", [".pict", ".safetensors"])
def test_a_file_of_absurd_size_is_refused_without_being_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"evil{suffix}"
    with path.open("wb") as file:
        file.truncate(10_000_000_000)  # a hole: it takes no room on the disk
    assert refused(path, f"evil{suffix}: 10000000000 bytes, at most") < 100_000


@pytest.mark.parametrize("suffix", [".pict", ".safetensors"])
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.999])
def test_a_file_that_is_cut_short_is_refused_by_name(tmp_path: Path, suffix: str, kept: float) -> None:
    path = tmp_path / f"short{suffix}"
    save_weights(path, random_weights(1))
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data))])
    assert refused(path, f"short{suffix}: ") < 2 * len(data) + 100_000


def test_safetensors_with_nan_is_refused_by_name(tmp_path: Path) -> None:
    weights = random_weights(1)
    name = next(iter(weights))
    weights[name][0, 0, 0, 0] = np.nan
    save_file(weights, tmp_path / "nan.safetensors")
    refused(tmp_path / "nan.safetensors", f"nan.safetensors: '{name}' holds NaN")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pict")
    refused(tmp_path / "pipe.pict", "pipe.pict: weights are regular files")


TOO_LARGE = b'{"a":{"dtype":"F32","shape":[1000000000],"data_offsets":[0,4000000000]}}'


@pytest.mark.parametrize("header", [TOO_LARGE, b"{nonsense}"])
def test_safetensors_whose_sums_are_wrong_is_refused(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "evil.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    with pytest.raises(BadWeights, match="evil.safetensors"):
        load_weights(path)


def test_safetensors_of_integers_is_refused(tmp_path: Path) -> None:
    save_file({"a": np.zeros(3, np.int64)}, tmp_path / "ints.safetensors")
    with pytest.raises(BadWeights, match="'a' is int64"):
        load_weights(tmp_path / "ints.safetensors")


def test_a_network_with_a_tensor_missing_wrong_or_nan_is_refused() -> None:
    name = "generator/decoder_3/conv2d_transpose/kernel"
    whole = random_weights(2)
    assert filters_of(whole | {"moving_mean": np.zeros(1, np.float32)}) == 2  # other names are ignored
    with pytest.raises(BadWeights, match=f"{name}' is missing"):
        filters_of({n: w for n, w in whole.items() if n != name})
    with pytest.raises(BadWeights, match=f"{name}' has shape"):
        filters_of(whole | {name: np.zeros((4, 4, 1, 1), np.float32)})
    with pytest.raises(BadWeights, match=f"{name}' holds NaN"):
        filters_of(whole | {name: np.full_like(whole[name], np.nan)})


def test_layers_have_the_published_work() -> None:
    layers = unet_layers(64)
    assert sum(np.prod(layer.kernel_shape) for layer in layers) / 1e6 == pytest.approx(54.4, abs=0.05)
    assert sum(2 * layer.multiply_adds for layer in layers) / 1e9 == pytest.approx(12.10, abs=0.01)
