"""Checks the kernels on this machine's GPU against NumPy, in seconds: the tests' claims, made on the card itself.

python -m kernels.check [--filters 16]

Every rung of the network, frames after frames, VJ mode's loop with its crossfade, and the single operations. Prints one
line each; exit 1 when one is out of tolerance, 3 when there is no GPU. Small enough to run under compute-sanitizer.
"""

import argparse
import sys
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from kernels.bias_act import bias_act, bias_act_ref
from kernels.card import Machine
from kernels.feedback import Settings
from kernels.feedback_loop import STILL, FeedbackLoop, prepared
from kernels.feedback_ref import colour_ref, feedback_ref
from kernels.launch import Ref
from kernels.pict import Weights
from kernels.plan import RUNGS
from kernels.reference import conv4x4_s2_ref, deconv4x4_s2_ref, instance_norm_ref, unet_ref
from kernels.weights import SIZE, random_weights

F32 = NDArray[np.float32]
NO_GPU = 3
LEAST_DB = {1: 60.0, 2: 60.0, 3: 60.0, 4: 40.0, 5: 40.0, 6: 40.0}


def has_gpu() -> bool:
    try:
        import cupy as cp
    except ImportError:
        return False
    return bool(cp.is_available())


def lively_weights(filters: int, seed: int) -> Weights:
    """Untrained weights are drawn at 0.02, and nearly nothing comes out: times three there is something to compare."""
    return {n: w * 3 if n.endswith("kernel") else w for n, w in random_weights(filters, seed).items()}


def psnr_db(got: F32, expected: F32) -> float:
    """Of pictures in 0..1."""
    return float(-10 * np.log10(np.mean((got - expected) ** 2, dtype=np.float64) + 1e-30))


def check_networks(weights: Weights) -> Iterator[tuple[str, bool]]:
    """Two pictures through each rung, the first one again after the second."""
    import cupy as cp

    from kernels.unet256 import Unet256

    rng = np.random.default_rng(0)
    pictures = [rng.random((SIZE, SIZE, 3), dtype=np.float32) for _ in range(2)]
    for rung in RUNGS:
        network = Unet256(weights, rung=rung)
        results = [cp.asnumpy(network(cp.asarray(pictures[n]))) for n in (0, 1, 0)]
        worst = min(psnr_db(results[n], unet_ref(pictures[n], weights)) for n in (0, 1))
        yield f"rung {rung}: {worst:.1f} dB, at least {LEAST_DB[rung]}", worst >= LEAST_DB[rung]
        yield f"rung {rung}: the same picture gives the same bits", bool((results[0] == results[2]).all())


def check_loop(a: Weights, b: Weights, machine: Machine) -> Iterator[tuple[str, bool]]:
    """VJ mode's loop in its graphs: the fader rests, moves, stands still until all weights are mixed, rests there; a
    guest is let in."""
    loop, picture, worst = FeedbackLoop(prepared(a), prepared(b), machine), np.zeros((SIZE, SIZE, 3), np.float32), 1e9
    guest = np.random.default_rng(3).random((SIZE, SIZE, 4), dtype=np.float32)
    loop.let_in(guest)
    for step, mix in enumerate((0.0, *[0.4] * (STILL + 2))):
        settings = Settings(
            rate=0.9, zoom=1.02, focus=-0.3, amplitudes=(0.3, 0.1, 0.0), time_s=step / 30, inject_gain=0.3, hue=0.2
        )
        loop.step(settings, mix)
        mixed = {n: a[n] + np.float32(mix) * (b[n] - a[n]) for n in a}
        picture = unet_ref(feedback_ref(picture, settings.pack(), guest), mixed)
        worst = min(worst, psnr_db(loop.shown, colour_ref(picture, settings.pack())))
    yield f"loop, {STILL + 3} steps: {worst:.1f} dB, at least 40", worst >= 40
    for mix in (0.0, 0.3, 1.0):
        yield from _check_mixing(loop, machine, mix)


def _check_mixing(loop: FeedbackLoop, machine: Machine, mix: float) -> Iterator[tuple[str, bool]]:
    """Both ways to mix, on the same picture; and at an end one network's own weights are left."""
    picture, drawn = np.random.default_rng(1).random((SIZE, SIZE, 3), dtype=np.float32), []
    for graph in (loop.graphs.moving, loop.graphs.settling):
        loop.start(picture)
        machine.write(loop.arrays["mix"], np.array([mix], np.float32))
        graph()
        drawn.append(loop.picture)
    yield f"crossfade {mix}: inside the convolutions the same bits as beforehand", bool((drawn[0] == drawn[1]).all())
    if mix in (0, 1):
        own, left = (machine.read(loop.arrays[name]) for name in ("b_float16" if mix else "a_float16", "mixed_float16"))
        yield f"crossfade {mix}: one network's own weights", bool((own == left).all())


def check_operations() -> Iterator[tuple[str, bool]]:
    import cupy as cp

    from kernels import ops

    rng = np.random.default_rng(2)
    x, b = rng.standard_normal((32, 32, 48), np.float32), rng.standard_normal(80, np.float32)
    w = rng.standard_normal((4, 4, 48, 80), np.float32)
    for rung in (1, 2, 3):
        got = cp.asnumpy(ops.conv4x4_s2(*map(cp.asarray, (x, w, b)), rung=rung))
        error = float(np.abs(got - conv4x4_s2_ref(x, w) - b).max())
        yield f"conv4x4_s2 rung {rung}: error {error:.1e}", error <= 16e-6 * 48
        transposed = np.ascontiguousarray(w.transpose(0, 1, 3, 2))
        got = cp.asnumpy(ops.deconv4x4_s2(*map(cp.asarray, (x, transposed, b)), slope=1.0, rung=rung))
        error = float(np.abs(got - deconv4x4_s2_ref(x, transposed) - b).max())
        yield f"deconv4x4_s2 rung {rung}: error {error:.1e}", error <= 16e-6 * 48
    gamma, beta = rng.standard_normal((2, 48), np.float32)
    got = cp.asnumpy(ops.instance_norm(*map(cp.asarray, (x, gamma, beta))))
    error = float(np.abs(got - instance_norm_ref(x, gamma, beta)).max())
    yield f"instance_norm: error {error:.1e}", error <= 1e-4
    settings = Settings(rate=0.9, zoom=1.05, rotate=0.02, amplitudes=(0.2, 0.1, 0.05), time_s=2.0)
    smooth = np.broadcast_to(np.linspace(0, 1, SIZE, dtype=np.float32)[:, None, None], (SIZE, SIZE, 3)).copy()
    got = cp.asnumpy(ops.feedback_step(cp.asarray(smooth), settings))
    error = float(np.abs(got - feedback_ref(smooth, settings.pack())).max())
    yield f"feedback: error {error:.1e}", error <= 1e-3


def check_layer_ends() -> Iterator[tuple[str, bool]]:
    """Blur, scale, noise, bias and activation of a StyleGAN2 layer, in halves."""
    import cupy as cp

    from kernels import cuda

    rng, side, channels = np.random.default_rng(4), 64, 32
    for blur in (False, True):
        shapes = ((2, side + blur, side + blur, channels), (2, channels), (channels,), (side, side))
        given = [rng.standard_normal(shape, np.float32).astype(np.float16) for shape in shapes]
        arrays = dict(zip(("x", "scale", "bias", "noise"), map(cp.asarray, given), strict=True))
        arrays["out"] = cp.empty((2, side, side, channels), np.float16)
        refs = Ref("x"), Ref("scale"), Ref("bias"), Ref("noise"), Ref("out")
        cuda.run(bias_act(*refs, shape=(2, side, channels), blur=blur), arrays)
        expected = bias_act_ref(*(v.astype(np.float32) for v in given), blur=blur)
        error = float(np.abs(cp.asnumpy(arrays["out"]) - expected).max() / np.abs(expected).max())
        yield f"a layer's end{' with blur' if blur else ''}: error {error:.1e} of the largest", error <= 6e-4


def run_checks(filters: int) -> bool:
    """Prints every check -> whether all of them held."""
    from kernels.cuda import Card

    a, b = lively_weights(filters, 0), lively_weights(filters, 1)
    good = True
    for checks in (check_operations(), check_layer_ends(), check_networks(a), check_loop(a, b, Card())):
        for line, held in checks:
            print(f"{'ok  ' if held else 'FAIL'} {line}", flush=True)
            good = good and held
    return good


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m kernels.check", description=__doc__)
    parser.add_argument("--filters", type=int, default=16)
    args = parser.parse_args()
    if not has_gpu():
        print("no CUDA device, or no cupy: nothing was checked", file=sys.stderr)
        return NO_GPU
    return 0 if run_checks(args.filters) else 1


if __name__ == "__main__":
    sys.exit(main())
