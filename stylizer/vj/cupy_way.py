"""The loop on our own CUDA kernels: a step is one graph, launched by CuPy."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from kernels.card import CardFailed, Machine
from kernels.feedback import Settings
from kernels.feedback_loop import F32, FeedbackLoop, Prepared, prepared
from kernels.pict import BadWeights
from stylizer.engines.card import ALONE
from stylizer.errors import Unavailable
from stylizer.vj.bank import Model
from stylizer.vj.feedback import NOISE_SEEN
from stylizer.vj.inject import Guest
from stylizer.vj.moment import Moment
from stylizer.vj.noise import SIZE, ahead_s, away
from stylizer.vj.widen import widened

Models = tuple[Model, Model]
KEPT = 4  # models made ready


class _Made(NamedTuple):
    """loop: None where the one that plays can take these networks."""

    models: Models
    ends: tuple[Prepared, Prepared]
    loop: FeedbackLoop | None


class CupyWay:
    """open_machine: of a card; each loop gets one of its own. seed: of the noise. wait: off-line, ready on the spot.

    Both models run at the width of the wider one, so that the fader may move at any time. While other models are made
    ready, those that play go on.
    """

    name = "own CUDA kernels, one graph a step (CuPy)"

    def __init__(self, open_machine: Callable[[], Machine] | None = None, *, seed: int = 0, wait: bool = False) -> None:
        self._open_machine = open_machine or open_card
        self._place, self._ahead_s, self._wait = away(seed), ahead_s(seed), wait
        self._loop: FeedbackLoop | None = None
        self._playing: Models | None = None
        self._ready: dict[tuple[Model, int], Prepared] = {}
        self._worker = ThreadPoolExecutor(1, "vj-kernels")  # its thread is waited for when the process ends
        self._job: Future[_Made] | None = None
        self._guest: Guest | None = None
        self._dreamt: Moment | None = None
        self._held = torch.zeros(1, 3, SIZE, SIZE)

    def ready(self, models: Models) -> bool:
        if models != self._playing and self._job is None:
            self._job = self._worker.submit(self._made, models)
        if self._job is not None and (self._wait or self._job.done()):
            job, self._job = self._job, None
            with _failing():
                self._take(job.result())
            return self.ready(models)  # by now others may be wanted
        return self._loop is not None

    def prepare(self, models: Models) -> None:
        del models  # made beside the show in any case

    def start(self, picture: Tensor) -> None:
        self._held, self._dreamt = picture.float().cpu(), None
        if self._loop is not None:
            with _failing():
                self._loop.start(_interleaved(self._held))

    def dream(self, moment: Moment) -> Tensor:
        assert self._loop is not None, "ready comes first"
        with _failing():
            if moment.guest is not None and moment.guest is not self._guest:
                self._loop.let_in(_interleaved(torch.cat((moment.guest.picture, moment.guest.alpha), 1)))
                self._guest = moment.guest
            self._loop.step(self._settings(moment), moment.number("crossfade"))
            self._held, self._dreamt = _planar(self._loop.picture), moment
        return self._held

    def coloured(self, moment: Moment) -> Tensor:
        assert self._loop is not None, "ready comes first"
        with _failing():
            if moment is not self._dreamt:  # else the step has coloured it
                self._loop.colour(self._settings(moment))
            return _planar(self._loop.shown)

    @property
    def picture(self) -> Tensor:
        return self._held

    def _settings(self, moment: Moment) -> Settings:
        return settings_of(moment, self._place, self._ahead_s)

    def _take(self, made: _Made) -> None:
        """The show goes over to what was made ready, with the picture that it holds."""
        if made.loop is not None:
            self._loop, self._guest = made.loop, None
            self.start(self._held)
        elif self._loop is not None:
            self._loop.load(*made.ends)
        self._playing = made.models

    def _made(self, models: Models) -> _Made:
        """Beside the show: packs the weights; compiles and captures where the width is new."""
        filters = max(model.filters for model in models)
        ends = self._prepared(models[0], filters), self._prepared(models[1], filters)
        if self._loop is not None and self._loop.holds(*ends):
            return _Made(models, ends, None)
        with ALONE:  # it captures its graphs
            return _Made(models, ends, FeedbackLoop(*ends, self._open_machine()))

    def _prepared(self, model: Model, filters: int) -> Prepared:
        key = (model, filters)
        if key not in self._ready:
            while len(self._ready) >= KEPT:
                self._ready.pop(next(iter(self._ready)))
            self._ready[key] = prepared(widened(model.weights, filters))
        return self._ready[key]


def settings_of(moment: Moment, place: float = 0.0, ahead_s: float = 0.0) -> Settings:
    """The controls in the kernels' words. place, ahead_s: where in the noise and its time the show's seed lies."""
    number, fold = moment.number, moment.controls["fold"]
    a, b, c = (amplitude if amplitude > NOISE_SEEN else 0.0 for amplitude in moment.amplitudes)
    return Settings(
        rate=number("rate"),
        zoom=number("zoom"),
        rotate=number("rotate") / 360,
        move_x=number("shift_x"),
        move_y=number("shift_y"),
        kaleidoscope=int(number("segments")) if fold == "kaleidoscope" else 0,
        mirror_x=fold in ("mirror", "quad"),
        mirror_y=fold == "quad",
        focus=number("focus"),
        amplitudes=(a, b, c),
        time_s=ahead_s + moment.noise_s,
        place=place,
        inject_gain=number("inject_gain") if moment.guest is not None else 0.0,
        blend=str(moment.controls["inject_blend"]),
        hue=number("hue"),
        invert=number("invert"),
        false_colour=number("false_colour"),
        shown_s=moment.time_s,
    )


def open_card() -> Machine:
    """Raises Unavailable without CuPy."""
    try:
        from kernels.cuda import Card  # brings in cupy: only here, where a card was found
    except ImportError as error:
        raise Unavailable(f"CuPy cannot be imported: {error}") from None
    return Card()


def _interleaved(picture: Tensor) -> F32:
    """[1, C, H, W] -> [H, W, C], as the kernels have it."""
    return np.ascontiguousarray(picture[0].permute(1, 2, 0).float().cpu().numpy())


def _planar(picture: F32) -> Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1)[None].contiguous()


@contextmanager
def _failing() -> Iterator[None]:
    try:
        yield
    except (CardFailed, BadWeights) as error:  # weights that fp16 does not hold
        raise Unavailable(f"{CupyWay.name} failed: {error}") from error
