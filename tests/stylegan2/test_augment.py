import pytest
import torch

from stylizer.stylegan2.augment import MOST, Controller, _affine, augment


def _pictures(n: int = 4) -> torch.Tensor:
    torch.manual_seed(0)
    return torch.nn.functional.interpolate(torch.rand(n, 4, 8, 8) * 2 - 1, size=32, mode="bilinear")


def test_at_zero_nothing_changes_and_at_one_everything_does() -> None:
    x = _pictures()
    assert augment(x, 0.0) is x
    changed = augment(x, 1.0)
    assert changed.shape == x.shape
    assert ((changed - x).abs().mean((1, 2, 3)) > 0.05).all()
    with pytest.raises(ValueError, match="0..1, got 2"):
        augment(x, 2)


def test_each_change_comes_as_often_as_asked() -> None:
    x = _pictures(1).expand(400, -1, -1, -1)
    untouched = (augment(x, 0.05) - x).abs().amax((1, 2, 3)) < 1e-4
    assert 0.5 < untouched.float().mean() < 0.8  # ten changes at 0.05 or half of it: 0.95^8 * 0.975^2 = 0.63


def test_gradients_come_through_and_alpha_stays_with_its_colours() -> None:
    x = _pictures().requires_grad_()
    augment(x, 0.8).square().sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None and (x.grad.abs().sum((1, 2, 3)) > 0).all()
    figure = torch.full((64, 4, 32, 32), -1.0)
    figure[:, :3] = 0
    figure[:, :, 8:24, 12:20] = 1.0
    changed = augment(figure, 0.8)
    inside = changed[:, 3] > 0.99
    outside = changed[:, 3] < -0.99
    assert inside.any() and outside.any()
    contrast = (changed[:, 0] * inside).sum() / inside.sum() - (changed[:, 0] * outside).sum() / outside.sum()
    assert contrast > 0.5


def test_the_controller_follows_overfitting_up_and_down() -> None:
    control = Controller(pictures=100, every=2)
    for _ in range(8):
        control.update(1.0, 5)  # every real picture is recognised
    assert control.p == pytest.approx(0.4)
    for _ in range(40):
        control.update(1.0, 5)
    assert control.p == MOST
    for _ in range(4):
        control.update(0.2, 5)
    assert control.p == pytest.approx(MOST - 0.2)
    again = Controller.restored(control.state())
    assert again.update(0.2, 5) == control.update(0.2, 5)


def test_half_of_the_pictures_are_mirrored_at_most() -> None:
    """Mirrored more often than not, a picture could not be told from its mirror image (2006.06676, appendix)."""
    torch.manual_seed(0)
    for p in (0.4, 1.0):
        turns = torch.linalg.det(_affine(4000, p, torch.device("cpu"))[:, :, :2]) < 0
        assert turns.float().mean().item() == pytest.approx(p / 2, abs=0.03)
