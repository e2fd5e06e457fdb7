"""Another look: whose, how far, and from which layers on; what is taken is taken exactly."""

import pytest
import torch
from torch import Tensor

from stylizer import controls as table
from stylizer.convert import Look
from stylizer.convert.looks import Looks
from stylizer.convert.tones import MAPS, tones_of
from stylizer.convert.toonify import FixedToonify, ToonifyNet
from tests.convert.test_toonify import TINY

SIZES = (16, 32, 64, 128, 256)


@pytest.fixture(scope="module")
def net() -> ToonifyNet:
    torch.manual_seed(4)
    net = ToonifyNet(TINY).eval().requires_grad_(False)
    for conv in [*net.encoder.to_details, net.encoder.fine.to_half, net.encoder.fine.to_full]:  # type: ignore[union-attr]
        conv.weight.normal_()  # an untrained encoder passes no details
    return net


def person(seed: int, columns: slice = slice(90, 170)) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    alpha = torch.zeros(1, 1, 256, 256)
    alpha[..., 40:230, columns] = 1
    hue = torch.rand(1, 3, 1, 1, generator=generator)
    return (0.3 * torch.rand(1, 3, 256, 256, generator=generator) + 0.7 * hue), alpha


def wish(**changes: object) -> dict[str, table.Value]:
    return table.defaults() | table.checked(changes)


class Drawing:
    """One network run with what its generator was given written down."""

    def __init__(self, net: ToonifyNet, visitor: tuple[Tensor, Tensor], given: tuple[Tensor, ...]) -> None:
        fixed: FixedToonify = net.at_strength(1.0)
        fixed.synthesis.register_forward_pre_hook(self._write_down)
        self.picture, self.alpha = fixed(*visitor, *given)

    def _write_down(self, module: torch.nn.Module, args: tuple[Tensor, Tensor, tuple[Tensor, ...]]) -> None:
        self.feat16, self.ws, self.details = args
        self.maps = (self.feat16, *self.details)


def drawn(net: ToonifyNet, taken: Look | None, visitor: int = 1, **changes: object) -> Drawing:
    return Drawing(net, person(visitor), Looks(net).tensors([wish(**changes)], [taken]))


def look(net: ToonifyNet, seed: int) -> Look:
    return Looks(net).of_person(*person(seed, slice(60, 200)))


def test_no_reference_no_seed_and_a_look_of_nothing_change_nothing(net: ToonifyNet) -> None:
    feat16, ws, details = net.encode(*person(1))
    for got in (drawn(net, None), drawn(net, look(net, 2), look=0.0), drawn(net, None, seed=7, look=0.0)):
        assert torch.equal(got.ws, ws)
        assert all(torch.equal(a, b) for a, b in zip(got.maps, (feat16, *details), strict=True))


def test_the_whole_look_is_exactly_the_references(net: ToonifyNet) -> None:
    """Its ws to the bit; of the features mean and spread over the figure, which stays where it was."""
    other = look(net, 2)
    got, own = drawn(net, other, look=1.0, mix_from="16"), drawn(net, None)
    torch.testing.assert_close(got.ws, other.ws, rtol=0, atol=0)
    _, alpha = person(1)
    torch.testing.assert_close(tones_of(got.maps[:MAPS], alpha), other.tones, rtol=0.02, atol=0.02)
    assert (other.tones - tones_of(own.maps[:MAPS], alpha)).abs().max() > 0.1, "there is something to take"
    for theirs, mine in zip(got.maps, own.maps, strict=True):
        outside = torch.nn.functional.avg_pool2d(alpha, 256 // mine.shape[-1]).expand_as(mine) == 0
        assert torch.equal(theirs[outside], mine[outside])


@pytest.mark.parametrize("mix_from", SIZES)
def test_layers_below_the_crossover_stay_ones_own(net: ToonifyNet, mix_from: int) -> None:
    other, own = look(net, 2), drawn(net, None)
    got = drawn(net, other, mix_from=str(mix_from))
    first = 2 * SIZES.index(mix_from)
    assert torch.equal(got.ws[:, :first], own.ws[:, :first])
    assert torch.equal(got.ws[:, first:], other.ws[:, first:])
    for size, theirs, mine in zip(SIZES, got.maps, own.maps, strict=True):
        assert torch.equal(theirs, mine) == (size < mix_from or size > 64), f"{size} px"


def test_half_a_look_is_halfway(net: ToonifyNet) -> None:
    other, own = look(net, 2), drawn(net, None)
    whole, half = drawn(net, other), drawn(net, other, look=0.5)
    torch.testing.assert_close(half.ws, (own.ws + whole.ws) / 2)
    torch.testing.assert_close(half.details[0], (own.details[0] + whole.details[0]) / 2)


def test_a_seed_is_mixed_from_the_same_layers_and_gives_way_to_a_reference(net: ToonifyNet) -> None:
    own, invented, other = drawn(net, None), net.look(7), look(net, 2)
    got = drawn(net, None, seed=7, mix_from="64")
    assert torch.equal(got.ws, torch.cat((own.ws[:, :4], invented[:, 4:]), 1))
    assert all(torch.equal(a, b) for a, b in zip(got.maps, own.maps, strict=True)), "an invented look has no tones"
    assert torch.equal(drawn(net, other, seed=7).ws, other.ws)


def test_visitors_of_one_batch_take_their_own_reference_from_their_own_layers(net: ToonifyNet) -> None:
    looks = [look(net, 2), None, look(net, 3)]
    wishes = [wish(), wish(seed=5), wish(mix_from="64", look=0.7)]
    people = [person(6), person(7), person(8)]
    foreground, alpha = (torch.cat(each) for each in zip(*people, strict=True))
    together = Drawing(net, (foreground, alpha), Looks(net).tensors(wishes, looks))
    for i, visitor in enumerate(people):
        alone = Drawing(net, visitor, Looks(net).tensors(wishes[i : i + 1], looks[i : i + 1]))
        torch.testing.assert_close(together.picture[i : i + 1], alone.picture, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(together.ws[i : i + 1], alone.ws)


def test_ones_own_colours_give_way_as_far_as_layers_do(net: ToonifyNet) -> None:
    """What `own_colours` would draw back to the camera is what the look has changed."""
    looks, other = Looks(net), look(net, 2)
    assert looks.share(wish(), None) == 0
    assert looks.share(wish(look=0.4), other) == looks.share(wish(seed=3, look=0.4), None) == pytest.approx(0.4)
    assert [looks.share(wish(mix_from=str(size)), other) for size in SIZES] == pytest.approx([1, 0.8, 0.6, 0.4, 0.2])


def test_whoever_is_not_seen_is_no_fault(net: ToonifyNet) -> None:
    nobody = torch.rand(1, 3, 256, 256), torch.zeros(1, 1, 256, 256)
    for visitor, other in ((person(1), Looks(net).of_person(*nobody)), (nobody, look(net, 2))):
        got = Drawing(net, visitor, Looks(net).tensors([wish()], [other]))
        assert got.picture.isfinite().all()


def test_an_encoder_that_an_engine_took_to_halves_still_reads_references() -> None:
    torch.manual_seed(5)
    net = ToonifyNet(TINY).eval()
    looks = Looks(net)
    before = looks.of_person(*person(1))
    net.half()
    assert torch.equal(looks.of_person(*person(1)).tones, before.tones)
