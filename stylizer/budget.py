"""How many visitors a machine can serve: measured while it serves them, not guessed."""

from collections import deque
from statistics import median

SHARE = 0.7  # of the time may be promised away; LiveKit calls a node full at this load
WINDOW = 120  # steps
SPARE = 2.0  # as many camera pictures as will be drawn: with fewer each drawn one would be older, more are lost work
SHARED = 1.4  # the same with several visitors: whoever sends more waits for the others' to be drawn, in turn
LEAST_CAMERA_FPS, CAMERA_FPS = 5.0, 30.0
LEAST = 10  # steps before a measurement counts; until then only the limit holds


class Budget:
    """Every visitor is promised `min_fps` pictures a second; whoever would break that is refused.

    limit: places there are at most, however fast the machine is. One visitor is always served.
    """

    def __init__(self, limit: int, min_fps: float) -> None:
        self.limit, self.min_fps = limit, min_fps
        self._costs: deque[float] = deque(maxlen=WINDOW)

    def note(self, seconds: float, visitors: int) -> None:
        """One step took `seconds` for a frame of each of `visitors`."""
        self._costs.append(seconds / visitors)

    @property
    def frame_s(self) -> float | None:
        """Seconds for one frame of one visitor, the median: a compilation in between does not count."""
        costs = list(self._costs)
        return median(costs) if len(costs) >= LEAST else None

    def camera_fps(self, visitors: int) -> float:
        """How many pictures a second are worth sending to each of so many: the rest would only be decoded and
        dropped, at the cost of those that are drawn."""
        cost = self.frame_s
        if not cost:
            return CAMERA_FPS
        worth = SPARE / cost if visitors <= 1 else SHARED / (cost * visitors)
        return min(max(worth, LEAST_CAMERA_FPS), CAMERA_FPS)

    @property
    def places(self) -> int:
        cost = self.frame_s
        if not cost:
            return self.limit
        return max(1, min(self.limit, int(SHARE / (cost * self.min_fps))))
