import torch

from stylizer.stylegan2.mapping import seeded_z
from stylizer.training.looks import palette, recolour


def test_only_hair_and_clothes_change_and_ink_stays_dark() -> None:
    drawing, labels = torch.full((1, 3, 4, 4), 0.6), torch.zeros(1, 1, 4, 4)
    labels[..., 0, :], labels[..., 1, :] = 2, 1  # hair, skin
    drawing[..., 0, 0] = 0
    changed = recolour(drawing, labels, seeded_z(3, 16))
    assert torch.equal(changed[..., 1:, :], drawing[..., 1:, :])
    assert changed[..., 0, 0].max() == 0
    assert not torch.allclose(changed[..., 0, 1:], drawing[..., 0, 1:])


def test_palettes_spread_over_all_hues() -> None:
    colours = palette(torch.randn(500, 16, generator=torch.Generator().manual_seed(0)))
    assert colours.shape == (500, 4, 3)
    assert 0 <= colours.min() and colours.max() <= 1
    strongest = colours[:, 1].argmax(1).bincount(minlength=3)
    assert strongest.min() > 100
