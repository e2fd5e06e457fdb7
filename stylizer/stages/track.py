"""Follows one person from frame to frame and keeps their box steady."""

from collections.abc import Sequence
from math import inf

from stylizer.stages.box import Box
from stylizer.stages.bystanders import Crossing
from stylizer.stages.detect import Detection

__all__ = ["ALPHA", "REFERENCE_HZ", "Box", "SubjectTracker", "rescaled_alpha", "smooth"]

ALPHA = 0.8  # weight of the new box at 16 frames a second (KaiRA's): removes the tremble, not the motion
REFERENCE_HZ = 16.0
RELEASE_S = 1.0
CALM, REST = 0.04, 3  # who has moved less than this share of their height is looked for this many times less often
LOOK_SHARE = 0.1  # of the time may be spent on looking
MAX_CARRIED = 0.25  # of the body's height; a matte that moves further since the last look has taken in something else
CUT = 0.01  # of the crop's side: an extent that comes so near to its edge goes on beyond
COVERED_S = 3.0  # whoever is hidden by somebody else is waited for this long

Sides = list[float | None]


def smooth(prev: Box | None, new: Box, *, alpha: float) -> Box:
    """Exponential moving average of two boxes; `prev` None starts a new track.

    alpha: weight of the new box, 0 < alpha <= 1; 1 follows every detection.
    Raises ValueError when alpha is outside that range.
    """
    if not 0 < alpha <= 1:
        raise ValueError(f"alpha must be in (0, 1], got {alpha}")
    if prev is None:
        return new
    return Box(*(alpha * n + (1 - alpha) * p for p, n in zip(prev, new, strict=True)))


def rescaled_alpha(alpha: float, interval_s: float, reference_hz: float = REFERENCE_HZ) -> float:
    """The weight for one step of `interval_s` that moves as far as steps of 1/reference_hz with `alpha` do in that
    time.

    What remains of the old box after a time t is (1 - alpha) ** (t * reference_hz), however many steps t is cut into.
    """
    if not 0 < alpha <= 1:
        raise ValueError(f"alpha must be in (0, 1], got {alpha}")
    if interval_s < 0:
        raise ValueError(f"interval_s must not be negative, got {interval_s}")
    return 1 - float((1 - alpha) ** (interval_s * reference_hz))


def look_every(least_s: float, cost_s: float, moved: float | None) -> float:
    """Seconds between two looks for the person: never below `least_s`, nor more of the time than LOOK_SHARE.

    cost_s: what a look takes here. moved: see SubjectTracker; a calm one is carried by the matte and looked for less.
    """
    calm = moved is not None and moved < CALM
    return min(max(least_s * (REST if calm else 1), cost_s / LOOK_SHARE), max(least_s, RELEASE_S))


def _uncut(extent: Box, crop: Box) -> Sides:
    """An extent without the sides on which the crop ends it."""
    slack = CUT * crop.width
    return [None if abs(side - end) < slack else side for side, end in zip(extent, crop, strict=True)]


class SubjectTracker:
    """Memory of one visitor: whom we follow, and where. Time comes with the frames; the clock is never read.

    body, head: smoothed, in pixels of the frame; None while nobody is followed (or no head was seen yet).
    target: the body as last detected and since carried along by the matte, not smoothed: where to look for the head.
    moved: how far the matte's extent has moved since the last look, share of the body's height; None: it shows nothing.
    generation: grows with every new subject; whoever remembers pictures of the old one must then forget them.
    """

    def __init__(self, alpha: float = ALPHA, release_s: float = RELEASE_S) -> None:
        self._alpha = alpha
        self._release_s = release_s
        self._width = inf
        self.generation = 0
        self.reset()

    def reset(self) -> None:
        """Nobody is followed; the generation only ever grows."""
        self.body: Box | None = None
        self.head: Box | None = None
        self.target: Box | None = None
        self.moved: float | None = None
        self._head_target: Box | None = None
        self._anchor: tuple[Box, Sides] | None = None
        self._crossing: Crossing | None = None
        self._seen_s = 0.0
        self._time_s = 0.0

    @property
    def others(self) -> list[Box]:
        """Where everybody else in view is, in pixels of the frame."""
        return [] if self._crossing is None else self._crossing.others(self._time_s)

    def update(self, detections: Sequence[Detection] | None, time_s: float, width: float = inf) -> Box | None:
        """One frame at `time_s`; `detections` None when nobody looked; width: the frame's, px. Returns the smoothed
        body.

        The largest person is taken at entry, later whoever goes on as they did (see `Crossing`). Unseen, the box is
        held for 1 s of looks in vain, behind somebody else for 3 s, and then released. A time before the last frame's
        (a film starts again) begins anew.
        """
        self._width = width
        if time_s < self._time_s:
            self.reset()
        if detections is not None:
            self._match([d.box for d in detections], time_s)
        self._step(time_s - self._time_s)
        self._time_s = time_s
        return self.body

    def see_head(self, head: Box | None) -> None:
        """The head found in `target`; None when it was looked for in vain: then it stays where it was on the body."""
        if self.target is not None and head is not None:
            self._head_target = head
            self.head = self.head or head

    def see_extent(self, extent: Box | None, crop: Box, *, looked: bool) -> None:
        """What the matte shows of the person: the box around it, and that of the crop, in pixels of the frame.

        looked: the body was looked for in this very frame. Later frames move each side of that body as far as the same
        side of the extent has moved since: the detector's box and the matte's differ by hair and shadow, their motion
        does not. Where the crop cuts the person off it moves nothing, or it would follow itself. While somebody else is
        that near, the body stays where it was last seen: the matte may hold both.
        """
        if self._crossing is not None and self._crossing.touched:
            self._anchor = self.moved = None
        elif extent is None or self.target is None:
            self.moved = None
        elif looked or self._anchor is None:
            self._anchor, self.moved = (self.target, _uncut(extent, crop)), 0.0
        else:
            body, first = self._anchor
            sides = zip(_uncut(extent, crop), first, strict=True)
            shifts = [0.0 if now is None or then is None else now - then for now, then in sides]
            self.moved = max(map(abs, shifts)) / body.height
            if self.moved <= MAX_CARRIED:
                self._move_target(Box(*(side + shift for side, shift in zip(body, shifts, strict=True))))

    def _match(self, boxes: Sequence[Box], time_s: float) -> None:
        if self.target is not None and self._crossing is not None:
            own = self._crossing.look(boxes, self.target, time_s)
            if own is not None:
                self._move_target(own)
                self._seen_s = time_s
                return
            if time_s - self._seen_s <= (COVERED_S if self._crossing.covered(time_s) else self._release_s):
                return
            self.reset()
        self.target = max(boxes, key=lambda b: b.area, default=None)
        if self.target is not None:
            self._crossing = Crossing(self.target, boxes, time_s)
            self.generation += 1
            self._seen_s = time_s

    def _move_target(self, new: Box) -> None:
        """An unseen head goes up and down with the body's upper edge, and aside as far as both sides do: one alone is
        an arm. Of whom the frame cuts off, it goes with the middle."""
        assert self.target is not None
        if self._head_target is not None:
            old, left, right = self.target, new.x0 - self.target.x0, new.x1 - self.target.x1
            aside = (left + right) / 2
            if 0 < min(old.x0, new.x0) and max(old.x1, new.x1) < self._width:
                aside = min(left, right, key=abs) if left * right > 0 else 0.0
            self._head_target = self._head_target.moved(aside, new.y0 - old.y0)
        self.target = new

    def _step(self, interval_s: float) -> None:
        """Moves the smoothed boxes towards their targets."""
        if self.target is None:
            return
        if self.body is None:
            self.body = self.target
        if interval_s > 0:
            alpha = rescaled_alpha(self._alpha, interval_s)
            self.body = smooth(self.body, self.target, alpha=alpha)
            if self._head_target is not None:
                self.head = smooth(self.head, self._head_target, alpha=alpha)
