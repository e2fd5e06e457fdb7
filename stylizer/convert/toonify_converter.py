"""Plays a Toonify style live: compiled where the strength rests, plain torch while it moves.

An engine bakes weights in, and compiling takes about a second; a slider moves 25 times a second. So a strength that
stays is compiled in the background, and until then the mixed weights run in torch's own bf16.
"""

import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from stylizer.controls import defaults
from stylizer.convert import SIZE, Controls, Look
from stylizer.convert.compiled import CompiledNetworks
from stylizer.convert.ink import ink, occupied
from stylizer.convert.looks import Looks
from stylizer.convert.own_colours import own_colours
from stylizer.convert.toonify import ToonifyNet
from stylizer.engines import Compiled, Engine
from stylizer.frame import on_cpu
from stylizer.logs import log
from stylizer.stages.closeup import NEAR_PX, SIDE_PX
from stylizer.stages.medium import Medium

STEPS = 100  # strengths are told apart to a hundredth
SETTLED_AFTER = 12  # calls with the same strength: half a second at 24 fps
HEADS = (SIDE_PX, NEAR_PX)  # px
RARER = 5  # after each failure 2**5 times as many calls until it is compiled again: 16 s, then 9 minutes, hours
WIDTHS = (128, 192)  # px that are enough for who stands upright; the network's cost goes with the width
GRID_PX = 16  # of the features: a picture moved by so much gives the same features, moved

Key = tuple[int, int, int]  # strength in STEPS, height and width in px


class ToonifyConverter:
    """See convert.Converter."""

    def __init__(
        self,
        net: ToonifyNet,
        engine: Engine,
        colours: float = 0.0,
        inked: bool = True,
        sides: Sequence[int] = (),
        compiled: CompiledNetworks | None = None,
        medium: Medium | None = None,
    ) -> None:
        """colours: see own_colours; 0..1, less as far as another look is taken. inked: whether `ink` is for it:
        a network for heads draws its lines itself.

        sides: px of the squares that the first frames will bring; by default those of what the network is for.
        compiled: shared with other styles.
        """
        self._net, self._engine, self._own_colours, self.medium = net, engine, colours, medium
        self._compiled = compiled = CompiledNetworks.on(engine.device) if compiled is None else compiled
        self._mixed: tuple[int, Compiled] | None = None
        self._calls: dict[Key, int] = {}
        self._failed: Counter[Key] = Counter()
        self._compiler: threading.Thread | None = None
        self._looks = Looks(net)
        self._inked = inked
        self._sides = sides or ((SIZE,) if net.head else (SIZE, SIDE_PX))
        self.closeup = ToonifyConverter(net.head, engine, colours, False, HEADS, compiled) if net.head else self

    def warm_up(self) -> None:
        with ThreadPoolExecutor() as both:  # most of it is the conversion, in a process of its own
            head = both.submit(self.closeup.warm_up) if self.closeup is not self else None
            for side in self._sides:
                self._compile((STEPS, side, side))
            if head is not None:
                head.result()

    def look_of(self, foreground: Tensor, alpha: Tensor) -> Look:
        return self._looks.of_person(foreground, alpha)

    def __call__(
        self, foreground: Tensor, alpha: Tensor, controls: Sequence[Controls], looks: Sequence[Look | None]
    ) -> tuple[Tensor, Tensor]:
        strengths = [round(float(c["style_strength"]) * STEPS) for c in controls]
        pictures, alphas = torch.zeros(foreground.shape), torch.zeros(alpha.shape)
        for strength in dict.fromkeys(strengths):
            rows = [i for i, s in enumerate(strengths) if s == strength]
            alike = slice(None) if len(rows) == len(strengths) else rows  # a slice is no copy
            network, columns = self._network(strength, alpha[alike])
            person, matte = foreground[alike, :, :, columns], alpha[alike, :, :, columns]
            wishes, others = [controls[i] for i in rows], [looks[i] for i in rows]
            drawn, opacity = network(person, matte, *self._looks.tensors(wishes, others))
            drawn, opacity, person, matte = on_cpu(drawn, opacity, person, matte)
            for k, i in enumerate(rows):
                one = slice(k, k + 1)
                pictures[i, :, :, columns], alphas[i, :, :, columns] = self._finished(
                    drawn[one], opacity[one], person[one], matte[one], controls[i], looks[i]
                )
        return pictures, alphas

    def _finished(
        self,
        picture: Tensor,
        drawn: Tensor,
        foreground: Tensor,
        matte: Tensor,
        controls: Controls,
        look: Look | None,
    ) -> tuple[Tensor, Tensor]:
        amount = self._own_colours * (1 - self._looks.share(controls, look))
        coloured = own_colours(picture, foreground, matte, amount)
        return ink(coloured, drawn, foreground, matte, _ink_amount(controls) if self._inked else 0.0)

    def _network(self, strength: int, matte: Tensor) -> tuple[Compiled, slice]:
        """The network for mattes [N, 1, H, W], and the columns of the picture to put in: all, or as few as hold the
        figure."""
        height, width = matte.shape[-2:]
        columns = columns_of(matte) if self._engine.device.type == "cpu" else slice(0, width)
        whole = slice(0, width)
        for part in (columns, whole) if columns != whole else (whole,):
            key = strength, height, part.stop - part.start
            if (compiled := self._compiled.get((self._net, key))) is not None:
                return compiled, part
            self._ask_for(key)
        if self._mixed is None or self._mixed[0] != strength:
            self._mixed = strength, self._in_torch(strength)
        return self._mixed[1], columns

    def _ask_for(self, key: Key) -> None:
        """Compiles it in the background once it has been asked for often."""
        if len(self._calls) > STEPS // 2:  # a slider that never rested
            self._calls.clear()
        self._calls[key] = self._calls.get(key, 0) + 1
        busy = self._compiler is not None and self._compiler.is_alive()
        if self._calls[key] >= SETTLED_AFTER << RARER * self._failed[key] and not busy:
            self._calls.pop(key)
            # No daemon: OpenVINO aborts a process that ends while it compiles. The end waits, for a second or so.
            self._compiler = threading.Thread(
                target=self._try_to_compile, args=(key,), name="compile style", daemon=False
            )
            self._compiler.start()

    def _try_to_compile(self, key: Key) -> None:
        try:
            self._compile(key)
        except Exception:  # a full disk, say: torch goes on drawing it
            self._failed[key] += 1
            log.exception("style not compiled", strength=key[0] / STEPS, failed=self._failed[key])

    def _compile(self, key: Key) -> None:
        strength, height, width = key
        net = self._net.at_strength(strength / STEPS)
        compiled = self._engine.compile(net, self._example(height, width), any_size=True)
        self._compiled.keep((self._net, key), compiled)
        log.debug("style compiled", strength=strength / STEPS, size=f"{width}x{height}")

    def _in_torch(self, strength: int) -> Compiled:
        device = self._engine.device
        net = self._net.at_strength(strength / STEPS).to(device)
        dtype = torch.float16 if device.type == "cuda" else torch.bfloat16

        def call(*inputs: Tensor) -> tuple[Tensor, ...]:
            with torch.inference_mode(), torch.autocast(device.type, dtype):
                picture, alpha = net(*(t.to(device) for t in inputs))
            return picture.float(), alpha.float()

        return call

    def _example(self, height: int, width: int) -> tuple[Tensor, ...]:
        looks = self._looks.tensors([defaults()], [None])
        return torch.zeros(1, 3, height, width), torch.zeros(1, 1, height, width), *looks


def columns_of(matte: Tensor) -> slice:
    """The columns of mattes [N, 1, H, W] that hold all that is seen, with some air: as many as the least width that is
    enough, from a multiple of GRID_PX on; all when none is."""
    whole = matte.shape[-1]
    opacity = matte.amax((0, 1)).numpy()
    _, seen = occupied(opacity, opacity)
    for width in (each for each in WIDTHS if each < whole):
        start = min(max(round((seen.start + seen.stop - width) / 2 / GRID_PX) * GRID_PX, 0), whole - width)
        if start <= seen.start and seen.stop <= start + width:
            return slice(start, start + width)
    return slice(0, whole)


def _ink_amount(controls: Controls) -> float:
    """The photo model's picture is not inked."""
    return float(controls["ink"]) * float(controls["style_strength"])
