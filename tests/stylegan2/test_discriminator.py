import pytest
import torch

from stylizer.stylegan2.discriminator import Discriminator, DiscriminatorConfig, minibatch_deviation

SMALL = DiscriminatorConfig(size=32, widths=(4, 6, 8), group=2)


def test_one_logit_per_picture() -> None:
    assert Discriminator(SMALL)(torch.zeros(4, 3, 32, 32)).shape == (4,)


def test_deviation_tells_equal_pictures_from_different_ones() -> None:
    x = torch.randn(1, 3, 4, 4, generator=torch.Generator().manual_seed(0)).expand(4, -1, -1, -1)
    same = minibatch_deviation(x, 4)
    assert same.shape == (4, 4, 4, 4)
    assert same[:, 3].max() < 1e-3
    other = x.clone()
    other[0] += 1
    assert minibatch_deviation(other, 4)[:, 3].min() > 0.1
    assert minibatch_deviation(x[:3], 2).shape == (3, 4, 4, 4), "3 samples make groups of one"


def test_it_learns_to_tell_lines_from_plain_pictures() -> None:
    torch.manual_seed(0)
    net = Discriminator(SMALL)
    lines = torch.zeros(4, 3, 32, 32)
    lines[..., ::4] = 1
    plain = torch.full_like(lines, 0.25)
    adam = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(20):
        adam.zero_grad()
        loss = torch.nn.functional.softplus(-net(lines)).mean() + torch.nn.functional.softplus(net(plain)).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        adam.step()
    assert net(lines).min() > net(plain).max()


def test_a_picture_too_small_for_its_levels_is_refused() -> None:
    with pytest.raises(ValueError, match="size 8"):
        DiscriminatorConfig(size=8, widths=(4, 4, 4))


def test_each_picture_is_told_the_deviation_of_its_own_group() -> None:
    pictures = torch.zeros(4, 1, 4, 4)
    pictures[3] = 2  # pictures 0 and 2 are one group, 1 and 3 the other
    told = minibatch_deviation(pictures, 2)[:, 1, 0, 0]
    torch.testing.assert_close(told, torch.tensor([0.0, 1, 0, 1]), atol=1e-3, rtol=0)
