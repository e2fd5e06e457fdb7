"""VJ mode's loop on a card: does it draw what the CPU draws, and what does it add to the network's time?

python -m stylizer.bench.vj_gpu [--filters 64] [--json F]

Exit 1 where it draws something else or a goal is missed, 3 when there is no GPU.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from itertools import count

import numpy as np
import torch

from kernels.bench import gpu_times_us, machine
from kernels.check import NO_GPU, has_gpu
from kernels.traffic import FADER_GOAL
from kernels.weights import random_weights
from stylizer.cli_report import new_file
from stylizer.controls import defaults
from stylizer.vj.bank import Bank, Model
from stylizer.vj.cupy_way import CupyWay, settings_of
from stylizer.vj.loop import Loop
from stylizer.vj.moment import Moment
from stylizer.vj.session import VjSession
from stylizer.vj.torch_way import TorchWay

LEAST_DB = 35.0
LOOP_ADDS = 0.2  # at most, of the network's time
PLAYED = {"noise_1": 0.2, "noise_2": 0.1, "noise_3": 0.05, "zoom": 1.02, "rotate": 1.0, "focus": -0.2, "hue": 0.2}


def moments(models: tuple[Model, Model]) -> Iterator[Moment]:
    """Without end, 30 a second; the fader moves in each."""
    for step in count():
        controls = defaults("vj") | PLAYED | {"crossfade": step % 100 / 100}
        yield Moment(controls, models, noise_s=step / 30, time_s=step / 30)


def worst_db(own: CupyWay, models: tuple[Model, Model], steps: int = 3) -> float:
    """PSNR of what `own` shows against float32 on the CPU, the worst of the first steps. own: with `wait`."""
    plain, worst = TorchWay(dtype=torch.float32, compiles=False), float("inf")
    own.ready(models)
    for moment, _ in zip(moments(models), range(steps), strict=False):
        own.dream(moment)
        plain.dream(moment)
        error = ((own.coloured(moment) - plain.coloured(moment)) ** 2).mean()
        worst = min(worst, float(-10 * torch.log10(error + 1e-12)))
    return worst


def graph_times_us(filters: int) -> dict[str, float]:
    """Medians on the card: the network alone, the loop with its fader at rest, with a moving one, and with all weights
    mixed beforehand, which a moving fader would cost without convolutions that mix."""
    from kernels.cuda import Card
    from kernels.feedback_loop import FeedbackLoop, prepared
    from kernels.unet256 import Unet256

    a, b = random_weights(filters), random_weights(filters, seed=1)
    network, card = Unet256(a), Card()
    loop = FeedbackLoop(prepared(a), prepared(b), card)
    settings = settings_of(next(moments((Model("a", filters, a), Model("b", filters, b)))))
    faders = count(1)
    steps = {
        "network": (network.step, network.stream),
        "loop": (lambda: loop.step(settings, 0.5), card.stream),
        "loop, fader moving": (lambda: loop.step(settings, next(faders) % 100 / 100), card.stream),
        "loop, mixed beforehand": (loop.graphs.settling, card.stream),
    }
    return {what: float(np.median(gpu_times_us(step, stream))) for what, (step, stream) in steps.items()}


def session_ms(bank: Bank, steps: int = 300) -> dict[str, float]:
    """A whole step of a show, from the controls to the picture in memory, on the clock of the wall."""
    session, times = VjSession(bank, loop=Loop([CupyWay(wait=True), TorchWay(compiles=False)])), []
    session.apply(PLAYED)
    for _ in range(steps):
        begin = time.perf_counter()
        session.step(1 / 60)
        times.append(1e3 * (time.perf_counter() - begin))
    if session.loop.why:
        raise RuntimeError(f"the show did not stay on the card: {session.loop.why}")
    return dict(zip(("p50", "p95", "p99"), map(float, np.percentile(times[10:], (50, 95, 99))), strict=True))


def missed(db: float, times_us: dict[str, float]) -> list[str]:
    """The goals that are not met, in words."""
    network, loop, moving = times_us["network"], times_us["loop"], times_us["loop, fader moving"]
    goals = (
        (db >= LEAST_DB, f"the card draws what the CPU draws: {db:.1f} dB, at least {LEAST_DB:g}"),
        (loop <= (1 + LOOP_ADDS) * network, f"the loop adds {loop / network - 1:.0%}, at most {LOOP_ADDS:.0%}"),
        (
            moving - loop <= FADER_GOAL * network,
            f"a moving fader adds {(moving - loop) / network:.0%}, at most {FADER_GOAL:.0%}",
        ),
    )
    return [words for held, words in goals if not held]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m stylizer.bench.vj_gpu", description=__doc__)
    parser.add_argument("--filters", type=int, default=64)
    parser.add_argument("--json", type=new_file)
    args = parser.parse_args()
    if not has_gpu():
        sys.stderr.write("no CUDA device, or no cupy: nothing was measured\n")
        return NO_GPU
    bank = Bank()
    usual = defaults("vj")
    models = bank.get(str(usual["model_a"])), bank.get(str(usual["model_b"]))
    with torch.inference_mode():
        db, times_us = worst_db(CupyWay(wait=True), models), graph_times_us(args.filters)
    report = {"machine": machine(), "psnr_db": db, "filters": args.filters, "us": times_us, "step_ms": session_ms(bank)}
    report["missed"] = missed(db, times_us)
    text = json.dumps(report, indent=1) + "\n"
    sys.stdout.write(text)
    if args.json:
        args.json.write_text(text, encoding="utf-8")
    return 1 if report["missed"] else 0


if __name__ == "__main__":
    sys.exit(main())
