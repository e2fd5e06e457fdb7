"""Whose box is it when two people cross? Everybody in view is followed, so that nobody else is taken for the subject.

Overlap with the last box alone would hand the picture over: while a walker covers the subject the detector sees one
person, and the next look finds the walker nearer to that box than the one who comes out behind them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import dist, inf

from stylizer.stages.box import Box, iou, shared

MIN_IOU = 0.2  # a walker 0.5 m wide, seen every 0.2 s, still overlaps himself by 0.25
FORGET_S = 1.0  # without being seen; also how far ahead a walk is believed
LEAP = 2.0  # body heights a second: who runs, or is looked for rarely, may lie beside his last box. Some 3.5 m/s
LEAP_S = 0.7  # between two looks; after longer, anybody could have come
ALIKE = 0.75  # of the height, between two looks
HIDDEN = 0.85  # of the width in the clear; a box that nobody touches hardly shrinks that much from look to look
TOUCH = 0.2  # of the narrower one's width may lie between two boxes that may still be cut off by each other
NESTED = 0.8  # of a new box within the subject's: a second box of theirs, not somebody else
SPEED_HALF_S = 0.2  # an older speed counts half after this long: a detector's box jumps by some percent of its width


@dataclass(slots=True)
class Walker:
    """box: as last seen, at seen_s. width: of the whole of them, px. speed: of its middle, px/s, (x, y);
    None: seen once."""

    box: Box
    seen_s: float
    width: float
    speed: tuple[float, float] | None = None

    def at(self, time_s: float) -> Box:
        """Where the box is by then if they walk on as they did."""
        ahead_s = min(max(time_s - self.seen_s, 0.0), FORGET_S)
        x, y = self.speed or (0.0, 0.0)
        return self.box.moved(x * ahead_s, y * ahead_s)

    def see(self, box: Box, time_s: float, *, touched: bool) -> None:
        """touched: another box lies over this one. Then part of them may be hidden, and where the middle of what is
        seen moves says little: they go on as they went, and whoever looks narrower counts as where they were going."""
        passed_s = time_s - self.seen_s
        if touched and box.width < HIDDEN * self.width:
            box = self.at(time_s)
        elif not touched:
            self.width = box.width
            if passed_s > 0:
                newest = [(b - a) / passed_s for a, b in zip(self.box.centre, box.centre, strict=True)]
                share = 1 - 0.5 ** (passed_s / SPEED_HALF_S)
                x, y = (v + share * (n - v) for n, v in zip(newest, self.speed or newest, strict=True))
                self.speed = x, y
        self.box, self.seen_s = box, time_s

    def reach(self, box: Box, time_s: float) -> float:
        """How much of the way that they could have come since lies before `box`: above 1 it is somebody else."""
        alike = ALIKE <= box.height / self.box.height <= 1 / ALIKE
        if not alike or not 0 < (passed_s := time_s - self.seen_s) <= LEAP_S:
            return inf
        return dist(self.at(time_s).centre, box.centre) / (LEAP * self.box.height * passed_s)


class Crossing:
    """The subject and the others of one visitor's view, from look to look."""

    def __init__(self, subject: Box, boxes: Sequence[Box], time_s: float) -> None:
        """boxes: of all in view, the subject among them."""
        self._subject = Walker(subject, time_s, subject.width)
        self._others = [Walker(box, time_s, box.width) for box in boxes if not _within(box, subject)]
        self._looked_s = time_s

    def look(self, boxes: Sequence[Box], last: Box, time_s: float) -> Box | None:
        """The subject's box among those detected at `time_s`, None without one that is likelier theirs than another's.

        last: where the subject was just now by other means (the matte carries them between two looks).
        """
        self._others = [other for other in self._others if time_s - other.seen_s <= FORGET_S]
        known = [self._subject, *self._others]
        places = self._subject.at(time_s), self._subject.box, last  # they may have stopped while they were hidden
        claims = [(max(iou(place, box) for place in places), 0, j) for j, box in enumerate(boxes)]
        claims += [(iou(o.at(time_s), box), i, j) for i, o in enumerate(self._others, 1) for j, box in enumerate(boxes)]
        owners: dict[int, int] = {}
        for overlap, who, which in sorted(claims, reverse=True):
            if overlap >= MIN_IOU and who not in owners and which not in owners.values():
                owners[who] = which
        # Somebody hidden did not leap: the one who comes into view meanwhile is somebody else.
        hidden = any(iou(boxes[which], self._subject.box) >= MIN_IOU for which in owners.values())
        leaping = [(i, w) for i, w in enumerate(known) if w.seen_s == self._looked_s and (i or not hidden)]
        leaps = [(w.reach(box, time_s), i, j) for i, w in leaping for j, box in enumerate(boxes)]
        for reach, who, which in sorted(leaps):
            if reach <= 1 and who not in owners and which not in owners.values():
                owners[who] = which
        for who, which in owners.items():
            touched = any(_touch(boxes[which], box) for i, box in enumerate(boxes) if i != which)
            known[who].see(boxes[which], time_s, touched=touched)
        self._looked_s = time_s
        strangers = (box for which, box in enumerate(boxes) if which not in owners.values())
        self._others += [Walker(box, time_s, box.width) for box in strangers if not _within(box, self._subject.box)]
        return boxes[owners[0]] if 0 in owners else None

    def others(self, time_s: float) -> list[Box]:
        """Where everybody else is by then."""
        return [other.at(time_s) for other in self._others if time_s - other.seen_s <= FORGET_S]

    @property
    def touched(self) -> bool:
        """At the last look somebody stood so near that a matte of the subject may hold both."""
        newest_s = max(walker.seen_s for walker in (self._subject, *self._others))
        return any(o.seen_s == newest_s and _touch(o.box, self._subject.box) for o in self._others)

    def covered(self, time_s: float) -> bool:
        """Somebody seen just now stands where the subject is: not seeing them does not mean that they left."""
        where = self._subject.at(time_s)
        return any(o.seen_s == time_s and iou(o.box, where) >= MIN_IOU for o in self._others)


def _touch(a: Box, b: Box) -> bool:
    """Of two people one before the other a detector may draw two boxes side by side."""
    both = shared(a, b)
    return both.width > -TOUCH * min(a.width, b.width) and both.height > 0


def _within(box: Box, subject: Box) -> bool:
    return shared(box, subject).area >= NESTED * box.area
