import json

import torch

from encoders.feature16 import EncoderConfig, Feature16

SMALL = EncoderConfig(
    widths=(8, 8, 8), blocks=1, feat_channels=6, detail_channels=(5, 3), fine_channels=(4, 2), num_ws=4, w_dim=5
)


def test_shapes_and_config() -> None:
    net = Feature16(SMALL)
    feat16, ws, details = net(torch.zeros(2, 4, 256, 256))
    assert [tuple(d.shape) for d in details] == [(2, 5, 32, 32), (2, 3, 64, 64), (2, 4, 128, 128), (2, 2, 256, 256)]
    assert feat16.shape == (2, 6, 16, 16)
    assert ws.shape == (2, 4, 5)
    assert EncoderConfig.from_dict(json.loads(json.dumps(SMALL.to_dict()))) == SMALL


def test_a_file_from_before_fine_details_has_none() -> None:
    old = {name: value for name, value in SMALL.to_dict().items() if not name.startswith("fine")}
    assert len(Feature16(EncoderConfig.from_dict(old))(torch.zeros(1, 4, 256, 256))[2]) == 2


def test_features_follow_the_picture_by_whole_cells() -> None:
    """A figure that moves by 16 px moves by one cell: the encoder knows no places."""
    torch.manual_seed(0)
    net = Feature16(SMALL).eval()
    picture = torch.zeros(1, 4, 256, 256)
    picture[:, :, 112:144, 112:144] = torch.randn(1, 4, 32, 32)
    with torch.no_grad():
        here, ws, _ = net(picture)
        there, ws_there, _ = net(picture.roll(16, 3))
    middle = slice(4, 12)
    torch.testing.assert_close(here[..., middle, middle], there[..., middle, 5:13], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ws, ws_there, rtol=1e-2, atol=1e-2)  # means over the whole picture


def test_alpha_matters() -> None:
    net = Feature16(SMALL).eval()
    picture = torch.zeros(1, 4, 256, 256)
    with torch.no_grad():
        empty = net(picture)[0]
        picture[:, 3] = 1
        assert not torch.allclose(empty, net(picture)[0])
