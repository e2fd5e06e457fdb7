import pytest
import torch
from torch import Tensor

from stylizer.errors import ModelRejected
from stylizer.stylegan2.blend import blend, block_size
from stylizer.stylegan2.synthesis import Synthesis, SynthesisConfig

CONFIG = SynthesisConfig(widths=(6, 5, 4), first=16, w_dim=4)


def _weights(seed: int) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    return Synthesis(CONFIG).state_dict()


PHOTO, STYLE = _weights(1), _weights(2)


def test_both_ends_are_exact_above_16_and_the_photo_below() -> None:
    for strength, upper in ((0.0, PHOTO), (1.0, STYLE)):
        mixed = blend(PHOTO, STYLE, strength)
        for name, value in mixed.items():
            assert torch.equal(value, (upper if block_size(name) > 16 else PHOTO)[name]), name


def test_half_way_lies_in_the_middle() -> None:
    mixed = blend(PHOTO, STYLE, 0.5)
    name = "blocks.32.conv1.weight"
    torch.testing.assert_close(mixed[name], (PHOTO[name] + STYLE[name]) / 2)


def test_the_result_shares_no_memory_with_its_sources() -> None:
    for value in blend(PHOTO, STYLE, 0.0).values():
        value.fill_(9)
    assert not any((v == 9).all() for v in PHOTO.values() if v.numel() > 1)


def test_the_layers_above_any_size_may_be_swapped() -> None:
    swapped = blend(PHOTO, STYLE, 1.0, above=32)
    assert torch.equal(swapped["blocks.32.conv1.weight"], PHOTO["blocks.32.conv1.weight"])
    assert torch.equal(swapped["blocks.64.conv1.weight"], STYLE["blocks.64.conv1.weight"])


@pytest.mark.parametrize("fault", ["missing", "shape"])
def test_generators_of_other_shapes_are_refused_by_name(fault: str) -> None:
    broken = dict(STYLE)
    if fault == "missing":
        del broken["blocks.32.conv1.bias"]
    else:
        broken["blocks.32.conv1.bias"] = torch.zeros(77)
    with pytest.raises(ModelRejected, match=r"blocks\.32\.conv1\.bias"):
        blend(PHOTO, broken, 0.5)
