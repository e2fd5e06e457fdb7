"""The U-Net-256's layers and its set of weights: names, shapes, checks, and the containers they come in.

A set of weights is a dict of float32 arrays under the names that `.pict` files use:
`generator/encoder_N/conv2d/{kernel,bias}`, `generator/decoder_N/conv2d_transpose/{kernel,bias}` and, for N >= 2,
`.../batch_normalization/{beta,gamma}`. Convolution kernels are [4, 4, in, out], transposed ones [4, 4, out, in].
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kernels.pict import MAX_FILE_BYTES, MAX_JSON_BYTES, BadWeights, Weights, read_pict, write_pict

SIZE = 256  # pixels of a side, in and out
LEAK = 0.2  # slope of the encoders' LeakyReLU
EPSILON = 1e-5  # added to the variance
MAX_FILTERS = 224  # of encoder 1: the weights of more do not fit into a block's 48 KB of shared memory


@dataclass(frozen=True, slots=True)
class Layer:
    """One convolution with its norm. Input [size, size, cin], output [size/2, ..., cout] or [size*2, ..., cout]."""

    name: str  # "encoder_3"
    kind: Literal["conv", "deconv"]
    size: int  # pixels of an input side
    cin: int
    cout: int
    slope: float  # of the activation before it: 1 none, 0.2 LeakyReLU, 0 ReLU
    norm: bool

    @property
    def out_size(self) -> int:
        return self.size // 2 if self.kind == "conv" else self.size * 2

    @property
    def kernel(self) -> str:
        return f"generator/{self.name}/{self._op}/kernel"

    @property
    def bias(self) -> str:
        return f"generator/{self.name}/{self._op}/bias"

    @property
    def beta(self) -> str:
        return f"generator/{self.name}/batch_normalization/beta"

    @property
    def gamma(self) -> str:
        return f"generator/{self.name}/batch_normalization/gamma"

    @property
    def _op(self) -> str:
        return "conv2d" if self.kind == "conv" else "conv2d_transpose"

    @property
    def kernel_shape(self) -> tuple[int, int, int, int]:
        return (4, 4, self.cin, self.cout) if self.kind == "conv" else (4, 4, self.cout, self.cin)

    @property
    def multiply_adds(self) -> int:
        """Taps that meet padding are counted, as everybody counts them."""
        return 16 * self.cin * self.cout * min(self.size, self.out_size) ** 2


def unet_layers(filters: int) -> tuple[Layer, ...]:
    """Encoder 1..8, then decoder 8..1, of a network whose first layer has `filters` filters."""
    widths = [filters * m for m in (1, 2, 4, 8, 8, 8, 8, 8)]
    layers = []
    for n, cin, cout in zip(range(1, 9), [3, *widths], widths, strict=False):
        layers.append(Layer(f"encoder_{n}", "conv", SIZE >> (n - 1), cin, cout, 1.0 if n == 1 else LEAK, n > 1))
    for n in range(8, 0, -1):
        cin = widths[7] if n == 8 else 2 * widths[n - 1]  # previous decoder and skip, one after the other
        cout = 3 if n == 1 else widths[n - 2]
        layers.append(Layer(f"decoder_{n}", "deconv", SIZE >> n, cin, cout, 0.0, n > 1))
    return tuple(layers)


def filters_of(weights: Mapping[str, NDArray[np.float32]], *, name: str = "weights") -> int:
    """Checks that `weights` are a whole U-Net-256 and says how many filters its first layer has (64 in the paper).

    Tensors of other names (moving statistics, say) are ignored. Raises BadWeights naming the tensor at fault.
    """
    first = unet_layers(1)[0].kernel
    if first not in weights:
        raise BadWeights(f"{name}: tensor {first!r} is missing")
    shape = weights[first].shape
    if len(shape) != 4 or not 1 <= shape[3] <= MAX_FILTERS:
        raise BadWeights(
            f"{name}: {first!r} has shape {list(shape)}, must be [4, 4, 3, filters], filters 1 to {MAX_FILTERS}"
        )
    filters = int(shape[3])
    for tensor, expected in unet_shapes(filters).items():
        if tensor not in weights:
            raise BadWeights(f"{name}: tensor {tensor!r} is missing")
        if weights[tensor].shape != expected:
            raise BadWeights(f"{name}: {tensor!r} has shape {list(weights[tensor].shape)}, must be {list(expected)}")
        if not np.isfinite(weights[tensor]).all():
            raise BadWeights(f"{name}: {tensor!r} holds NaN or infinity")
    return filters


def unet_shapes(filters: int) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor that the network needs."""
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in unet_layers(filters):
        shapes[layer.kernel] = layer.kernel_shape
        shapes[layer.bias] = (layer.cout,)
        if layer.norm:
            shapes[layer.gamma] = shapes[layer.beta] = (layer.cout,)
    return shapes


def random_weights(filters: int, seed: int = 0) -> Weights:
    """Untrained weights as training starts (normal, 0.02; gamma around 1), for tests and measurements."""
    rng = np.random.default_rng(seed)
    weights = {n: rng.normal(0, 0.02, s).astype(np.float32) for n, s in unet_shapes(filters).items()}
    return {n: w + np.float32(1) if n.endswith("gamma") else w for n, w in weights.items()}


def load_weights(path: Path) -> Weights:
    """A U-Net-256 from a `.pict` or `.safetensors` file, checked. Raises BadWeights, or OSError."""
    if path.suffix not in (".pict", ".safetensors"):
        raise BadWeights(f"{path.name}: weights are .pict or .safetensors files, not {path.suffix or 'without suffix'}")
    if path.exists() and not path.is_file():
        raise BadWeights(f"{path.name}: weights are regular files, this is none")  # a pipe would be waited for
    weights = read_pict(path) if path.suffix == ".pict" else read_safetensors(path)
    filters_of(weights, name=path.name)
    return weights


def save_weights(path: Path, weights: Mapping[str, NDArray[np.float32]]) -> None:
    """Writes `.pict` (one byte per weight) or `.safetensors` (float32), by suffix."""
    if path.suffix == ".pict":
        write_pict(path, weights)
    elif path.suffix == ".safetensors":
        from safetensors.numpy import save_file  # here and below: benchmarks of bare GPU machines do without it

        save_file({n: np.ascontiguousarray(w, np.float32) for n, w in weights.items()}, path)
    else:
        raise BadWeights(f"{path.name}: weights are .pict or .safetensors files, not {path.suffix or 'without suffix'}")


def read_safetensors(path: Path) -> Weights:
    """All float tensors of the file as float32. Raises BadWeights before allocating what a bad header asks for."""
    from safetensors import SafetensorError
    from safetensors.numpy import load as parse_safetensors

    size = path.stat().st_size
    if size > 4 * MAX_FILE_BYTES:
        raise BadWeights(f"{path.name}: {size} bytes, at most {4 * MAX_FILE_BYTES} are allowed")
    with path.open("rb") as file:
        prefix = file.read(8)
        header_bytes = struct.unpack("<Q", prefix)[0] if len(prefix) == 8 else 0
        if not 2 <= header_bytes <= min(MAX_JSON_BYTES, size - 8):
            raise BadWeights(
                f"{path.name}: the header claims {header_bytes} bytes, of {size}; at most {MAX_JSON_BYTES} are allowed"
            )
        file.seek(0)
        data = file.read()
    try:
        tensors = parse_safetensors(data)
    except (SafetensorError, KeyError, AttributeError) as error:  # KeyError, AttributeError: types that NumPy lacks
        raise BadWeights(f"{path.name}: {error}") from None
    for tensor, value in tensors.items():
        if value.dtype not in (np.float32, np.float16):
            raise BadWeights(f"{path.name}: {tensor!r} is {value.dtype}, must be float32 or float16")
    return {tensor: value.astype(np.float32) for tensor, value in tensors.items()}
