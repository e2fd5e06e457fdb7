"""Where the person is: YOLO and MTCNN look at their own pace, and the tracker carries on between.

A look takes up to half as long as a whole picture. Whoever is watched live and followed already does not wait for it:
it is taken when the picture has been shown, and what it found is told to a later frame. So looks make no picture late.
"""

from collections.abc import Callable, Sequence

from stylizer.frame import PixelsU8
from stylizer.job import Job, timed
from stylizer.stages.box import Box
from stylizer.stages.detect import Detection
from stylizer.stages.track import Glance, look_every

FindPeople = Callable[[PixelsU8], Sequence[Detection]]
FindHead = Callable[[PixelsU8, Box], Box | None]

STALE_S = 0.5  # with frames further apart what a look behind one tells the next is too old
PUT_OFF = 1.5  # times as long the face is waited for while the person is looked for: not both at once


class Looking:
    """Immutable; what is remembered of a visitor is in their state.

    people_every_s, head_every_s: seconds between two looks for people and for the head, at least.
    """

    def __init__(
        self, find_people: FindPeople, find_head: FindHead, people_every_s: float, head_every_s: float
    ) -> None:
        self._find_people, self._find_head = find_people, find_head
        self._people_every_s, self._head_every_s = people_every_s, head_every_s

    def before(self, job: Job) -> None:
        """Moves the tracker on to this frame: by a look at it where nobody is followed yet, else by what looks behind
        earlier ones found. Raises what a look raised."""
        state, tracker, now = job.state, job.state.tracker, job.frame.time_s
        told = _told(job)
        at_once = not state.live or tracker.target is None or not 0 <= now - tracker.time_s <= STALE_S
        looks = due(state.looked_at_s, now, look_every(self._people_every_s, state.look_s, tracker.moved))
        if looks:
            state.looked_at_s = now
        if looks and at_once:
            job.looked = True
            with timed([job], "detect"):
                people: Sequence[Detection] | None = self._find_people(job.pixels)
            state.look_s = job.stages_ms["detect"] / 1000
        else:
            people = None
            for glance in told:
                tracker.recall(glance)
        with timed([job], "track"):
            tracker.update(people, now)
        if tracker.target is None:
            return
        turns = due(state.faced_at_s, now, self._head_every_s * (PUT_OFF if looks else 1))
        if turns:
            state.faced_at_s = now
        if turns and at_once:
            with timed([job], "face"):
                tracker.see_head(self._find_head(job.pixels, tracker.target))
            turns = False
        looks = looks and not job.looked
        if looks or turns:
            job.glance = Glance(now, tracker.generation, tracker.target, looks, turns)

    def behind(self, job: Job) -> None:
        """The look that `before` has put off. Raises nothing: what goes wrong is told with the rest."""
        glance = job.glance
        if glance is None:
            return
        glance.extent = job.extent
        try:
            if glance.looks:
                with timed([glance], "detect"):
                    glance.people = self._find_people(job.pixels)
            if glance.turns:
                with timed([glance], "face"):
                    glance.head = self._find_head(job.pixels, glance.target)
        except Exception as error:
            glance.error = error
        job.state.glances.append(glance)


def _told(job: Job) -> list[Glance]:
    """What was found meanwhile."""
    state, told = job.state, list[Glance]()
    while state.glances:
        glance = state.glances.popleft()
        job.stages_ms |= glance.stages_ms
        state.look_s = glance.stages_ms.get("detect", 1000 * state.look_s) / 1000
        if glance.error is not None:
            raise glance.error
        told.append(glance)
    return told


def due(last_s: float | None, now_s: float, every_s: float) -> bool:
    """A clock that runs backwards (a film that starts again) counts as due."""
    return last_s is None or now_s < last_s or now_s - last_s >= every_s
