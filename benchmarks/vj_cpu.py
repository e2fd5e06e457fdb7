"""Times the VJ instrument's steps on this machine's CPU: every embedded model, a moving fader, a wide model.

python -m benchmarks.vj_cpu [--seconds 3] [--long STEPS] [--json F]

Off-line, so that nothing runs beside the steps. --long: so many steps of each model, to see whether it stays alive.
`cpu_ms` is the processor time of a step, all threads together: on quiet cores a step takes no longer than that.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping

import numpy as np
import torch

from kernels.weights import random_weights
from stylizer import machine
from stylizer.cli_report import new_file
from stylizer.config import Settings
from stylizer.controls import Value
from stylizer.vj.bank import Bank, Model
from stylizer.vj.loop import open_loop
from stylizer.vj.session import VjSession

RATE = 30
WARM_UP = 12  # steps; the compiled network has taken over by then
WIDE = 64

Row = dict[str, float | int | str]


def measured(bank: Bank, what: str, controls: Mapping[str, Value], steps: int, *, fade: bool = False) -> Row:
    """fade: the crossfade moves at every step."""
    session = VjSession(bank, loop=open_loop(cache=Settings.load().cache / "vj", offline=True))
    session.apply(controls)
    times_ms, alive, motion, cpu_ms = [], 0, 0.0, 0.0
    for step in range(WARM_UP + steps):
        if fade:
            session.apply({"crossfade": 0.5 + 0.5 * float(np.sin(step / 20))})
        begin, begin_cpu = time.perf_counter(), time.process_time()
        session.step(1 / RATE)
        if step >= WARM_UP:
            times_ms.append(1e3 * (time.perf_counter() - begin))
            cpu_ms += 1e3 * (time.process_time() - begin_cpu) / steps
            alive += session.guard.health.sign == ""
            motion += session.guard.health.motion / steps
    p50, p95, p99 = (round(float(t), 2) for t in np.percentile(times_ms, (50, 95, 99)))
    rates = {
        "fps": round(1e3 / float(np.mean(times_ms)), 1),
        "step_ms_p50": p50,
        "step_ms_p95": p95,
        "step_ms_p99": p99,
        "cpu_ms": round(cpu_ms, 2),
    }
    life = {"alive_share": round(alive / steps, 4), "motion_per_s": round(motion, 3)}
    return {"what": what, "steps": steps} | rates | life | {"guard_interventions": session.guard.interventions}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.vj_cpu", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3, help="of show, for each row")
    parser.add_argument("--long", type=int, default=0, help="steps of each model in place of that")
    parser.add_argument("--no-wide", action="store_true", help="without the 64-filter model, which is quantised first")
    parser.add_argument("--json", type=new_file)
    parser.add_argument("--model", action="append", help="only these embedded models, and no fader; repeatable")
    args = parser.parse_args()
    bank, steps = Bank(), args.long or round(args.seconds * RATE)
    names = args.model or bank.names
    rows = [measured(bank, f"model {n}", {"model_a": n, "model_b": n}, steps) for n in names]
    if not args.long and not args.model:
        pair: dict[str, Value] = {"model_a": bank.names[0], "model_b": bank.names[1]}
        rows.append(measured(bank, f"{bank.names[0]} to {bank.names[1]}, fader moving", pair, steps, fade=True))
    if not (args.long or args.model or args.no_wide):
        bank.add(Model("wide", WIDE, random_weights(WIDE)))
        rows.append(measured(bank, f"{WIDE} filters, int8, untrained", {"model_a": "wide", "model_b": "wide"}, steps))
    state = {
        "date": time.strftime("%Y-%m-%d"),
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 1),
    }
    for row in rows:
        sys.stdout.write(" ".join(f"{k}={v}" for k, v in row.items()) + "\n")
    if args.json:
        command = "python -m benchmarks.vj_cpu " + " ".join(sys.argv[1:])
        result = {"command": command, "machine": machine.describe(), **state, "rows": rows}
        args.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
