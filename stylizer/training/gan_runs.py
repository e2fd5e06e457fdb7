"""The runs that make a style out of unpaired pictures: a photo generator, its fine-tuning, the encoder that inverts it.

Each goes on where it stopped when it is called again with the same folder.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path

from stylizer.config import Settings
from stylizer.convert import SIZE
from stylizer.errors import BadInput, first_line
from stylizer.pipeline import Pipeline
from stylizer.stylegan2.discriminator import Discriminator, DiscriminatorConfig
from stylizer.stylegan2.generator import Generator, GeneratorConfig, load_generator
from stylizer.training.data.folders import make_pictures
from stylizer.training.data.pictures import Pictures
from stylizer.training.data.store import plan_of
from stylizer.training.export import hours
from stylizer.training.inversion import EncoderSettings, EncoderTrainer
from stylizer.training.loop import Say, run
from stylizer.training.parallel import World
from stylizer.training.run import load_state
from stylizer.training.stylegan2 import GanSettings, GanTrainer

SOURCE = "data.txt"  # in a run's folder: which data set it was trained on, where it has none of its own


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """A trained generator and, from a run of ours, the discriminator that it was trained against, and for how long."""

    generator: Generator
    critic: Discriminator | None = None
    hours: float = 0.0


def open_start(path: Path) -> Start:
    """A folder of `train stylegan2` or `train fine-tune`, or a generator's .safetensors file.

    Raises BadInput, ModelMissing or ModelRejected.
    """
    if path.is_file():
        return Start(load_generator(path))
    state = load_state(path / "checkpoint.pt")
    if state is None or "critic_config" not in state:
        raise BadInput(f"{path}: neither a run of `train stylegan2` or `fine-tune` nor a generator's .safetensors file")
    try:
        generator = Generator(GeneratorConfig.from_dict(json.loads(state["config"])))
        generator.load_state_dict(state["ema"])
        critic = Discriminator(DiscriminatorConfig.from_dict(json.loads(state["critic_config"])))
        critic.load_state_dict(state["critic"])
    except (RuntimeError, ValueError, LookupError, TypeError) as error:
        raise BadInput(f"{path}: its checkpoint is broken ({first_line(error)})") from None
    return Start(generator.eval().requires_grad_(False), critic, hours(path))


def prepared(source: Path, out: Path, side: str, say: Say, world: World) -> Pictures:
    """A data set that `train data` has made, or a folder of pictures and films, which becomes one in `out/pictures`.

    Raises BadInput when that was made of another folder.
    """
    if (source / "store.json").is_file() or (source / "plan.json").is_file():  # finished, or begun and refused
        return Pictures.open(source, side)
    own = out / "pictures"
    if world.first and not (own / "store.json").is_file():
        make_pictures(source, own, side, say, pipeline=Pipeline.open(Settings.load()) if side == "photo" else None)
    world.wait()
    made_of = plan_of(own / "store.json").get("source")
    if made_of not in (source.resolve().name, source.name):
        raise BadInput(f"{own}: was made of {made_of!r}, asked for is {source}; name another --out, or take it away")
    return Pictures.open(own, side)


def data_of(run: Path, side: str) -> Pictures:
    """The data set that a run was trained on. Raises BadInput when it is not where it was."""
    named = run / SOURCE
    if not named.is_file():
        return Pictures.open(run / "pictures", side)
    try:
        return Pictures.open(Path(named.read_text(encoding="utf-8").strip()), side)
    except BadInput as error:
        raise BadInput(f"{error}; if it has moved, write into {named} where it is now") from None


def train_generator(
    out: Path, source: Path, side: str, settings: GanSettings, say: Say, world: World, start: Start | None = None
) -> GanTrainer:
    """Trains a generator on the photos or the drawings of `source`; from another one when `start` is given."""
    if start:
        settings = like(settings, start)
    pictures = prepared(source, out, side, say, world)
    parts = {} if start is None else {"start": start.generator, "critic": start.critic}
    trainer = GanTrainer(settings, pictures, world, **parts)  # type: ignore[arg-type]
    _warn_of_size(trainer.net, say)
    _run(out, source, trainer, settings, say, world)
    return trainer


def train_encoder(
    out: Path, source: Path, settings: EncoderSettings, say: Say, world: World, start: Start
) -> EncoderTrainer:
    """Trains the encoder that inverts `start`'s generator, on photos."""
    pictures = prepared(source, out, "photo", say, world)
    trainer = EncoderTrainer(settings, pictures, start.generator, start.critic, world)
    _warn_of_size(trainer.generator, say)
    _run(out, source, trainer, settings, say, world)
    return trainer


def like(settings: GanSettings, start: Start) -> GanSettings:
    """The settings with the sizes of the networks to go on from."""
    config = start.generator.config
    synthesis = config.synthesis
    critic_widths = start.critic.config.widths if start.critic else tuple(reversed(synthesis.widths))
    sizes = {"widths": synthesis.widths, "w_dim": synthesis.w_dim, "critic_widths": critic_widths}
    return replace(settings, **sizes, z_dim=config.z_dim, mapping_layers=config.mapping_layers)  # type: ignore[arg-type]


def _warn_of_size(net: Generator, say: Say) -> None:
    """Now, not after hours of training."""
    if net.config.size != SIZE:
        say(f"WARNING: the generator draws {net.config.size} px, a style {SIZE}: `train compose` will refuse it")


def _run(
    out: Path,
    source: Path,
    trainer: GanTrainer | EncoderTrainer,
    settings: GanSettings | EncoderSettings,
    say: Say,
    world: World,
) -> None:
    about = {SOURCE: str(source.resolve())} if (source / "store.json").is_file() else {}
    run(
        out, trainer, settings.steps, say,
        samples_every=settings.samples_every, checkpoint_s=settings.checkpoint_s, world=world, settings=settings,
        about=about,
    )  # fmt: skip
