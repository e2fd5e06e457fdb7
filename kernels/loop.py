"""VJ mode's whole loop as launches for one CUDA graph: weights mixed, picture fed back, network, colours.

It adds two launches to the network, and while the fader moves three more with what depends on the weights alone.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from kernels.feedback import SETTINGS, colour, feedback, lerp
from kernels.launch import Buffer, Launch, Plan, Ref
from kernels.plan import PICTURE


def loop_buffers() -> dict[str, Buffer]:
    """Beside the network's own: settings (of `Settings.pack`), mix (one float), guest [256, 256, 4] and shown
    [256, 256, 3], both in 0..1."""
    return {
        "settings": Buffer(SETTINGS, np.float32, zero=True),
        "mix": Buffer(1, np.float32, zero=True),
        "guest": Buffer(PICTURE // 3 * 4, np.float32, zero=True),
        "shown": Buffer(PICTURE, np.float32, zero=True),
    }


def frame_launches(plan: Plan) -> list[Launch]:
    """result -> picture -> result -> shown: one step while the fader rests."""
    return [
        feedback(Ref("result"), Ref("guest"), Ref("settings"), Ref("picture")),
        *plan.frame,
        colour_launch(),
    ]


def colour_launch() -> Launch:
    """result -> shown."""
    return colour(Ref("result"), Ref("settings"), Ref("shown"))


def crossfade_launches(plan: Plan, blocks: Mapping[str, NDArray[np.generic]]) -> list[Launch]:
    """What comes before it while the fader moves: `mixed_T` = `a_T` + mix * (`b_T` - `a_T`) for each type T.

    blocks: of `arena.packed`, for their sizes.
    """
    lerps = [
        lerp(Ref(f"a_{t}"), Ref(f"b_{t}"), Ref("mix"), Ref(f"mixed_{t}"), nbytes=block.nbytes, half=t == "float16")
        for t, block in blocks.items()
    ]
    return [*lerps, *plan.prologue]
