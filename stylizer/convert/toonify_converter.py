"""Plays a Toonify style live: compiled where the strength rests, plain torch while it moves.

An engine bakes weights in, and compiling takes about a second; a slider moves 25 times a second. So a strength that
stays is compiled in the background, and until then the mixed weights run in torch's own bf16.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor

from stylizer.convert import SIZE, Controls
from stylizer.convert.ink import ink
from stylizer.convert.own_colours import own_colours
from stylizer.convert.toonify import ToonifyNet
from stylizer.engines import Compiled, Engine
from stylizer.logs import log
from stylizer.stages.closeup import SIDE_PX

STEPS = 100  # strengths are told apart to a hundredth
SETTLED_AFTER = 12  # calls with the same strength: half a second at 24 fps
SIZES = (SIZE, SIDE_PX)  # the figure, and the head's own drawing
KEPT = 6 * len(SIZES)  # compiled strengths: 1.0, 0.0 and a few favourites; each holds some 10 MB

Key = tuple[int, int]  # strength in STEPS, side in px


class ToonifyConverter:
    """See convert.Converter."""

    any_size = True

    def __init__(self, net: ToonifyNet, engine: Engine, colours: float = 0.0) -> None:
        """colours: see own_colours; 0..1, none where a look was invented."""
        self._net, self._engine, self._own_colours = net, engine, colours
        self._compiled: OrderedDict[Key, Compiled] = OrderedDict()
        self._mixed: tuple[int, Compiled] | None = None
        self._calls: dict[Key, int] = {}
        self._compiler: threading.Thread | None = None
        self._looks: dict[int, Tensor] = {}

    def warm_up(self) -> None:
        for size in SIZES:
            self._compile((STEPS, size))

    def __call__(self, foreground: Tensor, alpha: Tensor, controls: Sequence[Controls]) -> tuple[Tensor, Tensor]:
        keys = [round(float(c["style_strength"]) * STEPS) for c in controls]
        pictures, alphas = torch.empty_like(foreground), torch.empty_like(alpha)
        for key in dict.fromkeys(keys):
            rows = [i for i, k in enumerate(keys) if k == key]
            picture, drawn = self._network((key, foreground.shape[-1]))(
                foreground[rows], alpha[rows], *self._looks_of([controls[i] for i in rows])
            )
            pictures[rows], alphas[rows] = picture.to(pictures), drawn.to(alphas)
        inked = [
            self._finished(pictures[i : i + 1], alphas[i : i + 1], foreground[i : i + 1], alpha[i : i + 1], c)
            for i, c in enumerate(controls)
        ]
        return torch.cat([picture for picture, _ in inked]), torch.cat([drawn for _, drawn in inked])

    def _finished(
        self, picture: Tensor, drawn: Tensor, foreground: Tensor, matte: Tensor, controls: Controls
    ) -> tuple[Tensor, Tensor]:
        invented = float(controls["look"]) if int(controls["seed"]) else 0.0
        coloured = own_colours(picture, foreground, matte, self._own_colours * (1 - invented))
        return ink(coloured, drawn, foreground, matte, _ink_amount(controls))

    def _looks_of(self, controls: Sequence[Controls]) -> tuple[Tensor, Tensor, Tensor]:
        """look_ws, look and psi as `FixedToonify` takes them. Seed 0 keeps the person's own look."""
        seeds = [int(c["seed"]) for c in controls]
        shares = [float(c["look"]) if seed else 0.0 for c, seed in zip(controls, seeds, strict=True)]
        psi = [float(c["truncation_psi"]) for c in controls]
        ws = torch.cat([self._look(seed) for seed in seeds])
        return ws, torch.tensor(shares)[:, None, None], torch.tensor(psi)[:, None, None]

    def _look(self, seed: int) -> Tensor:
        if seed not in self._looks:
            if len(self._looks) > 100:
                self._looks.clear()
            with torch.inference_mode():
                self._looks[seed] = self._net.look(seed)
        return self._looks[seed]

    def _network(self, key: Key) -> Compiled:
        if key in self._compiled:
            self._compiled.move_to_end(key)
            return self._compiled[key]
        if len(self._calls) > STEPS // 2:  # a slider that never rested
            self._calls.clear()
        self._calls[key] = self._calls.get(key, 0) + 1
        busy = self._compiler is not None and self._compiler.is_alive()
        if self._calls[key] >= SETTLED_AFTER and not busy:
            self._calls.pop(key)
            self._compiler = threading.Thread(target=self._compile, args=(key,), name="compile style", daemon=True)
            self._compiler.start()
        if self._mixed is None or self._mixed[0] != key[0]:
            self._mixed = key[0], self._in_torch(key[0])
        return self._mixed[1]

    def _compile(self, key: Key) -> None:
        strength, size = key
        net = self._net.at_strength(strength / STEPS)
        self._compiled[key] = self._engine.compile(net, self._example(size))
        while len(self._compiled) > KEPT:
            self._compiled.popitem(last=False)
        log.debug("style compiled", strength=strength / STEPS, size=size)

    def _in_torch(self, strength: int) -> Compiled:
        device = self._engine.device
        net = self._net.at_strength(strength / STEPS).to(device)
        dtype = torch.float16 if device.type == "cuda" else torch.bfloat16

        def call(*inputs: Tensor) -> tuple[Tensor, ...]:
            with torch.inference_mode(), torch.autocast(device.type, dtype):
                picture, alpha = net(*(t.to(device) for t in inputs))
            return picture.float(), alpha.float()

        return call

    def _example(self, size: int) -> tuple[Tensor, ...]:
        one = torch.ones(1, 1, 1)
        return torch.zeros(1, 3, size, size), torch.zeros(1, 1, size, size), self._look(1), one * 0, one


def _ink_amount(controls: Controls) -> float:
    """The photo model's picture is not inked."""
    return float(controls["ink"]) * float(controls["style_strength"])
