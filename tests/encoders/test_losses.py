import torch

from encoders.losses import (
    discriminator_logistic,
    edge_weight,
    generator_logistic,
    gradient_l1,
    over,
    path_lengths,
    r1_penalty,
    silhouette_iou,
    weighted_l1,
)


def test_edges_weigh_more_than_plain_areas() -> None:
    picture = torch.zeros(1, 3, 16, 16)
    picture[..., 8:] = 1
    weight = edge_weight(picture, gain=4)
    assert weight[0, 0, 4, 7] == 5
    assert weight[0, 0, 4, 2] == 1
    assert edge_weight(picture * 0, gain=4).max() == 1


def test_gradient_loss_ignores_a_change_of_level_and_sees_a_line() -> None:
    a, one = torch.rand(1, 3, 8, 8), torch.ones(1, 1, 8, 8)
    torch.testing.assert_close(gradient_l1(a, a + 0.3, one), torch.tensor(0.0), atol=1e-6, rtol=0)
    b = a.clone()
    b[..., 4] += 1
    assert gradient_l1(a, b, one) > weighted_l1(a, b, one)


def test_over_is_straight_alpha() -> None:
    picture, backdrop = torch.full((1, 3, 2, 2), 0.8), torch.full((1, 3, 1, 1), 0.2)
    torch.testing.assert_close(over(picture, torch.full((1, 1, 2, 2), 0.5), backdrop), torch.full((1, 3, 2, 2), 0.5))


def test_silhouette_iou_of_two_squares() -> None:
    a, b = torch.zeros(2, 1, 8, 8), torch.zeros(2, 1, 8, 8)
    a[0, :, :4], b[0, :, 2:6] = 1, 1
    torch.testing.assert_close(silhouette_iou(a, b), torch.tensor([2 / 6, 1.0]))


def test_logistic_losses_fall_when_their_side_wins() -> None:
    low, high = torch.tensor([-3.0]), torch.tensor([3.0])
    assert generator_logistic(high) < generator_logistic(low)
    assert discriminator_logistic(high, low) < discriminator_logistic(low, high)


def test_r1_equals_finite_differences() -> None:
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(12, 5), torch.nn.Tanh(), torch.nn.Linear(5, 1)
    ).double()
    real = torch.randn(2, 3, 2, 2, dtype=torch.float64, requires_grad=True)
    got = r1_penalty(net(real)[:, 0], real)
    step, squares = 1e-5, 0.0
    with torch.no_grad():
        for i in range(real.numel()):
            nudge = torch.zeros(real.numel(), dtype=torch.float64)
            nudge[i] = step
            nudge = nudge.reshape(real.shape)
            squares += float(((net(real + nudge).sum() - net(real - nudge).sum()) / (2 * step)) ** 2)
    torch.testing.assert_close(got, torch.tensor(squares / 2, dtype=torch.float64), rtol=1e-6, atol=1e-9)


def test_path_lengths_equal_finite_differences() -> None:
    """The slope of <picture, direction> / sqrt(pixels) along each number of ws, its length averaged over the layers."""
    torch.manual_seed(1)
    weight = torch.randn(3 * 4 * 4, 2 * 5, dtype=torch.float64)
    ws = torch.randn(2, 2, 5, dtype=torch.float64, requires_grad=True)
    direction = torch.randn(2, 3, 4, 4, dtype=torch.float64)

    def picture(w: torch.Tensor) -> torch.Tensor:
        return torch.tanh(w.flatten(1) @ weight.t()).reshape(-1, 3, 4, 4)

    got = path_lengths(picture(ws), ws, direction)
    step, slopes = 1e-6, torch.zeros(2, 2, 5, dtype=torch.float64)
    with torch.no_grad():
        for n, layer, k in torch.cartesian_prod(torch.arange(2), torch.arange(2), torch.arange(5)).tolist():
            nudge = torch.zeros_like(ws)
            nudge[n, layer, k] = step
            change = picture(ws + nudge) - picture(ws - nudge)
            slopes[n, layer, k] = (change * direction).sum() / 4 / (2 * step)
    want = torch.sqrt((slopes**2).sum(2).mean(1))
    torch.testing.assert_close(got.detach(), want, rtol=1e-5, atol=1e-8)
    got.sum().backward()  # type: ignore[no-untyped-call]
    assert ws.grad is not None and ws.grad.abs().sum() > 0, "the penalty has a gradient of its own"
