"""The torch U-Net is the NumPy network, draws faces, and refuses files that are no network."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from kernels.reference import unet_ref
from kernels.weights import load_weights, random_weights
from stylizer.convert.pix2pix import Unet256, load_unet
from stylizer.errors import ModelMissing, ModelRejected
from tests.conftest import Finder, Rng

F32 = NDArray[np.float32]


def run(network: Unet256, picture_unit: F32) -> F32:
    with torch.inference_mode():
        y = network(torch.from_numpy(picture_unit).permute(2, 0, 1)[None])
    out: F32 = y[0].permute(1, 2, 0).numpy()
    return out


@pytest.mark.parametrize("filters", [1, 3, 8])
def test_torch_network_equals_numpy(rng: Rng, filters: int) -> None:
    weights = random_weights(filters)
    picture = rng.unit_f32(256, 256, 3)
    np.testing.assert_allclose(run(Unet256.from_weights(weights), picture), unet_ref(picture, weights), atol=2e-5)


def doodle(path: Path) -> F32:
    """The picture at 256x256, RGB, 0..1."""
    bgr = cv2.imread(str(path))
    assert bgr is not None
    small = cv2.resize(bgr, (256, 256), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(small[..., ::-1]).astype(np.float32) / np.float32(255)


@pytest.mark.parametrize("name", ["input1.png", "input9.png", "input17.png"])
def test_doodles_become_faces(weights: Finder, media: Finder, name: str) -> None:
    path = weights("pix2pix/PixFaceLightLight.pict")
    picture = doodle(media(f"pixface_doodles/{name}"))
    face = run(load_unet(path), picture)
    np.testing.assert_allclose(face, unet_ref(picture, load_weights(path)), atol=1e-5)
    skin = (face[..., 0] > face[..., 1] + 0.05) & (face[..., 1] > face[..., 2])
    assert skin[64:192, 64:192].mean() > 0.3  # a black and white drawing has no skin, nor has a filter read backwards


def test_a_missing_or_wrong_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="none.pict"):
        load_unet(tmp_path / "none.pict")
    (tmp_path / "short.pict").write_bytes(b"\0\0\0\2[]")
    with pytest.raises(ModelRejected, match="short.pict"):
        load_unet(tmp_path / "short.pict")
