"""One-frame slots: newest wins, drops are counted, places are counted, nobody's fault is another's."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pytest

from stylizer.controls import Value
from stylizer.errors import BadInput, NoCapacity, NotFound, Unavailable
from stylizer.frame import Frame, PixelsU8
from stylizer.live import MAX_STILLS_WAITING, LiveSession, Worker
from tests.inverter import WAIT_S, Inverter


@pytest.fixture
def pipeline() -> Inverter:
    return Inverter()


@pytest.fixture
def worker(pipeline: Inverter) -> Iterator[Worker]:
    worker = Worker(pipeline, capacity=2)
    worker.start()
    yield worker
    pipeline.gate.set()
    worker.stop()


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, f"not within {WAIT_S:g} s"
        time.sleep(0.005)


def grey(value: int) -> PixelsU8:
    return np.full((4, 6, 3), value, np.uint8)


def test_newest_frame_wins_and_the_others_are_counted(worker: Worker, pipeline: Inverter) -> None:
    session = worker.join()
    pipeline.gate.clear()
    session.offer(Frame(grey(1), pts=1, captured_at=0.0))
    assert pipeline.entered.acquire(timeout=WAIT_S)  # the first is in work; the next three meet a one-frame slot
    for value in (2, 3, 4):
        session.offer(Frame(grey(value), pts=value, captured_at=0.0))
    pipeline.gate.set()
    seen = [session.take(WAIT_S)]
    while seen[-1] is not None and seen[-1].pts != 4:
        seen.append(session.take(WAIT_S))
    last = seen[-1]
    assert last is not None and (last.pixels == 251).all()
    assert [f.pts for f in seen if f] in ([1, 4], [4])  # 1 may itself be overtaken before it is taken
    stats = session.stats()
    assert (stats.frames_in, stats.frames_out, stats.dropped) == (4, 2, 2)
    assert session.take(0.0) is None  # each result is given once


def test_visitors_who_wait_together_are_one_batch(worker: Worker, pipeline: Inverter) -> None:
    first, second = worker.join(), worker.join()
    pipeline.gate.clear()
    first.offer(Frame(grey(10), pts=1))
    assert pipeline.entered.acquire(timeout=WAIT_S)
    first.offer(Frame(grey(20), pts=2))
    second.offer(Frame(grey(30), pts=2))
    pipeline.gate.set()
    result = second.take(WAIT_S)
    assert result is not None and (result.pixels == 225).all()
    assert pipeline.batches == [1, 2]


def test_one_visitor_too_many_is_refused_and_a_place_comes_free(worker: Worker) -> None:
    first, _ = worker.join(), worker.join()
    with pytest.raises(NoCapacity, match="all 2 places"):
        worker.join()
    first.leave()
    first.leave()
    worker.join()
    assert worker.visitors == 2
    with pytest.raises(NotFound, match="no visitor"):
        worker.session(first.id)


def test_a_reference_is_kept_replaced_and_removed(worker: Worker, pipeline: Inverter) -> None:
    session, other = worker.join(), worker.join()
    before = session.controls
    session.set_reference(grey(90))
    first = session._state.reference
    assert first is not None and other._state.reference is None
    assert session.controls == before and session.controls is not before, "the next drawing is taken whole"
    session.set_reference(grey(10))
    assert session._state.reference not in (None, first)
    session.set_reference(None)
    assert session._state.reference is None


def test_a_style_that_is_chosen_encodes_the_reference_before_it_holds(worker: Worker, pipeline: Inverter) -> None:
    session = worker.join()
    session.set({"style": "comic"})
    assert pipeline.prepared == []
    session.set_reference(grey(90))
    held: list[object] = []
    pipeline.prepare = lambda reference, style: held.append((style, session.controls["style"]))  # type: ignore[method-assign]
    session.set({"style": "paper"})
    assert held == [("paper", "comic")] and session.controls["style"] == "paper"


def test_a_visitor_who_leaves_is_forgotten_with_their_pictures(worker: Worker) -> None:
    session = worker.join()
    session.set_reference(grey(90))
    session.set_backdrop(grey(80))
    session.leave()
    assert session._state.reference is None and session._state.backdrop is None


@pytest.mark.parametrize("meanwhile", ["leaves", "removes it"])
def test_a_reference_on_its_way_is_lost_on_who_wants_it_no_more(
    worker: Worker, pipeline: Inverter, meanwhile: str
) -> None:
    session = worker.join()
    pipeline.gate.clear()
    thread = threading.Thread(target=session.set_reference, args=(grey(90),))
    thread.start()
    assert pipeline.cutting.wait(WAIT_S)
    session.leave() if meanwhile == "leaves" else session.set_reference(None)
    pipeline.gate.set()
    thread.join(WAIT_S)
    assert session._state.reference is None


def test_a_reference_that_is_no_picture_changes_nothing(worker: Worker) -> None:
    session = worker.join()
    session.set_reference(grey(90))
    before = session._state.reference
    with pytest.raises(BadInput, match="reference"):
        session.set_reference(np.zeros((4, 4), np.uint8))
    assert session._state.reference is before


def test_wrong_controls_change_nothing(worker: Worker) -> None:
    session = worker.join({"style_strength": 0.5})
    before = dict(session.controls)
    with pytest.raises(BadInput, match=r"style_strength: got 3.*0 to 1"):
        session.set({"seed": 7, "style_strength": 3})
    with pytest.raises(NotFound, match="no control is called 'zooom'"):
        session.set({"zooom": 1})
    assert dict(session.controls) == before
    assert session.set({"seed": 7})["seed"] == 7


def test_a_change_made_while_another_loads_its_style_is_not_lost(worker: Worker, pipeline: Inverter) -> None:
    """The one that takes long began first, with the controls as they were then."""
    session = worker.join()
    loading, loaded = threading.Event(), threading.Event()
    checked = pipeline.checked

    def slow(changes: Mapping[str, object]) -> dict[str, Value]:
        if "style" in changes:
            loading.set()
            assert loaded.wait(WAIT_S)
        return checked(changes)

    pipeline.checked = slow  # type: ignore[method-assign]
    choosing = threading.Thread(target=session.set, args=({"style": "manga"},))
    choosing.start()
    assert loading.wait(WAIT_S)
    session.set({"seed": 7})
    loaded.set()
    choosing.join(WAIT_S)
    assert (session.controls["style"], session.controls["seed"]) == ("manga", 7)


def test_failing_step_does_not_end_the_show(worker: Worker, pipeline: Inverter) -> None:
    session = worker.join()
    pipeline.faults["see"] = RuntimeError("scripted fault")
    session.offer(Frame(grey(1), pts=1))
    assert pipeline.entered.acquire(timeout=WAIT_S)
    pipeline.faults.clear()
    session.offer(Frame(grey(2), pts=2))
    result = session.take(WAIT_S)
    assert result is not None and result.pts == 2
    assert worker.alive


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("third", ["see", "draw"])
def test_a_dead_thread_is_started_again_and_visitors_keep_their_places(
    worker: Worker, pipeline: Inverter, third: str
) -> None:
    session = worker.join()
    pipeline.faults[third] = SystemExit("scripted end of a thread")
    session.offer(Frame(grey(1), pts=1))
    wait_for(lambda: not worker.alive)
    pipeline.faults.clear()
    assert worker.revive() and worker.alive and worker.restarts == 1
    assert not worker.revive(), "nobody is dead any more"
    for pts in range(2, 6):  # more frames than there are lanes: neither is held by the dead
        session.offer(Frame(grey(pts), pts=pts))
        result = session.take(WAIT_S)
        assert result is not None and result.pts == pts
    assert worker.busy_s == 0 and worker.session(session.id) is session


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_who_waits_for_a_picture_is_told_when_its_thread_ends(worker: Worker, pipeline: Inverter) -> None:
    pipeline.faults["draw"] = SystemExit("scripted end of a thread")
    with pytest.raises(Unavailable, match="thread ended"):
        worker.stylize(grey(5))


def test_a_listener_that_fails_costs_nobody_else_a_picture(worker: Worker, pipeline: Inverter) -> None:
    def fail() -> None:
        raise RuntimeError("scripted fault of a listener")

    first, second = worker.join(), worker.join()
    second.on_result = fail
    pipeline.gate.clear()
    first.offer(Frame(grey(1), pts=1))
    assert pipeline.entered.acquire(timeout=WAIT_S)
    second.offer(Frame(grey(30), pts=2))  # has waited longer: comes first in the batch
    first.offer(Frame(grey(20), pts=2))
    pipeline.gate.set()
    result = first.take(WAIT_S)
    while result is not None and result.pts != 2:
        result = first.take(WAIT_S)
    assert result is not None and (result.pixels == 235).all()
    assert pipeline.batches == [1, 2], "they were one batch"


def test_a_step_that_hangs_is_known_by_its_age_and_idle_hours_do_not_count(pipeline: Inverter) -> None:
    now_s = [1000.0]
    worker = Worker(pipeline, capacity=1, clock=lambda: now_s[0])
    worker.start()
    session = worker.join()
    for hours in (0, 1):  # the very first step, and the first after an hour in which nobody came
        now_s[0] += hours * 3600
        pipeline.gate.clear()
        session.offer(Frame(grey(1), pts=1))
        assert pipeline.entered.acquire(timeout=WAIT_S)
        session.offer(Frame(grey(1), pts=2))
        assert worker.busy_s == 0
        now_s[0] += 130
        assert worker.busy_s == 130
        pipeline.gate.set()
        assert pipeline.entered.acquire(timeout=WAIT_S)
        wait_for(lambda: worker.busy_s == 0)
    worker.stop()


def test_nothing_is_delivered_to_who_has_left(worker: Worker, pipeline: Inverter) -> None:
    session = worker.join()
    pipeline.gate.clear()
    session.offer(Frame(grey(1), pts=1))
    assert pipeline.entered.acquire(timeout=WAIT_S)
    session.leave()
    pipeline.gate.set()
    assert session.take(0.2) is None


def test_latency_is_measured_from_the_capture(pipeline: Inverter) -> None:
    worker = Worker(pipeline, capacity=1, clock=lambda: 10.0)
    worker.start()
    session = worker.join()
    session.offer(Frame(grey(1), pts=1, captured_at=9.9))
    assert session.take(WAIT_S) is not None
    assert session.stats().latency_ms["p50"] == pytest.approx(100.0)
    worker.stop()


def test_rates_and_latency_are_those_of_the_last_ten_seconds(pipeline: Inverter) -> None:
    now = [100.0]
    worker = Worker(pipeline, capacity=1, clock=lambda: now[0])
    session = worker.join()

    def results(count: int, latency_s: float) -> None:
        for _ in range(count):
            now[0] += 0.5
            taken = Frame(grey(1), pts=1, captured_at=now[0] - latency_s)
            session._deliver(taken, taken)

    results(20, 1.0)
    results(21, 0.1)
    stats = session.stats()
    assert stats.latency_ms == {"p50": 100.0, "p95": 100.0, "p99": 100.0} and stats.fps == 2.0
    now[0] += 11
    stats = session.stats()
    assert stats.latency_ms == {} and stats.fps == 0.0, "of a camera that stopped"


def test_stills_take_turns_and_too_many_are_refused(worker: Worker, pipeline: Inverter) -> None:
    assert (worker.stylize(grey(5)) == 250).all()
    pipeline.gate.clear()
    threads = [
        threading.Thread(target=worker.stylize, args=(grey(i),), daemon=True) for i in range(MAX_STILLS_WAITING + 1)
    ]
    pipeline.entered = threading.Semaphore(0)
    threads[0].start()
    assert pipeline.entered.acquire(timeout=WAIT_S)  # one is in work, the others fill the queue
    for thread in threads[1:]:
        thread.start()
    deadline = threading.Event()
    while len(worker._stills) < MAX_STILLS_WAITING and not deadline.wait(0.01):
        pass
    with pytest.raises(NoCapacity, match="pictures are waiting"):
        worker.stylize(grey(9))
    pipeline.gate.set()
    for thread in threads:
        thread.join(WAIT_S)
    worker.stop()
    with pytest.raises(Unavailable, match="not running"):
        worker.stylize(grey(1))


def test_visitors_take_turns_where_a_batch_costs_as_much_as_its_frames() -> None:
    """The one who sends most gets no more than the others, and nobody waits for a whole round of frames."""
    pipeline = Inverter(batch=1)
    worker = Worker(pipeline, capacity=3)
    worker.start()
    eager, *others = (worker.join() for _ in range(3))
    pipeline.gate.clear()
    eager.offer(Frame(grey(1), pts=1))
    assert pipeline.entered.acquire(timeout=WAIT_S)
    for session in (eager, *others):
        session.offer(Frame(grey(9), pts=2))
    pipeline.gate.set()
    for session in (*others, eager):
        result = session.take(WAIT_S)
        while result is not None and result.pts != 2:
            result = session.take(WAIT_S)
        assert result is not None
    assert set(pipeline.batches) == {1}
    assert all(other._served_s < eager._served_s for other in others)
    worker.stop()


def test_a_fresh_picture_goes_first_until_somebody_has_waited_long() -> None:
    now = [0.0]
    worker = Worker(Inverter(batch=1), capacity=2, clock=lambda: now[0])
    worker._running = True  # its threads are not started: the test asks for each turn itself
    first, second = worker.join(), worker.join()

    def turn() -> LiveSession:
        batch: list[tuple[LiveSession, Frame]] = []
        worker._next(batch, [])
        return batch[0][0]

    first.offer(Frame(grey(1), pts=1))
    now[0] = 0.1
    second.offer(Frame(grey(2), pts=1))
    assert turn() is second, "both wait since the beginning, and its picture is of now"
    served = []
    for tick in range(2, 20):
        now[0] += 0.05
        second.offer(Frame(grey(2), pts=tick))
        served.append(turn() is first)
    assert 3 < served.index(True) < 7, "an old picture costs its visitor 0.3 s of waiting, not more"
