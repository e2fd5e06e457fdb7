"""Single operations on CuPy arrays: convolution, its transpose, instance norm, feedback. Each has its reference in
NumPy.

Everything here checks, allocates, launches on the current stream and does not wait. The network itself uses plans
(unet256.py).
"""

from typing import Literal

import cupy as cp
import numpy as np

from kernels import conv, cuda
from kernels.feedback import SETTINGS, Settings, feedback
from kernels.launch import MAX_ELEMENTS, Ref
from kernels.prepare import by_phase
from kernels.weights import Layer

Kind = Literal["conv", "deconv"]


def conv4x4_s2(x: "cp.ndarray", w: "cp.ndarray", b: "cp.ndarray", *, slope: float = 1.0, rung: int = 3) -> "cp.ndarray":
    """pix2pix encoder convolution: activation, then 4x4, stride 2, zero padding 1.

    x [S, S, C], w [4, 4, C, K], b [K] -> [S/2, S/2, K], new. float32, C-contiguous, S even; slope: 1 no activation, 0.2
    LeakyReLU, 0 ReLU. rung 1 or 2, or 3 with C and K multiples of 16. Raises ValueError naming the offending argument.
    """
    return _convolve("conv", x, w, b, slope, rung)


def deconv4x4_s2(
    x: "cp.ndarray", w: "cp.ndarray", b: "cp.ndarray", *, slope: float = 0.0, rung: int = 3
) -> "cp.ndarray":
    """pix2pix decoder convolution.

    Activation, then transposed 4x4, stride 2, padding 1. w [4, 4, K, C] -> [2S, 2S, K].
    """
    return _convolve("deconv", x, w, b, slope, rung)


def _convolve(kind: Kind, x: "cp.ndarray", w: "cp.ndarray", b: "cp.ndarray", slope: float, rung: int) -> "cp.ndarray":
    layer = checked_layer(kind, x, w, b, slope, rung)
    y = cp.empty((layer.out_size, layer.out_size, layer.cout), np.float32)
    ordered = w if rung == 1 else cp.asarray(by_phase(layer, cp.asnumpy(w)))
    refs = (Ref("x"), Ref("w"), Ref("b"), Ref("y"))
    launch = conv.CONV_FP32[rung](layer, *refs, x_stride=layer.cin, y_stride=layer.cout)
    cuda.run(launch, {"x": x, "w": ordered, "b": b, "y": y})
    return y


def checked_layer(kind: Kind, x: "cp.ndarray", w: "cp.ndarray", b: "cp.ndarray", slope: float, rung: int) -> Layer:
    """The layer that these arrays describe. Raises ValueError; needs no GPU."""
    if rung not in conv.CONV_FP32:
        raise ValueError(f"rung must be one of {sorted(conv.CONV_FP32)}, got {rung}")
    if not 0 <= slope <= 1:
        raise ValueError(f"slope must be in 0..1, got {slope}")
    if x.ndim != 3 or x.shape[0] != x.shape[1] or (kind == "conv" and x.shape[0] % 2):
        raise ValueError(f"x must be [S, S, C]{', S even' if kind == 'conv' else ''}, got {list(x.shape)}")
    if b.ndim != 1:
        raise ValueError(f"b must be [K], got {list(b.shape)}")
    layer = Layer(kind, kind, x.shape[0], x.shape[2], b.shape[0], slope, norm=False)
    expect("x", x, x.shape)
    expect("w", w, layer.kernel_shape)
    expect("b", b, (layer.cout,))
    if rung == 3 and (layer.cin % 16 or layer.cout % 16):
        raise ValueError(f"rung 3 needs C and K to be multiples of 16, got w {list(w.shape)}")
    for name, values in (("x", x.size), ("w", w.size), ("the result", layer.out_size**2 * layer.cout)):
        if values > MAX_ELEMENTS:
            raise ValueError(f"{name} of {values} values, at most {MAX_ELEMENTS} are allowed")
    return layer


def expect(name: str, array: "cp.ndarray", shape: tuple[int, ...]) -> None:
    """CuPy checks no argument of a kernel: this does. Raises ValueError."""
    if array.dtype != np.float32 or tuple(array.shape) != shape or not array.flags.c_contiguous:
        layout = "" if array.flags.c_contiguous else ", not C-contiguous"
        raise ValueError(
            f"{name} must be C-contiguous float32 {list(shape)}, got {array.dtype} {list(array.shape)}{layout}"
        )


def instance_norm(x: "cp.ndarray", gamma: "cp.ndarray", beta: "cp.ndarray") -> "cp.ndarray":
    """x [S, S, C], gamma, beta [C] -> new array: each channel with mean beta and deviation gamma. C a multiple of 8."""
    if x.ndim != 3 or x.shape[0] != x.shape[1] or x.shape[2] % 8:
        raise ValueError(f"x must be [S, S, C], C a multiple of 8, got {list(x.shape)}")
    if x.size > MAX_ELEMENTS:
        raise ValueError(f"x of {x.size} values, at most {MAX_ELEMENTS} are allowed")
    for name, array, shape in (("x", x, x.shape), ("gamma", gamma, x.shape[2:]), ("beta", beta, x.shape[2:])):
        expect(name, array, tuple(shape))
    layer = Layer("norm", "conv", 2 * x.shape[0], 1, x.shape[2], 1.0, norm=True)
    y = cp.empty_like(x)
    refs = (Ref("part"), Ref("gamma"), Ref("beta"), Ref("out"))
    launch = conv.instance_norm(layer, *refs, out_stride=layer.cout)
    cuda.run(launch, {"part": x, "gamma": gamma, "beta": beta, "out": y})
    return y


def feedback_step(prev: "cp.ndarray", settings: Settings, guest: "cp.ndarray | None" = None) -> "cp.ndarray":
    """prev [S, S, 3] float32 -> new array, the generator's next input in 0..1. guest [S, S, 4]: see `feedback`."""
    if prev.ndim != 3 or prev.shape[0] != prev.shape[1]:
        raise ValueError(f"prev must be [S, S, 3], got {list(prev.shape)}")
    expect("prev", prev, (prev.shape[0], prev.shape[0], 3))
    guest = cp.zeros((*prev.shape[:2], 4), np.float32) if guest is None else guest
    expect("guest", guest, (*prev.shape[:2], 4))
    packed, out = cp.asarray(settings.pack()), cp.empty_like(prev)
    assert packed.size == SETTINGS
    launch = feedback(Ref("prev"), Ref("guest"), Ref("settings"), Ref("out"), side=prev.shape[0])
    cuda.run(launch, {"prev": prev, "guest": guest, "settings": packed, "out": out})
    return out
