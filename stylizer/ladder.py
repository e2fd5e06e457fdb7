"""What runs when something is missing: each part takes the best that is there, and says which rung that is and why."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import cv2
import torch

from stylizer import engines
from stylizer.config import Device, EngineName, Settings
from stylizer.convert import Converter
from stylizer.engines import Engine
from stylizer.engines.card import why_no_cuda
from stylizer.errors import ModelMissing, ModelRejected, Unavailable, Unreadable, first_line
from stylizer.frame import PixelsU8
from stylizer.library import Library
from stylizer.logs import log
from stylizer.stages.apart import Apart
from stylizer.stages.box import Box
from stylizer.stages.detect import Detection, load_detector
from stylizer.stages.face import HeadFinder, body_from_head
from stylizer.stages.matte import Matte, RvmMatte, SegmentationMatte, SubtractionMatte
from stylizer.stages.mesh import FaceMesh
from stylizer.stages.pose import PoseDetector, PoseMatte
from stylizer.stages.strip import StripMatte
from stylizer.weights.registry import Registry

MAX_BATCH = 16  # visitors in one step of a GPU


Part = Literal["device", "person", "face", "matte", "others", "onnx", "style"]


class Rung(NamedTuple):
    """standing: what runs. why: what was missing, if anything. `stylizer doctor` adds VJ mode's loop."""

    part: Part | Literal["vj loop"]
    standing: str
    why: str = ""


class Look(Protocol):
    """Finds the people in a picture."""

    def __call__(self, pixels: PixelsU8) -> Sequence[Detection]: ...


class FindHead(Protocol):
    """Finds the head of the person in a box."""

    def __call__(self, pixels: PixelsU8, body: Box) -> Box | None: ...


class Styles(Protocol):
    """The converters by name; the first name is the one that plays when nobody chose."""

    @property
    def names(self) -> tuple[str, ...]: ...
    def titles(self, language: str) -> Mapping[str, str]: ...
    def refresh(self) -> None: ...
    def get(self, name: str) -> Converter: ...
    def load(self, name: str) -> Converter: ...


@dataclass(frozen=True, slots=True)
class Parts:
    """All that the pipeline runs on.

    batch: how many visitors are worth one step. mesh: None, and no eyes are drawn. apart: None, and whoever is in the
    crop is drawn. device: where crops are made, which is where the matte's network runs.
    """

    look: Look
    find_head: FindHead
    matte: Matte
    library: Styles
    rungs: tuple[Rung, ...]
    batch: int = MAX_BATCH
    mesh: FaceMesh | None = None
    apart: Apart | None = None
    device: torch.device = torch.device("cpu")


def open_parts(settings: Settings) -> Parts:
    """Loads each part's best rung. A card that does not bear them, a full one say, leaves all to the CPU.

    Raises Unavailable when a forced device or engine is not there.
    """
    engine = engines.choose(settings)
    if engine.device.type == "cpu":
        return _opened(settings, engine, _device_note(settings))
    try:
        return _opened(settings, engine)
    except (RuntimeError, ModelRejected) as error:
        if settings.device == Device.CUDA or settings.engine != EngineName.AUTO:
            raise Unavailable(f"the networks do not run on the card: {first_line(error)}") from error
        why = f"the networks do not run on the card: {first_line(error)}"
    log.warning("the card is not used", reason=why)
    plain = settings.model_copy(update={"device": Device.CPU})
    return _opened(plain, engines.choose(plain), why)


def _opened(settings: Settings, engine: Engine, why: str = "") -> Parts:
    """why: there is no better device."""
    _keep_small_steps_on_one_thread(engine)
    registry = Registry(settings)
    find_head = HeadFinder(engine.device)
    look, person = _person(registry, engine, find_head)
    matte, matte_rung = _matte(registry, engine)
    apart, others = _apart(registry, engine, matte)
    mesh, face = _mesh(registry, engine)
    library = Library(registry, engine)
    if engine.device.type != "cpu" and library.names:
        library.load(library.names[0])  # what a card does not bear shows here, while there is another rung
    rungs = (
        Rung("device", engines.describe(engine), why or engine.lacks),
        person,
        face,
        matte_rung,
        others,
        *_onnx(engine),
        Rung("style", ", ".join(library.names), "; ".join(str(refusal) for refusal in library.refused)),
    )
    batch = 1 if engine.device.type == "cpu" else MAX_BATCH
    device = matte.device if isinstance(matte, RvmMatte) else torch.device("cpu")
    return Parts(look, find_head, matte, library, rungs, batch, mesh, apart, device)


def open_matte(settings: Settings) -> Matte:
    """The best way to cut out a person, alone. Raises Unavailable like `open_parts`."""
    return _matte(Registry(settings), engines.choose(settings))[0]


def _keep_small_steps_on_one_thread(engine: Engine) -> None:
    """The networks get all cores; OpenCV's and torch's small steps between them one each.

    Threads that wait for one another in steps of under a millisecond burn the cores that others need. On two busy cores
    composing 1280x720 takes 4 ms of processor time with one thread and 51 with two, MTCNN 30 and 1150.
    """
    cv2.setNumThreads(1)
    if engine.name != "torch":
        torch.set_num_threads(1)


def _person(registry: Registry, engine: Engine, find_head: HeadFinder) -> tuple[Look, Rung]:
    try:
        found = registry.find("person")
        return load_detector(found.path, engine), Rung("person", f"YOLOv5 ({found.path.name})")
    except (ModelMissing, ModelRejected, Unreadable) as error:
        why = str(error)
    by_face = FaceLook(find_head)
    try:
        pose = PoseDetector.load(registry.find("pose").path, engine)
        return lambda pixels: pose(pixels) or by_face(pixels), Rung("person", "MediaPipe pose; else MTCNN's face", why)
    except (ModelMissing, ModelRejected, Unreadable) as error:
        return by_face, Rung("person", "MTCNN's face, body by proportion; else the whole frame", f"{why}; {error}")


def _matte(registry: Registry, engine: Engine) -> tuple[Matte, Rung]:
    rungs: Sequence[tuple[str, str, Callable[..., Matte]]] = (
        ("matte", RvmMatte.name, StripMatte.load if engine.device.type == "cpu" else RvmMatte.load),
        ("silhouette", "MediaPipe pose", PoseMatte.load),
        ("segmentation", "MediaPipe selfie segmentation", SegmentationMatte.load),
    )
    why: list[str] = []
    for part, title, load in rungs:
        try:
            found = registry.find(part)
            return load(found.path, engine), Rung("matte", f"{title} ({found.path.name})", "; ".join(why))
        except (ModelMissing, ModelRejected, Unreadable) as error:
            why.append(str(error))
    return SubtractionMatte(), Rung("matte", "background subtraction (OpenCV)", "; ".join(why))


def _mesh(registry: Registry, engine: Engine) -> tuple[FaceMesh | None, Rung]:
    try:
        return FaceMesh.load(registry.find("mesh").path, engine), Rung("face", "MTCNN, MediaPipe face mesh")
    except (ModelMissing, ModelRejected, Unreadable) as error:
        return None, Rung("face", "MTCNN", str(error))


def _apart(registry: Registry, engine: Engine, matte: Matte) -> tuple[Apart | None, Rung]:
    if isinstance(matte, PoseMatte):
        return None, Rung("others", "left out by the matte, which is of one person")
    try:
        silhouette = PoseMatte.load(registry.find("silhouette").path, engine)
        return Apart(silhouette), Rung("others", "left out by MediaPipe pose")
    except (ModelMissing, ModelRejected, Unreadable) as error:
        return None, Rung("others", "drawn as well where they stand near", str(error))


def _onnx(engine: Engine) -> Sequence[Rung]:
    """What runs the networks of others, where that is not what the device's own rung says."""
    return [Rung("onnx", *engine.reading())] if engine.device.type == "cuda" else []


def _device_note(settings: Settings) -> str:
    """Why there is no card, for who did not ask for the CPU."""
    return "" if settings.device == Device.CPU else why_no_cuda()


class FaceLook:
    """Without a person detector: MTCNN looks for a face in the whole picture, made small; the body is guessed below.

    With no face either, the whole frame is taken for the person: what moves in it, the matte will tell.
    """

    def __init__(self, find_head: HeadFinder) -> None:
        self._find_head = find_head

    def __call__(self, pixels: PixelsU8) -> Sequence[Detection]:
        frame_size = pixels.shape[1], pixels.shape[0]
        head = self._find_head.largest(pixels)
        body = Box(0, 0, *frame_size) if head is None else body_from_head(head).within(*frame_size)
        return [Detection(body, 1.0)]
