"""Counts of durations in fixed bins, as Prometheus wants them. One writer, any number of readers."""

from bisect import bisect_left
from typing import NamedTuple

BOUNDS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.033, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5)


class Counts(NamedTuple):
    """at_most: for each bound the durations up to it; the last entry counts all."""

    at_most: tuple[int, ...]
    sum_s: float


class Histogram:
    """Durations in seconds, in the bins that end at BOUNDS_S and one beyond."""

    def __init__(self) -> None:
        self._bins = [0] * (len(BOUNDS_S) + 1)
        self._sum_s = 0.0

    def add(self, seconds: float) -> None:
        self._bins[bisect_left(BOUNDS_S, seconds)] += 1
        self._sum_s += seconds

    def counts(self) -> Counts:
        total = 0
        at_most = tuple(total := total + count for count in self._bins)
        return Counts(at_most, self._sum_s)
