"""The picture's way, for N visitors at once: look, track, crop, matte, convert, compose."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Self

import numpy as np
import torch
from torch import Tensor

from stylizer import controls as table
from stylizer.config import Settings
from stylizer.controls import Value
from stylizer.convert import SIZE
from stylizer.errors import NotFound, Unavailable
from stylizer.frame import Frame, PixelsU8, on_cpu
from stylizer.job import Job, answering_for, timed
from stylizer.ladder import Parts, Rung, open_parts
from stylizer.reference import PASSES, Reference
from stylizer.stages.box import Box
from stylizer.stages.closeup import Closeup, closeup_box, cut_closeup, side_of
from stylizer.stages.compose import Backdrop, canvas_scale, compose
from stylizer.stages.crop import cut, cut_on
from stylizer.stages.eyes import AS_DRAWN, LARGER, Eyes, needed
from stylizer.stages.light import lit
from stylizer.stages.matte import MatteState, View, extent
from stylizer.stages.medium import chosen_medium
from stylizer.stages.mesh import steadied
from stylizer.stages.outline import EVERY_S, outline
from stylizer.stages.steady import settled
from stylizer.stages.track import look_every
from stylizer.visitor import VisitorState

PUT_OFF = 1.5  # times as long the face is waited for while the person is looked for: both would make one picture late


class Pipeline:
    """Compiled networks, shared by all and changed by none; whatever is remembered is in each visitor's state."""

    def __init__(
        self, parts: Parts, detect_every_s: float = 0.2, face_every_s: float = 0.6, crop_px: int = SIZE
    ) -> None:
        self._parts = parts
        self._detect_every_s = detect_every_s
        self._face_every_s = face_every_s
        self._crop_px = crop_px

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Loads what the machine has; `ladder` says what that was. Raises NotFound when there is no style at all."""
        return cls.of(open_parts(settings), settings)

    @classmethod
    def of(cls, parts: Parts, settings: Settings) -> Self:
        """For who needs the parts as well."""
        if not parts.library.names:
            raise NotFound("there is no style, not even the embedded one: the installation is damaged")
        return cls(parts, settings.detect_every_s)

    @property
    def ladder(self) -> tuple[Rung, ...]:
        return self._parts.rungs

    @property
    def batch(self) -> int:
        """How many visitors' frames are worth one step: on a CPU a batch of N takes N times as long."""
        return self._parts.batch

    @property
    def styles(self) -> tuple[str, ...]:
        return self._parts.library.names

    def titles(self, language: str) -> Mapping[str, str]:
        """Style -> what people call it in `language` ("en", "ja")."""
        return self._parts.library.titles(language)

    def refresh_styles(self) -> None:
        """Looks on the disk which styles there are: one that was brought in meanwhile can be chosen from then on."""
        self._parts.library.refresh()

    def warm_up(self) -> None:
        """Loads the first style and runs every network once, so that the first visitor does not wait for compilers."""
        grey = np.full((480, 640, 3), 128, np.uint8)
        self._parts.look(grey)
        body = Box(160, 0, 480, 480)
        self._parts.find_head(grey, body)
        self._parts.matte(torch.zeros(1, 3, SIZE, SIZE), [None], [View(grey, body)])
        self._parts.library.get(self.styles[0])

    def new_state(self, controls: Mapping[str, object] | None = None) -> VisitorState:
        """A visitor's memory with the defaults and `controls` over them; raises as `checked` does."""
        start = table.defaults() | {"style": self.styles[0]}
        return VisitorState(controls=MappingProxyType(start | self.checked(controls or {})))

    def checked(self, changes: Mapping[str, object]) -> dict[str, Value]:
        """All changes checked, a style loaded if need be. Raises BadInput or NotFound: all are taken or none."""
        values = table.checked(changes)
        if "style" in values:
            self._parts.library.load(str(values["style"]))
        return values

    def reference(self, pixels: PixelsU8, style: str) -> Reference:
        """Whoever is in the picture, uint8 [H, W, 3], cut out and encoded for a style. Any thread may ask; takes a
        second at most.

        Raises Unavailable when a stage fails on it.
        """
        state = self.new_state()
        for tick in range(PASSES):
            (job,) = self.see([Frame(pixels, pts=tick)], [state])
            if job.error is not None:
                raise Unavailable("the reference could not be cut out: a stage failed on it") from job.error
        person = None if job.foreground is None or job.matte is None else (job.foreground, job.matte)
        reference = Reference.of(pixels, person)
        self.prepare(reference, style)
        return reference

    def prepare(self, reference: Reference, style: str) -> None:
        """Encodes a reference for a style that is about to play, so that no frame waits for that."""
        reference.prepare(self._parts.library.get(style))

    def step(self, frames: Sequence[Frame], states: Sequence[VisitorState]) -> list[Frame]:
        """One frame from each of N different visitors -> one finished picture each, in the same order.

        A stage that fails costs only its own visitor a picture: the last good one is shown again, marked, then a
        plain card, and `state.error` says why. The camera's own picture is never shown in its place.
        """
        return self.finish(self.draw(self.see(frames, states)))

    def see(self, frames: Sequence[Frame], states: Sequence[VisitorState]) -> list[Job]:
        """The first third of `step`: where the person is, and their matte.

        The thirds may run in several threads, each on its own frame, if the frames pass each of them in order.
        """
        jobs = [Job.of(frame, state) for frame, state in zip(frames, states, strict=True)]
        for job in jobs:
            with answering_for(job):
                self._find(job)
        _together([job for job in jobs if job.crop is not None and job.error is None], self._separate)
        return jobs

    def draw(self, jobs: list[Job]) -> list[Job]:
        """The second third: the drawing, and the head's from nearer."""
        for chosen in _by_style(jobs):
            for alike in _by_side(chosen):
                _together(alike, self._convert_near)
        for chosen in _by_style(jobs):
            _together(chosen, self._convert)
        return jobs

    def finish(self, jobs: list[Job]) -> list[Frame]:
        """The last third: the drawing before its background."""
        for job in jobs:
            if job.error is None:
                with answering_for(job), timed([job], "compose"):
                    backdrop = Backdrop.of(job.controls, job.state.backdrop)
                    convert = self._parts.library.get(str(job.controls["style"]))
                    job.output = compose(
                        job.pixels,
                        job.box,
                        job.picture,
                        job.alpha,
                        backdrop,
                        job.controls,
                        job.matte,
                        job.closeup,
                        job.eyes,
                        chosen_medium(str(job.controls["medium"]), convert.medium),
                    )
                    _outline(job)
        return [job.closed() for job in jobs]

    def _find(self, job: Job) -> None:
        """Where the person is. YOLO and MTCNN look at their own pace; the tracker carries on between."""
        state, now = job.state, job.frame.time_s
        every_s = look_every(self._detect_every_s, state.look_s, state.tracker.moved)
        if _due(state.looked_at_s, now, every_s):
            state.looked_at_s, job.looked = now, True
            with timed([job], "detect"):
                people = self._parts.look(job.pixels)
            state.look_s = job.stages_ms["detect"] / 1000
        else:
            people = None
        with timed([job], "track"):
            state.tracker.update(people, now, job.frame.size[0])
        face_every_s = self._face_every_s * (PUT_OFF if job.looked else 1)
        if state.tracker.target is not None and _due(state.faced_at_s, now, face_every_s):
            state.faced_at_s = now
            with timed([job], "face"):
                state.tracker.see_head(self._parts.find_head(job.pixels, state.tracker.target))
        with timed([job], "crop"):
            filled = job.controls["framing"] == "figure"
            job.box = state.square.update(state.tracker.body, state.tracker.head, job.frame.size, filled=filled)
            if job.box is not None:
                job.gain = state.light.gain
                job.crop = lit(self._cut(job.pixels, job.box), job.gain)
                job.near = self._closeup(job)
        self._find_eyes(job)

    def _cut(self, pixels: PixelsU8, box: Box) -> Tensor:
        """The crop, where the matte's network is."""
        device = self._parts.device
        return cut(pixels, box, self._crop_px) if device.type == "cpu" else cut_on(device, pixels, box, self._crop_px)

    def _closeup(self, job: Job) -> Box | None:
        """Where the head is drawn from nearer: a large one only by a network of its own."""
        convert = self._parts.library.get(str(job.controls["style"]))
        if convert.closeup is None or job.box is None:
            return None
        return closeup_box(job.state.tracker.head, job.box, alone=convert.closeup is not convert)

    def _find_eyes(self, job: Job) -> None:
        """Where a near face has its eyes, if they are to be drawn."""
        state, controls = job.state, job.controls
        if state.subject != state.tracker.generation:
            state.face = None
        head, mesh = state.tracker.head, self._parts.mesh
        convert = self._parts.library.get(str(controls["style"]))
        if mesh is None or job.box is None or head is None or convert.closeup is None:
            return
        alone = convert.closeup is not convert
        wanted = float(controls["eyes"]) * float(controls["style_strength"])
        amount = wanted * needed(head.height * canvas_scale(controls, job.box), alone)
        if amount <= 0:
            return
        with timed([job], "mesh"):
            seen = mesh(job.pixels, head, state.face)
        state.face = None if seen is None else steadied(state.face, seen)
        if state.face is not None:
            job.eyes = Eyes(state.face, amount, int(controls["seed"]), AS_DRAWN if alone else LARGER)

    def _separate(self, jobs: Sequence[Job]) -> None:
        crops = torch.cat([job.crop for job in jobs if job.crop is not None])
        views = [View(job.pixels, job.box) for job in jobs if job.box is not None]
        with timed(jobs, "matte"):
            there, alpha_there, memories = self._parts.matte(crops, [_memory(job.state) for job in jobs], views)
            foreground, alpha = on_cpu(there, alpha_there)
        for i, (job, memory) in enumerate(zip(jobs, memories, strict=True)):
            job.state.matte = memory
            job.foreground, job.matte = foreground[i : i + 1], alpha[i : i + 1]
            job.state.light = job.state.light.seen(job.foreground, job.matte, job.frame.time_s)
            job.on_card = (there[i : i + 1], alpha_there[i : i + 1]) if there.is_cuda else None
            if job.box is not None:
                job.state.tracker.see_extent(extent(job.matte, job.box), job.box, looked=job.looked)
                self._keep_apart(job, views[i])

    def _keep_apart(self, job: Job, view: View) -> None:
        """Takes whoever else is in the crop out of the matte."""
        tracker = job.state.tracker
        others = tracker.others
        if self._parts.apart is None or not others or job.crop is None or job.matte is None:
            return
        with timed([job], "apart"):
            free = self._parts.apart(on_cpu(job.crop)[0], job.matte, view, others, tracker.head, tracker.body)
            if free is None:
                return
            job.matte = job.matte * free
            if job.on_card is not None:
                foreground, alpha = job.on_card
                job.on_card = foreground, alpha * free.to(alpha.device)

    def _convert(self, jobs: Sequence[Job]) -> None:
        """All of one style."""
        convert = self._parts.library.get(str(jobs[0].controls["style"]))
        people = [(job.foreground, job.matte) for job in jobs if job.foreground is not None and job.matte is not None]
        seen = [job.on_card or person for job, person in zip(jobs, people, strict=True)]
        foreground, alpha = (torch.cat(each) for each in zip(*seen, strict=True))
        with timed(jobs, "convert"):
            looks = [job.reference.look(convert) if job.reference else None for job in jobs]
            pictures, alphas = convert(foreground, alpha, [job.controls for job in jobs], looks)
            for i, (job, person) in enumerate(zip(jobs, people, strict=True)):
                drawing = pictures[i : i + 1], alphas[i : i + 1]
                drawn = settled(job.state.drawn, person, drawing, job.frame.time_s, job.controls)
                job.state.drawn, job.picture, job.alpha = drawn, drawn.picture, drawn.alpha

    def _convert_near(self, jobs: Sequence[Job]) -> None:
        """The heads of all of one style."""
        whole = self._parts.library.get(str(jobs[0].controls["style"]))
        convert = whole.closeup
        if convert is None:
            return
        with timed(jobs, "closeup"):
            cuts = [
                cut_closeup(job.pixels, job.matte, job.box, job.near)
                for job in jobs
                if job.matte is not None and job.box is not None and job.near is not None
            ]
            heads, mattes = (torch.cat(each) for each in zip(*cuts, strict=True))
            heads = torch.cat([lit(heads[i : i + 1], job.gain) for i, job in enumerate(jobs)])
            looks = [job.reference.closeup_look(whole) if job.reference else None for job in jobs]
            pictures, alphas = convert(heads, mattes, [job.controls for job in jobs], looks)
            for i, job in enumerate(jobs):
                assert job.near is not None
                person, drawing = (heads[i : i + 1], mattes[i : i + 1]), (pictures[i : i + 1], alphas[i : i + 1])
                head = settled(job.state.head, person, drawing, job.frame.time_s, job.controls)
                job.state.head, job.closeup = head, Closeup(head.picture, head.alpha, job.near)


def _outline(job: Job) -> None:
    """Tells, a few times a second, where the person stands; at once when they are gone."""
    state, now = job.state, job.frame.time_s
    if job.box is None or job.matte is None:
        state.outline, state.outlined_at_s = (), None
    elif _due(state.outlined_at_s, now, EVERY_S):
        state.outline, state.outlined_at_s = outline(job.matte, job.box, job.frame.size), now


def _by_style(jobs: Sequence[Job]) -> list[list[Job]]:
    """Those that can be drawn, all of one style together."""
    seen = [job for job in jobs if job.matte is not None and job.error is None]
    styles = dict.fromkeys(str(job.controls["style"]) for job in seen)
    return [[job for job in seen if job.controls["style"] == style] for style in styles]


def _by_side(jobs: Sequence[Job]) -> list[list[Job]]:
    """Those whose head is drawn from nearer, all of one size together."""
    near = [(side_of(job.near, job.box), job) for job in jobs if job.near is not None and job.box is not None]
    return [[job for s, job in near if s == side] for side in dict.fromkeys(s for s, _ in near)]


def _memory(state: VisitorState) -> MatteState | None:
    """None when another person stands there now: matte and drawing start afresh."""
    if state.subject != state.tracker.generation:
        state.subject = state.tracker.generation
        state.matte = state.drawn = state.head = None
    return state.matte


def _due(last_s: float | None, now_s: float, every_s: float) -> bool:
    """A clock that runs backwards (a film that starts again) counts as due."""
    return last_s is None or now_s < last_s or now_s - last_s >= every_s


def _together(jobs: Sequence[Job], work: Callable[[Sequence[Job]], None]) -> None:
    """All as one batch; if that fails, one by one, to find whose fault it is."""
    if not jobs:
        return
    try:
        work(jobs)
    except Exception:
        for job in jobs:
            with answering_for(job):
                work([job])
