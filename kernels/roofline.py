"""The least time a layer can take on a card: the larger of its arithmetic and its bytes, each at the card's peak."""

from dataclasses import dataclass

from kernels.weights import Layer

HALF = 2  # bytes


@dataclass(frozen=True, slots=True)
class Peaks:
    """What a card can do.

    Bytes moved and floating-point operations (fp16 on tensor cores, 2 per multiply-add) per microsecond.
    """

    bytes_per_us: float
    flop_per_us: float


# Data sheets, not measurements: NVIDIA H200 SXM (4.8 TB/s, 989 TFLOP/s dense fp16), T4 (320 GB/s, 65 TFLOP/s).
DATA_SHEETS = {"H200": Peaks(4.8e6, 989e6), "T4": Peaks(0.32e6, 65e6)}


def weight_bytes(layer: Layer, *, folded: bool = True) -> int:
    """In fp16, read once per picture. folded: as rung 6 runs it, without what no picture can change (plan.py)."""
    whole = 16 * layer.cin * layer.cout * HALF
    if not folded:
        return whole
    return 0 if layer.name in ("encoder_8", "decoder_8") else whole // 2 if layer.name == "decoder_7" else whole


def layer_bytes(layer: Layer, *, folded: bool = True) -> int:
    """Weights, input and output once each, in fp16 (the picture itself is fp32)."""
    picture = 4 if layer.cin == 3 or layer.cout == 3 else HALF
    values_in, values_out = layer.size**2 * layer.cin, layer.out_size**2 * layer.cout
    wide_in = picture if layer.cin == 3 else HALF
    wide_out = picture if layer.cout == 3 else HALF
    return weight_bytes(layer, folded=folded) + values_in * wide_in + values_out * wide_out


def layer_floor_us(layer: Layer, peaks: Peaks) -> float:
    return max(layer_bytes(layer) / peaks.bytes_per_us, 2 * layer.multiply_adds / peaks.flop_per_us)


def network_floor_us(layers: tuple[Layer, ...], peaks: Peaks) -> float:
    """Layers one after the other; what is folded away takes no time."""
    return sum(layer_floor_us(layer, peaks) for layer in layers if layer.name not in ("encoder_8", "decoder_8"))
