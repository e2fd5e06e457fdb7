import pytest
import torch

from stylizer.training.measures import flicker, hue_agreement, ms_ssim, sliced_wasserstein


def test_ms_ssim_is_one_for_equal_pictures_and_falls_with_blur_and_noise() -> None:
    generator = torch.Generator().manual_seed(0)
    a = torch.nn.functional.interpolate(torch.rand(1, 3, 32, 32, generator=generator), size=192)
    torch.testing.assert_close(ms_ssim(a, a), torch.ones(1), rtol=0, atol=1e-5)
    blurred = torch.nn.functional.avg_pool2d(a, 9, 1, 4)
    noisy = (a + 0.05 * torch.randn(a.shape, generator=generator)).clamp(0, 1)
    assert ms_ssim(a, blurred) < ms_ssim(a, noisy) < 1
    with pytest.raises(ValueError, match="176"):
        ms_ssim(a[..., :100, :100], a[..., :100, :100])


def test_hue_agreement_sees_exchanged_clothes() -> None:
    alpha = torch.zeros(1, 1, 30, 30)
    alpha[..., 10:20] = 1
    a = torch.full((1, 3, 30, 30), 0.4)
    a[:, 0, 10:20], a[:, 2, 20:] = 0.9, 0.9  # red middle, blue below
    torch.testing.assert_close(hue_agreement(a, a * 0.8, alpha), torch.ones(1), rtol=0, atol=1e-4)
    exchanged = a.clone()
    exchanged[:, :, 10:20], exchanged[:, :, 20:] = a[:, :, 20:], a[:, :, 10:20]
    assert hue_agreement(a, exchanged, alpha) < 0.5


def test_flicker_is_the_ratio_of_changes() -> None:
    given = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    assert flicker(given, given * 0.5) == pytest.approx(0.5)
    assert flicker(given, given[:1].expand(4, -1, -1, -1)) == 0


def test_sliced_wasserstein_is_small_within_a_domain_and_grows_with_the_difference() -> None:
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(16, 3, 8, 8, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, size=64, mode="bilinear")
    other = torch.nn.functional.interpolate(coarse.flip(0).roll(1, 1), size=64, mode="bilinear")
    noise = torch.rand(smooth.shape, generator=generator)
    assert sliced_wasserstein(smooth, smooth) == 0
    far = sliced_wasserstein(smooth, noise)
    assert sliced_wasserstein(smooth, other) < 0.7 * far
    assert sliced_wasserstein(smooth, noise) == far, "the same numbers on every call"
    with pytest.raises(ValueError, match="same shape"):
        sliced_wasserstein(smooth, smooth[:4])


def test_measures_give_the_answers_that_a_pencil_gives() -> None:
    black, white = torch.zeros(1, 3, 176, 176), torch.ones(1, 3, 176, 176)
    picture = torch.rand(2, 3, 176, 176, generator=torch.Generator().manual_seed(1))
    luminance = (1e-4 / (1 + 1e-4)) ** 0.1333
    assert ms_ssim(black, white).item() == pytest.approx(luminance, rel=1e-3), "only the coarsest scale sees it"
    assert ms_ssim(picture, 1 - picture).max() < 1e-3, "what is turned round is not alike"
    assert sliced_wasserstein(picture, picture / 2 + 0.25) == pytest.approx(0, abs=1e-4), "each channel's spread is one"
