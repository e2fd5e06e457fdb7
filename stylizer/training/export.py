"""From a run to a style: the averaged weights, measured on pairs that were never trained on, and the card."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from encoders.losses import over, silhouette_iou
from stylizer.convert.toonify import ToonifyConfig, ToonifyNet, draw, load_style, save_style
from stylizer.errors import BadInput, first_line
from stylizer.files import made_whole, write_whole
from stylizer.training.data.characters import draw_pair
from stylizer.training.measures import hue_agreement, ms_ssim, sliced_wasserstein
from stylizer.training.run import load_state, read_log
from stylizer.training.settings import read_settings
from stylizer.training.toonify import ToonifySettings, plans_of
from stylizer.weights.card import CARD, Card, Kind
from stylizer.weights.download import sha256_of

UNSEEN = 9_000_000  # seed of the first pair that measures are taken on; runs begin at 1 000 000
DATA = (
    "characters, hand {hand}: {pairs} pairs of figures that the project draws itself"
    " (stylizer/training/data/characters)"
)
HUMANS = (
    "humans: {pairs} pairs of 3D people that the project photographs and draws (stylizer/training/data/humans), of"
    " MakeHuman's assets (AGPL3)"
)
HEADS = "; heads: {data}"
LICENCE = "AGPL-3.0-or-later"


def load_run(run: Path, config: ToonifyConfig | None = None) -> tuple[ToonifyNet, int]:
    """The averaged network of a run and the steps it has had."""
    state = load_state(run / "checkpoint.pt")
    if state is None:
        raise BadInput(f"{run}: there is no checkpoint of a run")
    net = ToonifyNet(config or read_settings(ToonifySettings, run / "settings.toml").network())
    try:
        net.load_state_dict(state["ema"])
    except (RuntimeError, LookupError) as error:
        raise BadInput(f"{run}: its checkpoint is not one of `train toonify` ({first_line(error)})") from None
    return net.eval().requires_grad_(False), int(state["step"])


def hours(run: Path) -> float:
    """Time spent on steps, by the log; pauses of more than a minute are left out. 0 for a run whose log is gone."""
    log = run / "log.jsonl"
    times = np.array([row["time"] for row in read_log(log)] if log.is_file() else [])
    gaps = np.diff(times)
    return float(gaps[gaps < 60].sum() / 3600)


def hand_of(run: Path) -> str:
    """Who drew the run's pairs."""
    return next((str(plan["hand"]) for plan in plans_of(run) if "hand" in plan), "anime")


def data_of(run: Path, settings: ToonifySettings, hand: str) -> str:
    """What the card says the run has seen: each store once, however often it was given."""
    plans = plans_of(run) or [{"count": settings.pairs}]
    humans = sum(plan["count"] for plan in plans if plan.get("data") in ("humans", "heads"))
    drawn = sum(plan["count"] for plan in plans if plan.get("data") not in ("humans", "heads"))
    said = [DATA.format(pairs=drawn, hand=hand)] if drawn else []
    return "; ".join(said + ([HUMANS.format(pairs=humans)] if humans else []))


@torch.inference_mode()
def measure(net: ToonifyNet, pairs: int, hand: str = "anime") -> dict[str, float]:
    """On drawn pairs that no run trains on: likeness to the drawing wanted, silhouette, colours, and how far all the
    drawings are from all that were wanted and from all the photos.
    """
    rows: list[dict[str, Tensor]] = []
    sets: list[tuple[Tensor, Tensor, Tensor]] = []
    for first in range(0, pairs, 8):
        drawn = [draw_pair(UNSEEN + i, hand=hand) for i in range(first, min(first + 8, pairs))]
        photo, wanted = (
            torch.from_numpy(np.stack([getattr(p, name) for p in drawn])).permute(0, 3, 1, 2).float() / 255
            for name in ("photo", "drawing")
        )
        picture, alpha = draw(net.style, *net.encode(photo[:, :3], photo[:, 3:]))
        grey = torch.full((len(drawn), 3, 1, 1), 0.5)
        shown, want = over(picture, alpha, grey), over(wanted[:, :3], wanted[:, 3:], grey)
        sets.append((shown, want, over(photo[:, :3], photo[:, 3:], grey)))
        rows.append(
            {
                "pairs_ms_ssim": ms_ssim(shown, want),
                "pairs_silhouette_iou": silhouette_iou(alpha, wanted[:, 3:]),
                "pairs_hue_agreement": hue_agreement(shown, want, wanted[:, 3:]),
                "pairs_l1": (shown - want).abs().mean((1, 2, 3)),
            }
        )
    made, drawings, photos = (torch.cat(of_all) for of_all in zip(*sets, strict=True))
    distances = {"drawings": drawings, "photos": photos}
    return {name: round(float(torch.cat([row[name] for row in rows]).mean()), 4) for name in rows[0]} | {
        f"pairs_swd_to_{name}": round(sliced_wasserstein(made, domain), 4) for name, domain in distances.items()
    }


def add_measures(style: Path, numbers: dict[str, float]) -> None:
    """Writes more measures into the card in the folder `style`."""
    card = Card.read(style)
    fuller = card.model_copy(update={"measures": {**card.measures, **numbers}})
    write_whole(style / CARD, fuller.to_toml())


def add_head(run: Path, style: Path, *, weak: list[str]) -> Card:
    """Gives the style in that folder the network for heads of a run with `heads`; the card tells of both.

    weak: the card's weak points from now on, its own where none are given. Raises BadInput for a run of another kind.
    """
    settings = read_settings(ToonifySettings, run / "settings.toml")
    if not settings.heads:
        raise BadInput(f"{run}: its network draws whole figures; one for heads is trained with `heads = true`")
    card = Card.read(style)
    head, steps = load_run(run)
    before = card.data.split(HEADS.format(data=""))[0]
    update = {
        "data": before
        + HEADS.format(data=data_of(run, settings, hand_of(run)))
        + f", {steps} steps, {hours(run):.1f} h",
        **({"weak_points": tuple(weak)} if weak else {}),
    }
    whole = load_style(style / card.weights).with_head(head)
    return write_style(style, whole, card.model_copy(update=update))


def export_style(
    run: Path, style: Path, *, title: str, machine: str, weak: list[str], pairs: int, hand: str | None = None
) -> Card:
    """Writes `weights.safetensors` and `card.toml` into the folder `style`.

    hand: who drew the pairs; None: as the run says.
    """
    net, steps = load_run(run)
    hand = hand or hand_of(run)
    settings = read_settings(ToonifySettings, run / "settings.toml")
    card = Card.made(
        name=style.name,
        title=title,
        kind=Kind.TOONIFY,
        data=data_of(run, settings, hand),
        licence=LICENCE,
        seed=settings.seed,
        steps=steps,
        hours=round(hours(run), 2),
        machine=machine,
        hand=hand,
        weak_points=tuple(weak),
    )
    return write_style(style, net, card.model_copy(update={"measures": measure(net, pairs, hand)}))


def write_style(style: Path, net: ToonifyNet, card: Card) -> Card:
    """Puts weights and card into the folder, one right after the other: an older style there plays until then.

    Returns the card with the weights' checksum.
    """
    style.mkdir(parents=True, exist_ok=True)
    with made_whole(style / card.weights) as weights:
        save_style(net, weights)
        card = card.model_copy(update={"sha256": sha256_of(weights)})
    write_whole(style / CARD, card.to_toml())
    return card
