"""VJ mode's whole loop as launches for one CUDA graph a step: picture fed back, network, colours.

The loop adds two launches to the network. What a step costs more depends on the fader:

resting   nothing.
moving    convolutions read both networks' weights and mix them on their way to the tensor cores; before them one launch
          for the few floats (norms, biases, encoder 1), then what depends on the weights alone.
settling  all weights mixed beforehand and written for the steps to come, as a moving step would mix them.
"""

import numpy as np

from kernels.arena import Packed
from kernels.conv import mixing
from kernels.feedback import SETTINGS, colour, feedback, lerp
from kernels.launch import Buffer, Launch, Plan, Ref
from kernels.plan import PICTURE

HALVES, FLOATS = "float16", "float32"


def loop_buffers() -> dict[str, Buffer]:
    """Beside the network's own: settings (of `Settings.pack`), mix (one float), guest [256, 256, 4] and shown
    [256, 256, 3], both in 0..1."""
    return {
        "settings": Buffer(SETTINGS, np.float32, zero=True),
        "mix": Buffer(1, np.float32, zero=True),
        "guest": Buffer(PICTURE // 3 * 4, np.float32, zero=True),
        "shown": Buffer(PICTURE, np.float32, zero=True),
    }


def resting_launches(plan: Plan) -> list[Launch]:
    """result -> picture -> result -> shown, with the weights that are there."""
    return _around(plan.frame)


def moving_launches(plan: Plan, weights: Packed) -> list[Launch]:
    """The same with a_T + mix * (b_T - a_T) in the place of each tensor of type T; only those of floats are written."""
    ends = {name: (Ref(f"a_{t}", first), Ref(f"b_{t}", first)) for name, (t, first, _) in weights.places.items()}
    prologue, frame = ([mixing(launch, ends, Ref("mix")) for launch in part] for part in (plan.prologue, plan.frame))
    return [_mixed(weights, FLOATS), *prologue, *_around(frame)]


def settling_launches(plan: Plan, weights: Packed) -> list[Launch]:
    """The same; mixed_T holds all of them afterwards."""
    return [_mixed(weights, FLOATS), _mixed(weights, HALVES), *plan.prologue, *_around(plan.frame)]


def colour_launch() -> Launch:
    """result -> shown."""
    return colour(Ref("result"), Ref("settings"), Ref("shown"))


def _around(network: list[Launch]) -> list[Launch]:
    return [feedback(Ref("result"), Ref("guest"), Ref("settings"), Ref("picture")), *network, colour_launch()]


def _mixed(weights: Packed, dtype: str) -> Launch:
    refs = Ref(f"a_{dtype}"), Ref(f"b_{dtype}"), Ref("mix"), Ref(f"mixed_{dtype}")
    return lerp(*refs, nbytes=weights.blocks[dtype].nbytes, half=dtype == HALVES)
