"""A style played live: strengths that move and rest, looks of several visitors in one batch."""

import errno
import gc
import threading
import time
import weakref
from pathlib import Path

import pytest
import torch
from torch import nn

from stylizer import controls as table
from stylizer import styles
from stylizer.config import EngineName, Settings
from stylizer.convert import SIZE
from stylizer.convert.compiled import IDLE_S, CompiledNetworks
from stylizer.convert.looks import Looks
from stylizer.convert.toonify import HEAD, ToonifyConfig, ToonifyNet, draw, load_style
from stylizer.convert.toonify_converter import RARER, SETTLED_AFTER, STEPS, ToonifyConverter, columns_of
from stylizer.engines import Compiled, choose
from stylizer.engines.torch_eager import TorchEngine
from stylizer.library import Library
from stylizer.weights.registry import Registry

STYLES = Path(styles.__path__[0])
NOBODY = [None]  # without a reference


@pytest.fixture(scope="module")
def converter(tmp_path_factory: pytest.TempPathFactory) -> ToonifyConverter:
    torch.manual_seed(3)
    cache: Path = tmp_path_factory.mktemp("converter")
    net = ToonifyNet(ToonifyConfig()).eval().requires_grad_(False)
    return ToonifyConverter(net, choose(Settings.load(cache=cache, engine=EngineName.OPENVINO)))


def visitor(**changes: object) -> dict[str, table.Value]:
    return table.defaults() | {"ink": 0.0} | table.checked(changes)


def test_each_visitor_of_a_batch_gets_what_they_would_get_alone(converter: ToonifyConverter) -> None:
    generator = torch.Generator().manual_seed(1)
    foreground = torch.rand(3, 3, 256, 256, generator=generator)
    alpha = torch.rand(3, 1, 256, 256, generator=generator)
    wishes = [visitor(style_strength=0.2), visitor(style_strength=0.7, seed=5, look=1.0), visitor(style_strength=0.2)]
    looks = [converter.look_of(foreground[1:2], alpha[1:2]), None, converter.look_of(foreground[:1] * 0.2, alpha[:1])]
    together, opacity = converter(foreground, alpha, wishes, looks)
    assert (together[0] - converter(foreground[:1], alpha[:1], wishes[:1], looks[2:])[0]).abs().max() > 0.05
    for i, (wish, look) in enumerate(zip(wishes, looks, strict=True)):
        alone, own = converter(foreground[i : i + 1], alpha[i : i + 1], [wish], [look])
        torch.testing.assert_close(together[i : i + 1], alone, atol=0.02, rtol=0)
        torch.testing.assert_close(opacity[i : i + 1], own, atol=0.02, rtol=0)


def test_look_of_a_seed_is_repeated_and_its_own(converter: ToonifyConverter) -> None:
    picture, alpha = torch.full((1, 3, 256, 256), 0.4), torch.ones(1, 1, 256, 256)
    one, again, other, none = (
        converter(picture, alpha, [visitor(style_strength=0.2, seed=seed, look=1.0)], NOBODY)[0]
        for seed in (7, 7, 8, 0)
    )
    assert torch.equal(one, again)
    assert (one - other).abs().mean() > 1e-4 and (one - none).abs().mean() > 1e-4


@pytest.mark.slow
def test_strength_that_rests_is_compiled_while_other_modules_run(converter: ToonifyConverter) -> None:
    """Tracing in this process would break any module that another thread runs meanwhile (MTCNN's, say)."""
    picture, alpha = torch.full((1, 3, 256, 256), 0.4), torch.ones(1, 1, 256, 256)
    wish, key = visitor(style_strength=0.4), round(0.4 * STEPS)
    faults: list[Exception] = []
    done = threading.Event()

    def others() -> None:
        module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
        while not done.is_set():
            try:
                module(torch.zeros(1, 3, 16, 16))
            except Exception as error:
                faults.append(error)
            done.wait(0.001)

    thread = threading.Thread(target=others)
    thread.start()
    in_torch = converter(picture, alpha, [wish], NOBODY)[0]
    deadline = time.monotonic() + 150
    for _ in range(SETTLED_AFTER):
        converter(picture, alpha, [wish], NOBODY)
    while converter._compiled.get((converter._net, (key, SIZE, SIZE))) is None and time.monotonic() < deadline:
        converter(picture, alpha, [wish], NOBODY)
    done.set()
    thread.join()
    assert converter._compiled.get((converter._net, (key, SIZE, SIZE))) is not None and not faults
    torch.testing.assert_close(
        converter(picture, alpha, [wish], NOBODY)[0], in_torch, atol=0.1, rtol=0
    )  # bf16 twice over


class Counting(TorchEngine):
    """Compiles nothing: the module itself. alive: how many of those are still there."""

    def __init__(self, folder: Path) -> None:
        super().__init__(torch.device("cpu"), 1, folder)
        self._made: list[weakref.ref[nn.Module]] = []

    def compile(self, net: nn.Module, example: tuple[torch.Tensor, ...], any_size: bool = False) -> Compiled:
        self._made.append(weakref.ref(net))
        return super().compile(net, example, any_size)

    @property
    def alive(self) -> int:
        gc.collect()
        return sum(made() is not None for made in self._made)


def test_all_styles_together_keep_no_more_networks_than_memory_bears(tmp_path: Path) -> None:
    """On a CPU each takes 34 MB. Until now every style had room for twenty, and its network for heads for as many."""
    engine, shared = Counting(tmp_path), CompiledNetworks(5)
    small = ToonifyNet(ToonifyConfig()).eval().requires_grad_(False)
    styles = [ToonifyConverter(small.with_head(ToonifyNet(HEAD)), engine, compiled=shared) for _ in range(2)]
    for style in styles:
        style.warm_up()
    assert engine.alive == 5, "of the three sizes of each, with that of the figure, one had to go"
    picture, alpha = torch.rand(1, 3, 256, 256), torch.ones(1, 1, 256, 256)
    for strength in range(4):
        for _ in range(SETTLED_AFTER):
            styles[0](picture, alpha, [visitor(style_strength=strength / 10)], NOBODY)
        assert styles[0]._compiler is not None
        styles[0]._compiler.join()
    assert engine.alive <= 5 + 1, "and the one that torch plays until it is compiled"


def test_of_the_kept_networks_the_one_that_nobody_played_for_longest_goes() -> None:
    kept = CompiledNetworks(2)
    networks = {name: lambda *inputs: inputs for name in "abc"}
    kept.keep("a", networks["a"])
    kept.keep("b", networks["b"])
    assert kept.get("a") is networks["a"]
    kept.keep("c", networks["c"])
    assert kept.get("b") is None and kept.get("a") is networks["a"] and kept.get("c") is networks["c"]


def test_beyond_a_few_none_is_kept_that_nobody_plays_any_more() -> None:
    now_s = [0.0]
    kept = CompiledNetworks(4, 2, lambda: now_s[0])
    for name in "abcd":
        kept.keep(name, lambda *inputs: inputs)
    now_s[0] = IDLE_S
    assert all(kept.get(name) for name in "cd")
    now_s[0] += 1
    assert kept.get("d") is not None
    now_s[0] += 2 * IDLE_S
    assert kept.get("d") is not None
    assert [name for name in "abcd" if kept.get(name)] == ["c", "d"], "the few stay however long they rest"


def test_a_library_s_styles_share_that_room(tmp_path: Path) -> None:
    library = Library(Registry(Settings.load(cache=tmp_path)), Counting(tmp_path))
    first, second = (library.get(name) for name in library.names[:2])
    assert isinstance(first, ToonifyConverter) and isinstance(second, ToonifyConverter)
    assert first._compiled is second._compiled


class FullDisk(TorchEngine):
    """Compiles nothing; counts how often it was asked."""

    asked = 0

    def compile(self, net: nn.Module, example: tuple[torch.Tensor, ...], any_size: bool = False) -> Compiled:
        self.asked += 1
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_strength_that_cannot_be_compiled_is_drawn_by_torch_and_tried_ever_less_often(tmp_path: Path) -> None:
    """Each try may keep a core busy for seconds, and writes to the log."""
    torch.manual_seed(3)
    engine = FullDisk(torch.device("cpu"), 1, tmp_path)
    converter = ToonifyConverter(ToonifyNet(ToonifyConfig()).eval().requires_grad_(False), engine)
    picture, alpha = torch.rand(1, 3, 128, 128), torch.ones(1, 1, 128, 128)
    for _ in range(4 * SETTLED_AFTER):
        drawn, _ = converter(picture, alpha, [visitor(style_strength=0.4)], NOBODY)
        if converter._compiler is not None:
            converter._compiler.join()
    assert engine.asked == 1 and drawn.std() > 0
    converter._calls[round(0.4 * STEPS), 128, 128] = SETTLED_AFTER << RARER
    converter(picture, alpha, [visitor(style_strength=0.4)], NOBODY)
    assert converter._compiler is not None
    converter._compiler.join()
    assert engine.asked == 2, "there may be room again"


def figure(left: int, right: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Someone with shading and a soft border from one column to another: foreground and matte, of one picture."""
    generator = torch.Generator().manual_seed(4)
    foreground = nn.functional.interpolate(torch.rand(1, 3, 16, 16, generator=generator), 256, mode="bicubic").clamp(
        0, 1
    )
    matte = torch.zeros(1, 1, 256, 256)
    matte[..., 20:250, left:right] = 1
    return foreground, nn.functional.avg_pool2d(matte, 5, 1, 2)


@pytest.mark.parametrize(
    ("left", "right", "columns"),
    [(90, 170, slice(64, 192)), (70, 200, slice(32, 224)), (2, 60, slice(0, 128)), (30, 226, slice(0, 256))],
)
def test_as_few_columns_are_drawn_as_hold_the_figure(left: int, right: int, columns: slice) -> None:
    assert columns_of(figure(left, right)[1]) == columns


def test_nobody_there_costs_the_least() -> None:
    assert columns_of(torch.zeros(1, 1, 256, 256)) == slice(0, 128)


@pytest.mark.parametrize("style", ["anime", "comic", "paper"])
def test_fewer_columns_give_the_same_drawing(style: str, tmp_path: Path) -> None:
    style_net = load_style(STYLES / style / "weights.safetensors")
    net = style_net.at_strength(1.0)
    foreground, matte = figure(90, 170)
    rest = Looks(style_net).tensors([visitor()], NOBODY)
    part = (..., columns_of(matte))
    with torch.inference_mode():
        whole, opacity = net(foreground, matte, *rest)
        few, fewer = net(foreground[part], matte[part], *rest)
    error = (whole[part] * opacity[part] - few * fewer)[(opacity[part] > 0.02).expand_as(few)]
    assert -10 * error.square().mean().log10() > 36
    assert (opacity[part] - fewer).abs().mean() < 0.002


def test_heads_are_drawn_by_their_own_network(tmp_path: Path) -> None:
    torch.manual_seed(4)
    body, head = (ToonifyNet(config).eval().requires_grad_(False) for config in (ToonifyConfig(), HEAD))
    engine = choose(Settings.load(cache=tmp_path, engine=EngineName.TORCH))
    plain, whole = (ToonifyConverter(net, engine) for net in (body, body.with_head(head)))
    assert plain.closeup is plain
    assert whole.closeup is not whole
    picture, alpha = torch.rand(1, 3, 128, 128), torch.ones(1, 1, 128, 128)
    want, _ = draw(head.style, *head.encode(picture, alpha))
    other, _ = draw(body.style, *body.encode(picture, alpha))
    got, _ = whole.closeup(picture, alpha, [visitor(ink=1.0)], NOBODY)  # which is for figures
    assert (got - want).abs().mean() < 0.005 < 0.05 < (got - other).abs().mean(), "bf16 rounds, no more"
    figure = torch.rand(1, 3, 256, 256), torch.ones(1, 1, 256, 256)
    for drawn, wanted in zip(whole(*figure, [visitor()], NOBODY), plain(*figure, [visitor()], NOBODY), strict=True):
        torch.testing.assert_close(drawn, wanted, atol=0.01, rtol=0)
