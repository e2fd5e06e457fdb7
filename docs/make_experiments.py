"""KaiRA's claims about a Toonified StyleGAN2, tried on one of our styles: pictures and numbers for docs/experiments.md.

    python docs/make_experiments.py [STYLE]

Input are drawn persons that no run has trained on; nothing else is needed.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from encoders.losses import over, silhouette_iou
from stylizer.config import Settings
from stylizer.controls import Value, control, defaults
from stylizer.convert.looks import Looks
from stylizer.convert.toonify import ToonifyNet, draw, load_style
from stylizer.frame import u8_from_unit
from stylizer.stylegan2.blend import blend
from stylizer.stylegan2.mapping import mix, truncate
from stylizer.stylegan2.synthesis import Synthesis
from stylizer.training.data.characters import draw_pair
from stylizer.training.export import UNSEEN
from stylizer.training.measures import hue_agreement, ms_ssim
from stylizer.training.watch import variety
from stylizer.weights.download import sha256_of
from stylizer.weights.registry import Registry

DOCS = Path(__file__).resolve().parent
OUT = DOCS / "experiments"
BEGIN, END = "<!-- numbers:begin (python docs/make_experiments.py) -->", "<!-- numbers:end -->"
PEOPLE = 24  # persons that numbers are taken over
SHOWN = (0, 3, 5, 8, 11, 14)  # of them, in the pictures
WHOLE = (8, 11)  # two of them seen from head to foot
SEEDS = range(1, 7)  # invented looks
BACK = 0.92  # light grey behind the figures in the pictures
Table = list[tuple[str, ...]]


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else "anime"
    torch.manual_seed(0)
    style = Registry(Settings.load()).style(name)
    net = load_style(style.weights)
    people = People.drawn(net, PEOPLE, style.card.hand or "anime")
    OUT.mkdir(exist_ok=True)
    with torch.inference_mode():
        tables = [make(net, people) for make in (truncation, mixing, references, row_three, features)]
    page = DOCS / "experiments.md"
    before, rest = page.read_text(encoding="utf-8").split(BEGIN)
    text = f"Style `{name}`, weights `{sha256_of(style.weights)[:12]}`, {PEOPLE} unseen drawn persons.\n\n" + "\n".join(
        map(markdown, tables)
    )
    page.write_text(before + BEGIN + "\n" + text + rest[rest.index(END) :], encoding="utf-8")


class People:
    """Drawn persons: what the camera side shows, what the drawing side wants, and what the encoder sees in them."""

    def __init__(self, photo: Tensor, wanted: Tensor, net: ToonifyNet) -> None:
        """photo, wanted [N, 4, 256, 256] unit, straight."""
        self.photo, self.wanted = photo, wanted
        self.feat, self.ws, self.details = net.encode(photo[:, :3], photo[:, 3:])

    @classmethod
    @torch.inference_mode()
    def drawn(cls, net: ToonifyNet, count: int, hand: str) -> "People":
        pairs = [draw_pair(UNSEEN + i, hand=hand) for i in range(count)]
        photo, wanted = (
            torch.from_numpy(np.stack([getattr(pair, side) for pair in pairs])).permute(0, 3, 1, 2).float() / 255
            for side in ("photo", "drawing")
        )
        return cls(photo, wanted, net)


def truncation(net: ToonifyNet, people: People) -> Table:
    """The same person in six invented looks, psi 1 above psi 0.6."""
    rows, numbers = [], []
    for psi in (1.0, 0.6):
        ws = torch.cat([truncate(net.look(seed), net.w_avg, psi) for seed in SEEDS])
        one = slice(WHOLE[0], WHOLE[0] + 1)
        feat, details = (
            people.feat[one].expand(len(ws), -1, -1, -1),
            tuple(d[one].expand(len(ws), -1, -1, -1) for d in people.details),
        )
        picture, alpha = draw(net.style, feat, ws, details)
        rows.append(flat(picture, alpha))
        numbers.append(variety(rows[-1]))
    save(rows, "truncation")
    return [
        ("truncation of six looks", "psi 1", "psi 0.6"),
        ("variety of the pictures (0..1)", *(f"{v:.4f}" for v in numbers)),
    ]


def mixing(net: ToonifyNet, people: People) -> Table:
    """ws of one look in the coarse layers, of another in the fine ones; the crossover moves from left to right."""
    a, b = net.look(2), net.look(5)
    crossovers = range(0, net.config.synthesis.num_ws + 1, 2)
    rows = []
    for person in WHOLE:
        one = slice(person, person + 1)
        details = tuple(d[one] for d in people.details)
        drawn = [flat(*draw(net.style, people.feat[one], mix(a, b, k), details)) for k in crossovers]
        rows.append(torch.cat(drawn))
    save(rows, "mixing")
    first, last = rows[0][0], rows[0][-1]
    whole = (first - last).abs().mean()
    steps = [float((picture - first).abs().mean() / whole) for picture in rows[0]]
    heads = [f"{k} coarse layers" for k in crossovers]
    return [("style mixing", *heads), ("way from the fine look to the coarse one", *(f"{v:.2f}" for v in steps))]


def references(net: ToonifyNet, people: People) -> Table:
    """Persons with others' looks: the others, one's own, theirs by ws alone, by ws and tones from 16 to 64 px on."""
    photo, alpha = people.photo[:, :3], people.photo[:, 3:]
    fixed, looks = net.at_strength(1.0), Looks(net)
    others = [looks.of_person(photo[i : i + 1], alpha[i : i + 1]) for i in range(len(photo))]
    others = [*others[1:], others[0]]  # each takes on the next one's
    ways: dict[str, tuple[dict[str, Value], bool]] = {
        "one's own look": ({"look": 0.0}, True),
        "the other's ws alone": ({}, False),
        **{f"ws and tones from {size} px": ({"mix_from": size}, True) for size in control("mix_from").choices},
    }
    rows, numbers = [], []
    wanted = colours(*draw(net.style, people.feat, people.ws, people.details)).roll(-1, 0)
    for changes, with_tones in ways.values():
        ws, share, tones, psi = looks.tensors([defaults() | changes] * len(photo), others)
        drawn = fixed(photo, alpha, ws, share, tones if with_tones else 0 * tones, psi)
        rows.append(flat(*drawn))
        numbers.append(f"{float((colours(*drawn) - wanted).norm(dim=1).mean()):.3f}")
    save([flat(photo, alpha).roll(-1, 0)[list(SHOWN)], *(row[list(SHOWN)] for row in rows[:5])], "references")
    return [("another person's look", *ways), ("distance of the mean colour from the other's", *numbers)]


def colours(picture: Tensor, alpha: Tensor) -> Tensor:
    """The figure's mean, [N, 3] unit."""
    return (picture * alpha).sum((2, 3)) / alpha.sum((2, 3))


def row_three(net: ToonifyNet, people: People) -> Table:
    """Input, photo model, style model above 16 px, style model from other sizes on."""
    photo, style = net.photo.state_dict(), net.style.state_dict()
    synthesis = {"photo model": net.photo, "style from 32 px": net.style}
    for crossover in (32, 64, 128):
        synthesis[f"style from {2 * crossover} px"] = swapped(net, blend(photo, style, 1.0, above=crossover))
    drawn = {name: draw(s, people.feat, people.ws, people.details) for name, s in synthesis.items()}
    rows = [flat(people.photo[:, :3], people.photo[:, 3:]), *(flat(*made) for made in drawn.values())]
    save([row[list(SHOWN)] for row in rows], "row-three")
    table: Table = [("pose of the photo model, texture of the style model", *drawn)]
    reference = drawn["photo model"][1]
    table.append(
        ("silhouette IoU with the photo model's", *(mean(silhouette_iou(a, reference)) for _, a in drawn.values()))
    )
    wanted = flat(people.wanted[:, :3], people.wanted[:, 3:])
    table.append(("MS-SSIM with the drawing wanted", *(mean(ms_ssim(flat(*made), wanted)) for made in drawn.values())))
    return table


def features(net: ToonifyNet, people: People) -> Table:
    """Everything; without details; with the ws of nobody in particular; with the features of nobody in particular."""
    nowhere = tuple(torch.zeros_like(d) for d in people.details)
    someone = people.feat.mean(0, keepdim=True).expand_as(people.feat)
    average = net.w_avg.expand_as(people.ws)
    ways = {
        "features, ws, details": (people.feat, people.ws, people.details),
        "features and ws": (people.feat, people.ws, nowhere),
        "features alone": (people.feat, average, nowhere),
        "ws alone": (someone, people.ws, nowhere),
    }
    drawn = {name: draw(net.style, *inputs) for name, inputs in ways.items()}
    wanted = flat(people.wanted[:, :3], people.wanted[:, 3:])
    save([row[list(SHOWN)] for row in (wanted, *(flat(*made) for made in drawn.values()))], "features")
    alpha = people.wanted[:, 3:]
    return [
        ("what the encoder passes", *drawn),
        ("silhouette IoU", *(mean(silhouette_iou(a, alpha)) for _, a in drawn.values())),
        ("hue agreement", *(mean(hue_agreement(wanted, flat(*made), alpha)) for made in drawn.values())),
        ("MS-SSIM", *(mean(ms_ssim(flat(*made), wanted)) for made in drawn.values())),
    ]


def swapped(net: ToonifyNet, weights: dict[str, Tensor]) -> Synthesis:
    synthesis = Synthesis(net.config.synthesis)
    synthesis.load_state_dict(weights)
    return synthesis.eval()


def flat(picture: Tensor, alpha: Tensor) -> Tensor:
    return over(picture, alpha, torch.full((1, 3, 1, 1), BACK))


def mean(values: Tensor) -> str:
    return f"{float(values.mean()):.3f}"


def save(rows: list[Tensor], name: str) -> None:
    """Rows [N, 3, 256, 256] below each other, each picture at 160 px."""
    sheet = torch.cat([torch.cat(list(row), 2) for row in rows], 1)
    picture = Image.fromarray(u8_from_unit(sheet))
    size = picture.width * 160 // 256, picture.height * 160 // 256
    picture.resize(size, Image.Resampling.LANCZOS).save(OUT / f"{name}.webp", quality=82, method=6)


def markdown(table: Table) -> str:
    head, *rows = table
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


if __name__ == "__main__":
    main()
