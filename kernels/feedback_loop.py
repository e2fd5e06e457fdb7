"""VJ mode's loop on a GPU: a step is one CUDA graph, of three: the fader rests, moves, or has come to rest."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels.arena import Packed, packed
from kernels.card import Machine
from kernels.feedback import Settings
from kernels.launch import Plan
from kernels.loop import colour_launch, loop_buffers, moving_launches, resting_launches, settling_launches
from kernels.pict import Weights
from kernels.plan import unet_plan
from kernels.weights import SIZE

F32 = NDArray[np.float32]
SHAPE = (SIZE, SIZE, 3)
GUEST_SHAPE = (SIZE, SIZE, 4)
# Steps for which the fader must stand still before all weights are mixed once: one that moves by single events, fewer a
# second than there are steps, goes on being mixed on the way. So many moving steps read what one settling step reads
# and writes (traffic.fader_bytes): whatever the fader does, it costs at most twice the bytes that would have done.
STILL = 3


class Prepared(NamedTuple):
    """A network's weights as the kernels read them, in this computer's memory: made once, off the show's thread."""

    plan: Plan
    weights: Packed


def prepared(weights: Weights) -> Prepared:
    """Raises BadWeights."""
    plan = unet_plan(weights, 6)
    return Prepared(plan, packed(plan.constants))


class Graphs(NamedTuple):
    """A step each, see loop.py. `resting` takes the weights that the last `settling` left."""

    settling: Callable[[], None]
    resting: Callable[[], None]
    moving: Callable[[], None]


class FeedbackLoop:
    """Two networks of the same size, mixed; the fed-back picture lives on the machine's card.

    Captures its graphs here, and begins with a black picture. Raises ValueError when the sizes differ, and what the
    machine raises. graphs: for timing them apart; a show calls `step`.
    """

    def __init__(self, a: Prepared, b: Prepared, machine: Machine) -> None:
        plan, self._places = a.plan, a.weights.places
        self._check_size(b)
        self._machine, self._mix, self._still = machine, 0.0, STILL
        self._ends = {"a": a, "b": b}
        self.arrays = {n: machine.memory(buffer) for n, buffer in (plan.buffers | loop_buffers()).items()}
        for letter, end in (("a", a), ("b", b), ("mixed", a)):
            self.arrays |= {f"{letter}_{t}": machine.holding(block) for t, block in end.weights.blocks.items()}
        for name, (t, first, size) in self._places.items():
            self.arrays[name] = self.arrays[f"mixed_{t}"][first : first + size]
        machine.write(self.arrays["settings"], Settings().pack())
        self.start(np.zeros(SHAPE, np.float32))
        steps = settling_launches(plan, a.weights), resting_launches(plan), moving_launches(plan, a.weights)
        self.graphs = Graphs(*(machine.captured(step, self.arrays) for step in steps))  # each runs once, settling first
        self.start(np.zeros(SHAPE, np.float32))  # capturing made pictures too

    def holds(self, a: Prepared, b: Prepared) -> bool:
        """Whether `load` can take these; else another loop must be made."""
        return a.weights.places == self._places == b.weights.places

    def load(self, a: Prepared, b: Prepared) -> None:
        """Puts networks of the same size in the place of those that were mixed. Raises ValueError."""
        for letter, end in (("a", a), ("b", b)):
            if end is self._ends[letter]:
                continue
            self._check_size(end)
            for t, block in end.weights.blocks.items():
                self._machine.write(self.arrays[f"{letter}_{t}"], block)
            self._ends[letter], self._mix = end, np.nan  # the next step mixes anew

    def start(self, picture: F32) -> None:
        """The loop goes on from `picture`, float32 [256, 256, 3] in 0..1."""
        self._machine.write(self.arrays["result"], picture)

    def let_in(self, guest: F32) -> None:
        """What `Settings.inject_gain` lets in from now on: float32 [256, 256, 4] in 0..1, colours and alpha."""
        self._machine.write(self.arrays["guest"], guest)

    def step(self, settings: Settings, mix: float) -> None:
        """One step: asks for it and does not wait. mix: 0..1, costs only while it changes.

        Raises ValueError for a mix outside that range.
        """
        if not 0 <= mix <= 1:
            raise ValueError(f"mix must be in 0..1, got {mix}")
        self._machine.write(self.arrays["settings"], settings.pack())
        if mix != self._mix:
            self._machine.write(self.arrays["mix"], np.array([mix], np.float32))
            self._mix, self._still = mix, -1
        self._still += 1
        graphs = self.graphs
        (graphs.moving if self._still < STILL else graphs.settling if self._still == STILL else graphs.resting)()

    def colour(self, settings: Settings) -> None:
        """What is shown of the picture that is there, in other colours; no step."""
        self._machine.write(self.arrays["settings"], settings.pack())
        self._machine.run([colour_launch()], self.arrays)

    @property
    def picture(self) -> F32:
        """What the loop holds: float32 [256, 256, 3] in 0..1. Waits for it."""
        return self._read("result")

    @property
    def shown(self) -> F32:
        """The same in the last step's colours."""
        return self._read("shown")

    def _read(self, name: str) -> F32:
        values: F32 = self._machine.read(self.arrays[name]).reshape(SHAPE).astype(np.float32, copy=False)
        return values

    def _check_size(self, other: Prepared) -> None:
        if other.weights.places != self._places:
            raise ValueError("a crossfade needs two networks of the same number of filters")
