"""Whose box is it when two people cross? Everybody in view is followed, so that nobody else is taken for the subject.

Overlap with the last box alone would hand the picture over: while a walker covers the subject the detector sees one
person, and the next look finds the walker nearer to that box than the one who comes out behind them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from stylizer.stages.box import Box, iou

MIN_IOU = 0.2  # a walker 0.5 m wide, seen every 0.2 s, still overlaps himself by 0.25
FORGET_S = 1.0  # without being seen; also how far ahead a walk is believed
HIDDEN = 0.85  # of the width known; a box in the clear hardly shrinks that much from look to look
NESTED = 0.8  # of a new box within the subject's: a second box of theirs, not somebody else
SPEED_ALPHA = 0.5  # weight of the newest speed: a detector's box jumps by some percent of its width


@dataclass(slots=True)
class Walker:
    """box: as last seen, at seen_s. speed: of its middle, px/s, (x, y)."""

    box: Box
    seen_s: float
    speed: tuple[float, float] = (0.0, 0.0)

    def at(self, time_s: float) -> Box:
        """Where the box is by then if they walk on as they did."""
        ahead_s = min(max(time_s - self.seen_s, 0.0), FORGET_S)
        return self.box.moved(self.speed[0] * ahead_s, self.speed[1] * ahead_s)

    def see(self, box: Box, time_s: float, *, touched: bool) -> None:
        """touched: another box lies over this one. Then part of them may be hidden, and where the middle of what is
        seen moves says little: they go on as they went, and who looks narrower is where they were going."""
        passed_s = time_s - self.seen_s
        if touched and box.width < HIDDEN * self.box.width:
            box = self.at(time_s)
        elif not touched and passed_s > 0:
            newest = ((b - a) / passed_s for a, b in zip(self.box.centre, box.centre, strict=True))
            x, y = (SPEED_ALPHA * n + (1 - SPEED_ALPHA) * v for n, v in zip(newest, self.speed, strict=True))
            self.speed = x, y
        self.box, self.seen_s = box, time_s


class Crossing:
    """The subject and the others of one visitor's view, from look to look."""

    def __init__(self, subject: Box, boxes: Sequence[Box], time_s: float) -> None:
        """boxes: of all in view, the subject among them."""
        self._subject = Walker(subject, time_s)
        self._others = [Walker(box, time_s) for box in boxes if not _within(box, subject)]

    def look(self, boxes: Sequence[Box], last: Box, time_s: float) -> Box | None:
        """The subject's box among those detected at `time_s`, None when there is none that is not more another's.

        last: where the subject was just now by other means (the matte carries them between two looks).
        """
        self._others = [other for other in self._others if time_s - other.seen_s <= FORGET_S]
        known = [self._subject, *self._others]
        places = [self._subject.at(time_s), self._subject.box]  # they may have stopped while they were hidden
        if not self._others:  # with somebody else there the matte may have taken both in
            places.append(last)
        claims = [(max(iou(place, box) for place in places), 0, j) for j, box in enumerate(boxes)]
        claims += [(iou(o.at(time_s), box), i, j) for i, o in enumerate(self._others, 1) for j, box in enumerate(boxes)]
        owners: dict[int, int] = {}
        for overlap, who, which in sorted(claims, reverse=True):
            if overlap >= MIN_IOU and who not in owners and which not in owners.values():
                owners[who] = which
        for who, which in owners.items():
            touched = any(iou(boxes[which], box) > 0 for i, box in enumerate(boxes) if i != which)
            known[who].see(boxes[which], time_s, touched=touched)
        strangers = (box for which, box in enumerate(boxes) if which not in owners.values())
        self._others += [Walker(box, time_s) for box in strangers if not _within(box, self._subject.box)]
        return boxes[owners[0]] if 0 in owners else None

    def covered(self, time_s: float) -> bool:
        """Somebody seen just now stands where the subject is: not seeing them does not mean that they left."""
        where = self._subject.at(time_s)
        return any(o.seen_s == time_s and iou(o.box, where) >= MIN_IOU for o in self._others)


def _within(box: Box, subject: Box) -> bool:
    overlap = iou(box, subject)
    return overlap * (box.area + subject.area) / (1 + overlap) >= NESTED * box.area
