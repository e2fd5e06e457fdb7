"""A style out of three runs: the encoder, the photo generator that it inverts, and that one fine-tuned on drawings."""

from pathlib import Path

import torch
from torch import Tensor

from encoders.feature16 import Feature16
from encoders.losses import over, silhouette_iou
from stylizer.convert.toonify import SIZE, ToonifyConfig, ToonifyNet, draw
from stylizer.errors import BadInput, first_line
from stylizer.stylegan2.generator import Generator
from stylizer.training.data.pictures import Pictures, sized
from stylizer.training.export import hours, write_style
from stylizer.training.gan_runs import Start
from stylizer.training.inversion import EncoderSettings, encoder_config, upper_part
from stylizer.training.measures import hue_agreement, sliced_wasserstein
from stylizer.training.run import load_state
from stylizer.training.settings import read_settings
from stylizer.weights.card import Card, Kind


def assemble(encoder: Feature16, ws_mean: Tensor, photo: Generator, style: Generator) -> ToonifyNet:
    """ws_mean [num_ws, w_dim]: of the encoder. Raises BadInput when the generators cannot be mixed or played."""
    if photo.config != style.config:
        raise BadInput(
            "the two generators differ in their sizes: the style must be fine-tuned from the photo generator"
        )
    if photo.config.size != SIZE:
        raise BadInput(f"a style draws {SIZE} px, these generators {photo.config.size}")
    upper, upper_style = upper_part(photo), upper_part(style)
    net = ToonifyNet(ToonifyConfig(upper.config, encoder.config, photo.config.z_dim, photo.config.mapping_layers))
    net.encoder.load_state_dict(encoder.state_dict())
    net.photo.load_state_dict(upper.state_dict())
    net.style.load_state_dict(upper_style.state_dict())
    rate = photo.config.mapping_rate  # the style's own mapping learns at rate 1: the factor goes into the weights
    mapping = photo.mapping.state_dict()
    net.mapping.load_state_dict({k: v if k == "w_avg" else v * rate for k, v in mapping.items()})
    net.w_avg.copy_(ws_mean)
    return net.eval().requires_grad_(False)


@torch.inference_mode()
def measure_unpaired(net: ToonifyNet, photos: Pictures, drawings: Pictures | None, count: int) -> dict[str, float]:
    """On the first `count` photos: silhouette and colours against the photo, distance to both domains.

    Where there are fewer drawings, as many of what was made are held against them.
    """
    count = min(count, len(photos))
    grey = torch.full((1, 3, 1, 1), 0.5)
    made, given, ious, hues = [], [], [], []
    for row in range(count):
        photo = _straight(photos, slice(row, row + 1))
        picture, alpha = draw(net.style, *net.encode(photo[:, :3], photo[:, 3:]))
        made.append(over(picture, alpha, grey))
        given.append(over(photo[:, :3], photo[:, 3:], grey))
        ious.append(silhouette_iou(alpha, photo[:, 3:]))
        hues.append(hue_agreement(given[-1], made[-1], photo[:, 3:]))
    result = {
        "photos": float(count),
        "photos_silhouette_iou": float(torch.cat(ious).mean()),
        "photos_hue_agreement": float(torch.cat(hues).mean()),
        "swd_to_photos": sliced_wasserstein(torch.cat(made), torch.cat(given)),
    }
    if drawings:
        wanted = _straight(drawings, slice(count))
        domain = over(wanted[:, :3], wanted[:, 3:], grey)
        result["swd_to_drawings"] = sliced_wasserstein(torch.cat(made)[: len(domain)], domain)
    return {name: round(value, 4) for name, value in result.items()}


def _straight(pictures: Pictures, rows: slice) -> Tensor:
    """[n, 4, 256, 256] unit; a data set of pairs may have another size."""
    return sized(torch.from_numpy(pictures.pixels[rows].copy()).permute(0, 3, 1, 2).float() / 255, SIZE)


def export_inverted(
    run: Path, photo: Start, style: Start, target: Path, *, title: str, machine: str, weak: list[str], data: str,
    photos: Pictures, drawings: Pictures | None, licence: str,
) -> Card:  # fmt: skip
    """Writes `weights.safetensors` and `card.toml` into `target`, from an encoder's run."""
    state = load_state(run / "checkpoint.pt")
    if state is None or "ws_mean" not in state:
        raise BadInput(f"{run}: not a run of `train encoder`")
    settings = read_settings(EncoderSettings, run / "settings.toml")
    encoder = Feature16(encoder_config(settings, upper_part(photo.generator).config))
    try:
        encoder.load_state_dict(state["ema"])
    except RuntimeError as error:
        raise BadInput(f"{run}: does not invert that photo generator ({first_line(error)})") from None
    net = assemble(encoder, state["ws_mean"], photo.generator, style.generator)
    card = Card.made(
        name=target.name,
        title=title,
        kind=Kind.TOONIFY,
        data=data,
        licence=licence,
        seed=settings.seed,
        steps=int(state["step"]),
        hours=round(hours(run) + photo.hours + style.hours, 2),
        machine=machine,
        weak_points=tuple(weak),
    )
    measures = measure_unpaired(net, photos, drawings, 32)
    return write_style(target, net, card.model_copy(update={"measures": measures}))
