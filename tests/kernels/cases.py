"""One launch of each kind with its arrays and what NumPy says about it: what the tests of single kernels share."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kernels import conv, feedback
from kernels.bias_act import bias_act, bias_act_ref
from kernels.feedback_ref import colour_ref, feedback_ref, lerp_ref
from kernels.launch import Launch, Ref
from kernels.prepare import by_phase, fragments, last_layer, only_pixel
from kernels.reference import activate_ref, conv4x4_s2_ref, deconv4x4_s2_ref, instance_norm_ref
from kernels.weights import Layer
from tests.conftest import Rng
from tests.kernels.emulator import aligned, device_copy, run

F32 = NDArray[np.float32]
Arrays = dict[str, NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class Case:
    """result() reads what the launch wrote, as float32 in the shape of `expected`.

    Tolerance: largest difference allowed.
    """

    launch: Launch
    arrays: Arrays
    outputs: tuple[str, ...]
    result: Callable[[Arrays], F32]
    expected: F32
    tolerance: float

    def run(
        self, *, reverse: bool = False, stall: int = -1, arch: int = 900, edit: Callable[[str], str] | None = None
    ) -> F32:
        """Runs the launch over poisoned outputs -> its result. Raises EmulatorError."""
        arrays = {n: a.copy() if n in self.outputs else a for n, a in self.arrays.items()}
        arrays |= {n: _like(self.arrays[n]) for n in self.outputs}
        run(self.launch, arrays, reverse=reverse, stall=stall, arch=arch, edit=edit)
        return self.result(arrays)

    def error(self, got: F32) -> float:
        """Largest difference; infinite where a value was never written."""
        difference = np.abs(got - self.expected)
        return float(difference.max()) if np.isfinite(difference).all() else float("inf")


def _like(array: NDArray[np.generic]) -> NDArray[np.generic]:
    """Aligned memory with the same content, which may be poison."""
    out = aligned(array.size, array.dtype)
    out.view(np.uint8)[:] = array.view(np.uint8)
    return out


def layer(kind: str, size: int, cin: int, cout: int, slope: float = 0.2) -> Layer:
    assert kind in ("conv", "deconv")
    return Layer(kind, "conv" if kind == "conv" else "deconv", size, cin, cout, slope, norm=True)


def _convolved(case: Layer, x: F32, w: F32) -> F32:
    return (conv4x4_s2_ref if case.kind == "conv" else deconv4x4_s2_ref)(x, w)


def _filters(case: Layer, w: F32) -> F32:
    """A view whose last axis is the filters."""
    return w if case.kind == "conv" else w.swapaxes(2, 3)


def _rounded(x: F32) -> F32:
    return x.astype(np.float16).astype(np.float32)


def fp32_case(rung: int, case: Layer, rng: Rng) -> Case:
    """Rungs 1 to 3. x and y lie in wider buffers, as in the network."""
    x = rng.normal_f32(case.size, case.size, case.cin)
    w, b = rng.normal_f32(*case.kernel_shape), rng.normal_f32(case.cout)
    x_stride, y_stride = -(-case.cin // 8) * 8 + 8, case.cout * 2
    wide = np.full((case.size, case.size, x_stride), np.nan, np.float32)
    wide[..., : case.cin] = x
    expected = _convolved(case, activate_ref(x, case.slope), w) + b
    arrays = {
        "x": device_copy(wide),
        "w": device_copy(w if rung == 1 else by_phase(case, w)),
        "b": device_copy(b),
        "y": aligned(case.out_size**2 * y_stride, np.float32),
    }
    launch = conv.CONV_FP32[rung](case, Ref("x"), Ref("w"), Ref("b"), Ref("y"), x_stride=x_stride, y_stride=y_stride)

    def result(out: Arrays) -> F32:
        y: F32 = out["y"].reshape(case.out_size, case.out_size, y_stride)[..., : case.cout].astype(np.float32)
        return y

    # Sums of 16 * cin products of unit variance: float32 rounding grows with the number of terms.
    return Case(launch, arrays, ("y",), result, expected, 16e-6 * max(case.cin, 4))


def fp16_case(rung: int, case: Layer, rng: Rng) -> Case:
    """Rungs 4 and 5: partial sums, which are added here."""
    x, w = _rounded(rng.normal_f32(case.size, case.size, case.cin)), _rounded(rng.normal_f32(*case.kernel_shape))
    convolve = conv.conv_v4 if rung == 4 else conv.conv_v5
    launch, splits = convolve(case, Ref("x"), Ref("w"), Ref("part"), x_stride=case.cin)
    arrays = {
        "x": device_copy(x.astype(np.float16)),
        "w": device_copy(fragments(by_phase(case, w))),
        "part": aligned(splits * case.out_size**2 * case.cout, np.float32),
    }
    expected = _convolved(case, _rounded(activate_ref(x, case.slope)), w)
    return Case(launch, arrays, ("part",), lambda out: _summed(out, splits, expected), expected, 16e-6 * case.cin)


def _summed(out: Arrays, splits: int, expected: F32) -> F32:
    total: F32 = out["part"].reshape(splits, *expected.shape).sum(0, dtype=np.float32)
    return total


def fused_case(case: Layer, rng: Rng, *, mix: float | None = None) -> Case:
    """Rung 6. mix: of the way from these weights to others, in the kernel that mixes them itself.

    The result is y, normalised here by the scale and shift that the kernel left, so that these are tested too.
    """
    shape = conv.fused_shape(case)
    x, w = _rounded(rng.normal_f32(case.size, case.size, case.cin)), _fused_weights(case, rng)
    affine = rng.normal_f32(case.cin, 2)
    gamma, beta = rng.normal_f32(case.cout), rng.normal_f32(case.cout)
    arrays: Arrays = {
        "x": device_copy(x.astype(np.float16)),
        "affine": device_copy(affine),
        "w": device_copy(_fused_order(case, w)),
        "part": aligned(shape.part_values, np.float32),
        "counters": device_copy(np.zeros(shape.counters, np.uint32)),
        "tiles": aligned(shape.tile_values, np.float32),
        "gamma": device_copy(gamma),
        "beta": device_copy(beta),
        "out_affine": aligned(2 * case.cout, np.float32),
        "y": aligned(case.out_size**2 * case.cout, np.float32 if case.cout == 3 else np.float16),
    }
    refs = conv.FusedArgs(*map(Ref, conv.FusedArgs._fields))
    launch = conv.conv_v6(case, shape, refs, x_stride=case.cin, y_stride=case.cout)
    if mix is not None:
        w_b = _fused_weights(case, rng)
        arrays |= {"w_b": device_copy(_fused_order(case, w_b)), "mix": device_copy(np.array([mix], np.float32))}
        launch = conv.mixing(launch, {"w": (Ref("w"), Ref("w_b"))}, Ref("mix"))
        w = lerp_ref(w.astype(np.float16), w_b.astype(np.float16), mix).astype(np.float32)
    inside = _rounded(activate_ref(x * affine[:, 0] + affine[:, 1], case.slope))
    raw = _convolved(case, inside, w)
    outputs = ("part", "counters", "tiles", "out_affine", "y")
    if case.cout == 3:
        expected = ((np.tanh(raw + gamma) + 1) / 2).astype(np.float32)
        return Case(launch, arrays, outputs, lambda out: _picture(out, expected), expected, 1e-5 * case.cin)
    return Case(launch, arrays, outputs, lambda out: _normalised(out, raw), instance_norm_ref(raw, gamma, beta), 8e-3)


def _fused_weights(case: Layer, rng: Rng) -> F32:
    w = rng.normal_f32(*case.kernel_shape)
    if case.cout != 3:
        _filters(case, w)[..., :2] *= np.array([0, 3e-4], np.float32)  # where the norm's epsilon decides
    return _rounded(w)


def _fused_order(case: Layer, w: F32) -> NDArray[np.float16]:
    order = {conv.LAST: last_layer, conv.ONE_PIXEL: only_pixel}.get(conv.fused_shape(case).kind, lambda phases: phases)
    return fragments(order(by_phase(case, w)))


def _picture(out: Arrays, expected: F32) -> F32:
    assert not out["counters"].any()  # ready for the next frame
    y: F32 = out["y"].reshape(expected.shape).astype(np.float32)
    return y


def _normalised(out: Arrays, raw: F32) -> F32:
    """8e-3: halves have 11 bits, a value reaches 5 deviations, gamma 3."""
    assert not out["counters"].any()
    scale, shift = out["out_affine"].reshape(-1, 2).astype(np.float32).T
    with np.errstate(invalid="ignore"):  # of a broken kernel: `error` sees it
        y: F32 = out["y"].reshape(raw.shape).astype(np.float32) * scale + shift
    return y


def norm_case(pixels_side: int, channels: int, splits: int, half: bool, rng: Rng) -> Case:
    """Channels far from zero, where a variance from squares would drown; the first is even, in the second the epsilon
    decides."""
    part = rng.normal_f32(splits, pixels_side, pixels_side, channels) + np.float32(50)
    part[..., 0], part[..., 1] = 50, 3e-3 * (part[..., 1] - 50)
    gamma, beta = rng.normal_f32(channels), rng.normal_f32(channels)
    case = replace(layer("conv", 2 * pixels_side, 1, channels))
    refs = (Ref("part"), Ref("gamma"), Ref("beta"), Ref("out"))
    launch = conv.instance_norm(case, *refs, out_stride=channels, splits=splits, half=half)
    expected = instance_norm_ref(part.sum(0, dtype=np.float64).astype(np.float32), gamma, beta)
    arrays = {
        "part": device_copy(part),
        "gamma": device_copy(gamma),
        "beta": device_copy(beta),
        "out": aligned(expected.size, np.float16 if half else np.float32),
    }
    tolerance = 4e-3 if half else 2e-4  # 50 * splits has 4 to 5 digits behind the point in float32
    return Case(launch, arrays, ("part", "out"), lambda out: _reshaped(out, "out", expected), expected, tolerance)


def _reshaped(out: Arrays, name: str, expected: F32) -> F32:
    y: F32 = out[name].reshape(expected.shape).astype(np.float32)
    return y


def first_case(size: int, filters: int, rng: Rng) -> Case:
    """Encoder 1 of the fp16 rungs."""
    case = Layer("encoder_1", "conv", size, 3, filters, 1.0, norm=False)
    x, w, b = rng.unit_f32(size, size, 3), rng.normal_f32(*case.kernel_shape), rng.normal_f32(filters)
    launch = conv.first(case, Ref("x"), Ref("w"), Ref("b"), Ref("y"), y_stride=filters)
    expected = conv4x4_s2_ref(2 * x - 1, w) + b
    arrays = {"x": device_copy(x), "w": device_copy(by_phase(case, w)), "b": device_copy(b)}
    arrays["y"] = aligned(expected.size, np.float16)
    tolerance = 2e-2  # halves have 11 bits, values reach 20
    return Case(launch, arrays, ("y",), lambda out: _reshaped(out, "y", expected), expected, tolerance)


def feedback_case(side: int, settings: feedback.Settings, rng: Rng) -> Case:
    """A smooth picture: where rounding moves a sampling point, a rough one would differ."""
    ramp = np.linspace(0, 1, side, dtype=np.float32)
    prev = np.stack(np.broadcast_arrays(ramp[:, None], ramp, rng.unit_f32(1, 1)), axis=2).astype(np.float32)
    guest = rng.unit_f32(side, side, 4)
    expected = feedback_ref(prev, settings.pack(), guest)
    arrays = {"prev": device_copy(prev), "settings": device_copy(settings.pack()), "x": aligned(prev.size, np.float32)}
    arrays["guest"] = device_copy(guest)
    launch = feedback.feedback(Ref("prev"), Ref("guest"), Ref("settings"), Ref("x"), side=side)
    return Case(launch, arrays, ("x",), lambda out: _reshaped(out, "x", expected), expected, 2e-4)


def colour_case(side: int, settings: feedback.Settings, rng: Rng) -> Case:
    picture = rng.unit_f32(side, side, 3)
    expected = colour_ref(picture, settings.pack())
    arrays = {"x": device_copy(picture), "settings": device_copy(settings.pack())}
    arrays["out"] = aligned(picture.size, np.float32)
    launch = feedback.colour(Ref("x"), Ref("settings"), Ref("out"), side=side)
    return Case(launch, arrays, ("out",), lambda out: _reshaped(out, "out", expected), expected, 1e-5)


def lerp_case(count: int, mix: float, half: bool, rng: Rng) -> Case:
    dtype: type[np.floating] = np.float16 if half else np.float32
    a, b = rng.normal_f32(count).astype(dtype), rng.normal_f32(count).astype(dtype)
    expected = lerp_ref(a, b, mix).astype(np.float32)
    arrays = {"a": device_copy(a), "b": device_copy(b), "mix": device_copy(np.array([mix], np.float32))}
    arrays["out"] = aligned(count, dtype)
    launch = feedback.lerp(Ref("a"), Ref("b"), Ref("mix"), Ref("out"), nbytes=a.nbytes, half=half)
    return Case(launch, arrays, ("out",), lambda out: _reshaped(out, "out", expected), expected, 0.0)


def bias_act_case(batch: int, side: int, channels: int, blur: bool, noisy: bool, rng: Rng) -> Case:
    x = _rounded(rng.normal_f32(batch, side + blur, side + blur, channels))
    scale, bias = _rounded(rng.normal_f32(batch, channels)), _rounded(rng.normal_f32(channels))
    noise = _rounded(rng.normal_f32(side, side)) if noisy else None
    refs = Ref("x"), Ref("scale"), Ref("bias"), Ref("noise") if noisy else None, Ref("out")
    launch = bias_act(*refs, shape=(batch, side, channels), blur=blur)
    given = {"x": x, "scale": scale, "bias": bias} | ({} if noise is None else {"noise": noise})
    expected = bias_act_ref(x, scale, bias, noise, blur=blur)
    arrays = {name: device_copy(values.astype(np.float16)) for name, values in given.items()}
    arrays["out"] = aligned(expected.size, np.float16)
    tolerance = 6e-4 * float(np.abs(expected).max())  # the result is rounded to a half
    return Case(launch, arrays, ("out",), lambda out: _reshaped(out, "out", expected), expected, tolerance)
