"""The loop's algebra is what the slow NumPy version says; the crossfade is exact at its ends."""

import numpy as np
import pytest
import torch

from kernels.feedback import NGX_OCTAVES, NOISE_PERIOD
from kernels.weights import random_weights
from stylizer.convert.pix2pix import Unet256
from stylizer.errors import BadInput
from stylizer.vj.bank import Bank
from stylizer.vj.dreamer import Dreamer
from stylizer.vj.feedback import disturbed, disturbed_ref, noise_of, saturated
from stylizer.vj.noise import picture_noise, simplex3, simplex3_ref
from stylizer.vj.widen import widened
from tests.conftest import Rng


def test_noise_equals_the_slow_one(rng: Rng) -> None:
    x, y = (torch.from_numpy(100 * rng.normal_f32(400)) for _ in range(2))
    slow = [simplex3_ref(float(a), float(b), 7.3) for a, b in zip(x, y, strict=True)]
    # At a distance of 300 float32 resolves 3e-5 of a cell, and the noise's slope is below 5.
    np.testing.assert_allclose(simplex3(x, y, 7.3).numpy(), slow, atol=3e-4)


@pytest.mark.parametrize("frequency, speed", NGX_OCTAVES)
def test_compiled_noise_is_the_same(frequency: float, speed: float) -> None:
    for seed, time_s in ((0, 0.0), (5, 12.3), (96, 7000.0)):
        quick = noise_of(torch.device("cpu"), seed, 1)(frequency, speed * time_s)
        # Far from zero float32 resolves 6e-5 of a cell, and the noise's slope is below 5.
        np.testing.assert_allclose(quick, picture_noise(frequency, speed * time_s, seed=seed), atol=5e-4)


def test_noise_does_not_jump_when_its_time_wraps_round() -> None:
    before, after = picture_noise(33.3, NOISE_PERIOD - 1e-3), picture_noise(33.3, NOISE_PERIOD + 1e-3)
    assert float((before - after).abs().max()) < 0.02


def test_noise_of_every_frequency_fills_its_range() -> None:
    for frequency, _ in NGX_OCTAVES:
        frames = torch.stack([picture_noise(frequency, z) for z in (0.0, 3.0, 11.0, 40.0)])
        assert float(frames.abs().max()) < 1.1
        assert float(frames.std()) > 0.2


@pytest.mark.parametrize("rate", [0.0, 0.7, 1.0, 2.0])
def test_the_loop_equals_the_slow_one(rng: Rng, rate: float) -> None:
    previous = rng.unit_f32(256, 256, 3).astype(np.float16)
    amplitudes, time_s = (0.3, 0.1, 0.2), 1.7
    noise = noise_of(torch.device("cpu"), 0, 1)
    fast = saturated(disturbed(torch.from_numpy(previous).permute(2, 0, 1)[None], rate, amplitudes, time_s, noise))
    # The slow one at every 16th pixel: it takes the place of a whole picture, whose (u, v) are these pixels' own.
    for row, column in [(0, 0), (17, 200), (128, 3), (255, 255), (90, 91)]:
        u, v = (column + 0.5) / 256, (row + 0.5) / 256
        added = sum(
            a * simplex3_ref(u * f, v * f, time_s * s) for a, (f, s) in zip(amplitudes, NGX_OCTAVES, strict=True)
        )
        expected = np.clip(previous[row, column].astype(np.float64) * rate + added, 0, 1)
        np.testing.assert_allclose(fast[0, :, row, column].numpy(), expected, atol=1e-3)


def test_the_slow_loop_without_noise_is_a_multiplication(rng: Rng) -> None:
    previous = rng.unit_f32(4, 4, 3).astype(np.float16)
    np.testing.assert_allclose(
        disturbed_ref(previous, 0.5, (0, 0, 0), 1.0), previous.astype(np.float32) * 0.5, rtol=1e-6
    )


def test_crossfade_is_exact_at_its_ends_and_a_mixture_between(bank: Bank, rng: Rng) -> None:
    picture = torch.from_numpy(rng.unit_f32(1, 3, 256, 256))
    one, two = bank.get("one"), bank.get("two")
    dreamer = Dreamer(dtype=torch.float32)
    for share, model in ((0.0, one), (1.0, two)):
        dreamer.mix(one, two, share)
        assert torch.equal(dreamer(picture), Unet256.from_weights(model.weights)(picture))
    dreamer.mix(one, two, 0.25)
    mixed = {n: 0.75 * one.weights[n] + np.float32(0.25) * two.weights[n] for n in one.weights}
    torch.testing.assert_close(dreamer(picture), Unet256.from_weights(mixed)(picture), atol=1e-4, rtol=0)


def test_a_widened_network_draws_the_same(rng: Rng) -> None:
    weights = random_weights(3)
    picture = torch.from_numpy(rng.unit_f32(1, 3, 256, 256))
    wide = Unet256.from_weights(widened(weights, 7))(picture)
    torch.testing.assert_close(wide, Unet256.from_weights(weights)(picture), atol=1e-5, rtol=0)
    with pytest.raises(BadInput, match="3 filters cannot be narrowed to 2"):
        widened(weights, 2)


def test_models_of_two_widths_mix_and_part_again(bank: Bank, rng: Rng) -> None:
    picture = torch.from_numpy(rng.unit_f32(1, 3, 256, 256))
    dreamer = Dreamer(dtype=torch.float32)
    dreamer.mix(bank.get("one"), bank.get("wide"), 0.5)
    assert dreamer.filters == 4
    assert torch.isfinite(dreamer(picture)).all()
    dreamer.mix(bank.get("one"), bank.get("wide"), 0.0)
    assert dreamer.filters == 2  # full speed again
    torch.testing.assert_close(dreamer(picture), Unet256.from_weights(bank.get("one").weights)(picture))
