"""CUDA graphs without a card: what their threads, their memory and their batches do. Graphs here compute on the CPU.

A graph of torch's own records what runs while it is captured; the networks below hand theirs over by themselves.
"""

import gc
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import pytest
import torch
from torch import Tensor, nn

from stylizer.engines import cuda_graph
from stylizer.engines.cuda_graph import CudaGraphEngine
from stylizer.errors import Unavailable

SOON_S = 0.05  # another thread gets this long to do what it must not


class Graph:
    """As torch.cuda.CUDAGraph; `work` is what its replay does."""

    capturing: "Graph | None" = None

    def __init__(self) -> None:
        self.work: list[Callable[[], object]] = []
        self.card: Card | None = None

    def record(self, batch: int, work: Callable[[], object]) -> None:
        assert self.card is not None
        if batch > self.card.most:
            self.card.refused += 1
            raise torch.OutOfMemoryError("CUDA out of memory")
        self.work.append(work)

    def replay(self) -> None:
        with torch.inference_mode():
            for each in self.work:
                each()

    def pool(self) -> "Graph":
        return self


class Twice(nn.Module):
    """Doubles pictures, in a graph as well."""

    def forward(self, x: Tensor) -> Tensor:
        out = x * 2
        if Graph.capturing is not None:
            Graph.capturing.record(len(x), lambda: out.copy_(x * 2))
        return out


class Card:
    """The few names of torch.cuda that an engine uses. most: the largest batch that there is memory for."""

    def __init__(self, most: int = 100) -> None:
        self.most, self.refused = most, 0
        self.captures = self.at_once = self.most_at_once = 0
        self.pools: list[object] = []
        self.waits: Callable[[], object] = lambda: None  # called in each capture

    def graph(self, graph: Graph, pool: object = None, capture_error_mode: str = "global") -> "Capture":
        assert capture_error_mode == "thread_local", "other threads ask for memory meanwhile"
        self.pools.append(pool)
        return Capture(self, graph)


class Capture:
    def __init__(self, card: Card, graph: Graph) -> None:
        self._card, self._graph = card, graph
        graph.card = card

    def __enter__(self) -> None:
        self._card.captures += 1
        self._card.at_once += 1
        self._card.most_at_once = max(self._card.most_at_once, self._card.at_once)
        self._card.waits()
        Graph.capturing = self._graph

    def __exit__(self, *fault: type[BaseException] | BaseException | TracebackType | None) -> None:
        Graph.capturing = None
        self._card.at_once -= 1


class Stream:
    def wait_stream(self, other: "Stream") -> None: ...


@contextmanager
def on(stream: Stream) -> Iterator[None]:
    yield


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Card:
    card = Card()
    for name, stand_in in (
        ("CUDAGraph", Graph),
        ("graph", card.graph),
        ("Stream", Stream),
        ("current_stream", Stream),
        ("stream", on),
    ):
        monkeypatch.setattr(torch.cuda, name, stand_in)
    monkeypatch.setattr(cuda_graph, "open_run", _no_kernel)
    monkeypatch.setattr(cuda_graph, "_onnx_runtime", _no_runtime)
    return card


def _no_kernel() -> None:
    raise Unavailable("no kernel here")


def _no_runtime(device: torch.device) -> None:
    raise Unavailable("no ONNX Runtime here")


@pytest.fixture
def engine(card: Card, tmp_path: Path) -> CudaGraphEngine:
    engine = CudaGraphEngine(1, tmp_path)
    engine.device = torch.device("cpu")
    return engine


def picture(value: float, batch: int = 1) -> Tensor:
    return torch.full((batch, 3, 4, 4), value)


def test_two_threads_at_once_each_get_their_own_picture(
    engine: CudaGraphEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The graph has one place for what goes in: between that and its replay nobody else may use it."""
    draw = engine.compile(Twice(), (picture(0),))
    came, replay = threading.Barrier(2), Graph.replay

    def late(graph: Graph) -> None:
        try:
            came.wait(SOON_S)  # until the other one, too, has put its picture in
        except threading.BrokenBarrierError:
            pass
        replay(graph)

    monkeypatch.setattr(Graph, "replay", late)
    with ThreadPoolExecutor(2) as threads:
        results = list(threads.map(lambda value: draw(picture(value))[0], (1.0, 2.0)))
    assert [float(r.mean()) for r in results] == [2.0, 4.0]


def test_one_graph_is_captured_at_a_time_in_the_whole_process(
    card: Card, engine: CudaGraphEngine, tmp_path: Path
) -> None:
    """torch allows one capture in a process: it waits for the whole card before each, which ends another's."""
    other = CudaGraphEngine(1, tmp_path)
    other.device = torch.device("cpu")
    entered = threading.Event()
    card.waits = lambda: entered.wait(SOON_S) if card.captures == 1 else entered.set()
    with ThreadPoolExecutor(2) as threads:
        for network in [threads.submit(each.compile, Twice(), (picture(0),)) for each in (engine, other)]:
            network.result()
    assert card.captures == 2 and card.most_at_once == 1


def test_no_garbage_is_collected_during_a_capture(card: Card, engine: CudaGraphEngine) -> None:
    collecting: list[bool] = []
    card.waits = lambda: collecting.append(gc.isenabled())
    engine.compile(Twice(), (picture(0),))
    assert collecting == [False] and gc.isenabled()


def test_a_batch_that_finds_no_memory_is_drawn_in_parts_from_then_on(card: Card, engine: CudaGraphEngine) -> None:
    draw = engine.compile(Twice(), (picture(0),))
    card.most = 2
    people = torch.arange(5.0)[:, None, None, None].expand(5, 3, 4, 4)
    for _ in range(2):
        (drawn,) = draw(people)
        assert drawn[:, 0, 0, 0].tolist() == [0.0, 2.0, 4.0, 6.0, 8.0]
    assert card.refused == 1  # not in each frame again: it takes a second


def test_one_visitor_for_whom_there_is_no_memory_is_told(card: Card, engine: CudaGraphEngine) -> None:
    card.most = 0
    with pytest.raises(torch.OutOfMemoryError):
        engine.compile(Twice(), (picture(0),))


def test_all_graphs_of_an_engine_share_their_memory(card: Card, engine: CudaGraphEngine) -> None:
    """None runs beside another, and what they gave was copied; with memory of its own each would keep 20 MB."""
    for network in (Twice(), Twice()):
        draw = engine.compile(network, (picture(0),))
        draw(picture(1, batch=3))
    first, *others = card.pools
    assert first is None and len(others) == 3 and isinstance(others[0], Graph)
    assert all(pool is others[0] for pool in others)


def test_where_graphs_cannot_be_captured_plain_torch_draws_and_the_engine_says_so(
    card: Card, engine: CudaGraphEngine
) -> None:
    card.waits = lambda: (_ for _ in ()).throw(RuntimeError("operation not permitted when stream is capturing\nhelp"))
    draw = engine.compile(Twice(), (picture(0),))
    assert float(draw(picture(1, batch=2))[0].mean()) == 2
    assert card.captures == 1 and "plain torch" in engine.lacks and engine.lacks.endswith("stream is capturing")


@pytest.mark.gpu
def test_on_a_card_two_threads_compile_while_a_third_one_draws(tmp_path: Path) -> None:
    engine = CudaGraphEngine(1, tmp_path)
    drawing, done = engine.compile(Twice(), (picture(0),)), threading.Event()

    def draw() -> list[float]:
        seen = [float(drawing(picture(1.0))[0].mean())]
        while not done.is_set():
            seen.append(float(drawing(picture(1.0))[0].mean()))
        return seen

    with ThreadPoolExecutor(3) as threads:
        drawn = threads.submit(draw)
        try:
            made = list(threads.map(lambda _: engine.compile(Twice(), (picture(0),)), range(2)))
        finally:
            done.set()
        assert set(drawn.result()) == {2.0}
    for batch in (1, 3, 16):
        assert all(float(network(picture(3.0, batch))[0].mean()) == 6.0 for network in made)
    assert "graph" not in engine.lacks, engine.lacks
