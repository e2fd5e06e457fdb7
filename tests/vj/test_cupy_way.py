"""The loop on our own kernels draws what torch draws; where the card fails the show goes on, and says so.

The kernels run on the emulator, with the same code around them as on a card.
"""

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import wait

import numpy as np
import pytest
import torch
from torch import Tensor

from kernels.check import lively_weights
from kernels.feedback_loop import F32, FeedbackLoop
from stylizer.config import Device
from stylizer.controls import Value, defaults
from stylizer.engines.card import ALONE
from stylizer.errors import Unavailable
from stylizer.vj import cupy_way, loop
from stylizer.vj.bank import Bank, Model
from stylizer.vj.cupy_way import CupyWay, open_card
from stylizer.vj.inject import guest
from stylizer.vj.loop import Loop, open_loop
from stylizer.vj.moment import Moment
from stylizer.vj.session import VjSession
from stylizer.vj.torch_way import TorchWay
from tests.conftest import Rng
from tests.kernels.emulator import require_emulator
from tests.kernels.emulator.machine import EmulatedCard
from tests.vj.conftest import SMALL

DT = 1 / 30


@pytest.fixture(autouse=True)
def emulator() -> None:
    require_emulator()


def lively(name: str, filters: int, seed: int) -> Model:
    return Model(name, filters, lively_weights(filters, seed))


MODELS = lively("a", 16, 1), lively("b", 8, 2)  # two widths: both run at the wider one's


def psnr_db(a: Tensor, b: Tensor) -> float:
    return float(-10 * torch.log10(((a - b) ** 2).mean() + 1e-12))


def moments(rng: Rng, rows: list[dict[str, Value]]) -> Iterator[Moment]:
    visitor = guest(rng.pixels_u8(256, 256, 3), "edges", None)
    for step, controls in enumerate(rows):
        joined = visitor if controls.get("inject") else None
        time_s = 7.0 + step * DT
        yield Moment(defaults("vj") | SMALL | controls, MODELS, joined, 0.05 * step, time_s * 0.9, time_s)


MOVED: dict[str, Value] = {"rate": 0.98, "noise_1": 0.3, "noise_2": 0.1, "noise_3": 0.05, "zoom": 1.03, "rotate": 4.0}
WALKS: dict[str, list[dict[str, Value]]] = {
    "moved, fading, coloured": [
        MOVED | {"shift_x": 0.05, "shift_y": -0.02, "hue": 0.2},
        MOVED | {"zoom": 0.9, "crossfade": 0.4, "focus": -0.8, "invert": 0.3},
        MOVED | {"fold": "quad", "crossfade": 0.4, "focus": 0.3, "false_colour": 0.6},
    ],
    "folded, with a guest": [
        MOVED | {"fold": "kaleidoscope", "segments": 5, "inject": "edges", "inject_blend": "add"},
        MOVED | {"fold": "mirror", "inject": "edges", "inject_blend": "multiply", "inject_gain": 0.9},
        {"crossfade": 1.0, "inject": "edges", "inject_blend": "screen", "hue": -0.4, "invert": 1.0},
    ],
}


def test_graphs_are_captured_while_nobody_waits_for_the_whole_card(monkeypatch: pytest.MonkeyPatch) -> None:
    """As who looks for the person does, when that network is loaded."""
    began = threading.Event()
    monkeypatch.setattr(cupy_way, "prepared", lambda weights: weights)
    monkeypatch.setattr(cupy_way, "FeedbackLoop", lambda *ends: began.set())
    way = CupyWay(EmulatedCard)
    with ALONE:
        way.ready(MODELS)
        assert not began.wait(0.05)
    assert began.wait(20)


@pytest.mark.parametrize("walk", WALKS)
def test_our_kernels_draw_what_torch_draws(rng: Rng, walk: str) -> None:
    """Three steps in a row, so that what is fed back counts. Seen: 57 to 82 dB; the network computes in halves."""
    plain, own = TorchWay(dtype=torch.float32, seed=500, compiles=False), CupyWay(EmulatedCard, seed=500, wait=True)
    assert own.ready(MODELS)
    start = torch.from_numpy(rng.unit_f32(1, 3, 64, 64)).repeat_interleave(4, 2).repeat_interleave(4, 3)
    plain.start(start)
    own.start(start)
    with torch.inference_mode():
        for moment in moments(rng, WALKS[walk]):
            expected = plain.dream(moment)
            assert float(expected.std()) > 0.05  # there is something to see
            assert psnr_db(own.dream(moment), expected) >= 35
            assert psnr_db(own.coloured(moment), plain.coloured(moment)) >= 35
            assert psnr_db(own.picture, plain.picture) >= 35
        frozen = next(moments(rng, [{"hue": 0.5, "false_colour": 1.0}]))  # no step: other colours alone
        assert psnr_db(own.coloured(frozen), plain.coloured(frozen)) >= 35
        assert own._loop is not None
        assert own._loop.holds(own._prepared(MODELS[0], 16), own._prepared(MODELS[0], 16))


def session_on(card: EmulatedCard, bank: Bank, *, wait: bool = True) -> VjSession:
    way = CupyWay(lambda: card, wait=wait)
    playing = VjSession(bank, loop=Loop([way, TorchWay(compiles=False)]))
    playing.apply(SMALL | {"noise_2": 0.3, "strobe_guard": False})
    return playing


def test_the_session_plays_on_the_kernels_and_says_so(bank: Bank) -> None:
    """A model that is exchanged is put into the same graph."""
    card = EmulatedCard()
    playing = session_on(card, bank)
    first = playing.step(DT)
    state = playing.state()
    assert state.loop == CupyWay.name and state.loop_why == ""
    assert first.std() > 1 and card.calls["captured"] == 3
    playing.apply({"model_a": "two"})
    other = playing.step(DT)
    assert card.calls["captured"] == 3 and playing.state().loop == CupyWay.name
    assert np.abs(other.astype(int) - first.astype(int)).mean() > 0.2


def test_a_wider_model_is_captured_anew_and_the_picture_stays(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    bank.add(lively("wider", 24, 4))
    started: list[F32] = []
    playing = session_on(EmulatedCard(), bank)
    playing.step(DT)
    before, start = playing.picture, FeedbackLoop.start

    def noted(self: FeedbackLoop, picture: F32) -> None:
        started.append(picture)
        start(self, picture)

    monkeypatch.setattr(FeedbackLoop, "start", noted)
    playing.apply({"model_b": "wider"})
    playing.step(DT)
    assert len(started) == 3 and np.array_equal(started[-1], before[0].permute(1, 2, 0).numpy())


def test_while_the_kernels_are_compiled_torch_plays(bank: Bank) -> None:
    playing = session_on(EmulatedCard(), bank, wait=False)
    playing.step(DT)
    assert playing.state().loop.startswith("torch") and "being compiled" in playing.state().loop_why
    own = playing.loop._ways[0]
    assert isinstance(own, CupyWay) and own._job is not None
    wait([own._job], timeout=120)
    playing.step(DT)
    assert playing.state().loop == CupyWay.name and playing.state().loop_why == ""


@pytest.mark.parametrize("trouble", [{"captured": 1}, {"captured": 3}, {"read": 2}, {"read": 3}])
def test_a_card_that_fails_is_left_and_the_show_goes_on(bank: Bank, trouble: dict[str, int]) -> None:
    """While capturing, or in the second step: nothing is lost but the card."""
    playing = session_on(EmulatedCard(**trouble), bank)
    playing.step(DT)
    held = playing.picture
    second = playing.step(DT)
    state = playing.state()
    assert state.loop.startswith("torch") and state.loop_why.startswith(f"{CupyWay.name} failed: ")
    assert "CUDA_ERROR_ILLEGAL_ADDRESS" in state.loop_why
    assert second.std() > 1 and torch.isfinite(held).all() and state.frames == 2


def test_weights_that_halves_do_not_hold_are_played_by_the_next_way(bank: Bank) -> None:
    playing = session_on(EmulatedCard(), bank)
    playing.step(DT)
    bank.add(Model("huge", 2, {name: 1e9 * values for name, values in bank.get("two").weights.items()}))
    playing.apply({"model_a": "huge"})
    playing.step(DT)
    state = playing.state()
    assert state.loop.startswith("torch") and "fp16 holds at most" in state.loop_why


def test_without_a_card_the_cpu_plays_and_the_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "why_no_card", lambda: "no NVIDIA driver (libcuda.so.1) is installed")
    opened = open_loop(Device.AUTO)
    assert opened.best.startswith("torch and OpenVINO") and opened.why.startswith("no NVIDIA driver")
    with pytest.raises(Unavailable, match="STYLIZER_DEVICE=cuda, but no NVIDIA driver"):
        open_loop(Device.CUDA)


def test_with_a_card_our_kernels_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "why_no_card", lambda: "")
    assert open_loop(Device.AUTO).best == CupyWay.name
    assert open_loop(Device.CPU).best.startswith("torch and OpenVINO")


def test_without_cupy_the_next_way_plays(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    monkeypatch.delitem(sys.modules, "kernels.cuda", raising=False)
    playing = VjSession(bank, loop=Loop([CupyWay(open_card, wait=True), TorchWay(compiles=False)]))
    playing.apply(SMALL)
    playing.step(DT)
    assert playing.state().loop.startswith("torch") and "CuPy cannot be imported" in playing.state().loop_why


def test_a_show_on_the_cpu_never_imports_cupy() -> None:
    code = (
        "import sys; from kernels.card import why_no_card; from stylizer.config import Device;"
        "from stylizer.vj.loop import open_loop; loop = open_loop(Device.AUTO);"
        "sys.exit('cupy' in sys.modules and bool(why_no_card()))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0
