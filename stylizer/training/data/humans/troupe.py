"""Three people who dance before the camera: who they are, what they wear, and how their bodies take a pose."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stylizer.training.data.humans import dye
from stylizer.training.data.humans.assets import Assets, Floats, Garment
from stylizer.training.data.humans.limbs import TWIST, angle_about, bent, reach, swing_and_twist, unit
from stylizer.training.data.humans.look import Look
from stylizer.training.data.humans.moves import Arm, Manner, Pose
from stylizer.training.data.humans.person import Nature, Person, assembled, glasses_on, skin_of, targets_of
from stylizer.training.data.humans.rig import Turn, from_quaternion, shaped, turn

RGB = tuple[float, float, float]
SOCK = 1.3  # dm over the sole
LOOSE = "standing02"  # the pose whose fingers a hanging hand has


class Plain(NamedTuple):
    """A part of a suit's texture, 0..1 from the left and the top, that is painted over: MakeHuman's mark is there."""

    x0: float
    y0: float
    x1: float
    y1: float
    colour: RGB


@dataclass(frozen=True, slots=True)
class Dancer:
    """suit_colours: of its main areas, in the order of `dye.palette_of`; the last for all others. tint: of the skin.
    traits: further targets of the body. glasses: a seed for them, None for none."""

    nature: Nature
    hair: str
    hair_colour: RGB
    suit: str
    suit_colours: tuple[RGB, ...]
    tint: RGB
    manner: Manner
    traits: Mapping[str, float]
    plain: tuple[Plain, ...] = ()
    glasses: int | None = None


_JEANS, _WHITE, _CORAL, _GREEN = (0.22, 0.36, 0.58), (0.93, 0.92, 0.90), (0.90, 0.36, 0.30), (0.26, 0.62, 0.42)
_OPEN_EYED = {f"eyes/{side}-eye-size-big": 0.7 for side in "lr"}
_SOFT = {"head/head-oval": 0.4, "nose/nose-scale-horiz-decr": 0.3, "mouth/mouth-lowerlip-volume-inflate": 0.3}
BROWN = 2  # among the eyes' textures
TROUPE: Mapping[str, Dancer] = {
    "juno": Dancer(
        Nature(True, 0.05, (0.12, 0.28, 0.6), 0.0, -0.15, 0.0, 0.9), "long01", (0.38, 0.20, 0.11),
        "female_casualsuit01", (_JEANS,), (1.0, 0.98, 0.96), Manner(),
        traits=_OPEN_EYED | _SOFT, plain=(Plain(0, 0, 1, 0.43, _CORAL), Plain(0.72, 0.56, 1, 0.86, _CORAL)),
    ),
    "kofi": Dancer(
        Nature(False, 0.08, (0.9, 0.0, 0.1), 0.2, 0.2, -0.35, 0.8), "afro01", (0.10, 0.08, 0.07),
        "male_worksuit01", ((0.16, 0.47, 0.52), (0.95, 0.74, 0.22), (0.20, 0.25, 0.30)), (1.3, 1.25, 1.22),
        Manner(1.2, 0.3, -1, 0.04), traits=_OPEN_EYED,
    ),
    "tomo": Dancer(
        Nature(False, 0.15, (0.0, 0.75, 0.25), -0.1, -0.1, -0.35, 0.7), "short01", (0.16, 0.11, 0.10),
        "male_casualsuit06", ((0.30, 0.29, 0.33), _GREEN, _GREEN), (1.02, 1.0, 0.98),
        Manner(0.8, 0.2, 1, 0.08), traits=_OPEN_EYED, plain=(Plain(0, 0, 1, 0.42, _GREEN),), glasses=3,
    ),
}  # fmt: skip


class Body:
    """One dancer, dressed once and posed as often as one likes. Raises BadInput naming what the assets lack."""

    def __init__(self, assets: Assets, dancer: Dancer) -> None:
        self.assets, self.dancer = assets, dancer
        self.calm = shaped(assets, {**targets_of(dancer.nature), **dancer.traits})
        self.worn: list[tuple[str, Garment]] = [
            ("eyes", assets.garment("eyes", "HighPolyEyes", BROWN)),
            ("teeth", assets.garment("teeth", "Teeth_Base")),
            ("tongue", assets.garment("tongue", "tongue01")),
            ("lashes", assets.garment("eyelashes", "Eyelashes01")),
            ("brows", assets.garment("eyebrows", "eyebrow002")),
            ("cloth", assets.garment("clothes", dancer.suit)),
            ("hair", assets.garment("hair", dancer.hair)),
        ]
        rig = assets.rig
        self.rest = {n: self.calm[list(ids)].mean(0).astype(float) for n, ids in zip(rig.names, rig.heads, strict=True)}
        shoes = assets.garment("clothes", "shoes05")
        fitted = shoes.fitted(self.calm)[:, 1]
        self.sole = float(fitted[np.unique(shoes.mesh.triangles)].min())
        bare = (fitted[shoes.mesh.triangles] < self.sole + SOCK).any(1)  # socks would come through the trousers
        mesh = replace(shoes.mesh, triangles=shoes.mesh.triangles[bare], uvs=shoes.mesh.uvs[bare])
        self.worn.append(("shoes", replace(shoes, mesh=mesh)))
        self._textures: dict[str, Floats] = {}

    def posed(self, pose: Pose) -> Person:
        """In the world: the floor is y = 0, the middle of the dance x = z = 0, the camera looks from +z."""
        race = ("african", "asian", "caucasian")[int(np.argmax(self.dancer.nature.race))]
        units = {"mouth-corner-puller": pose.smile, "mouth-open": pose.open}
        for side in ("left", "right"):
            units |= {f"eye-{side}-closure": pose.shut, f"eyebrows-{side}-inner-up": pose.brow}
        mood = {f"expression/units/{race}/{name}": amount for name, amount in units.items() if amount > 0}
        turns, moved = self._turns(pose)
        person = assembled(self.assets, self.calm, mood, turns, (0.0, 0.0), self.worn, skin_of(self.dancer.nature))
        if self.dancer.glasses is not None:
            person = glasses_on(person, np.random.default_rng(self.dancer.glasses))
        parts = tuple(replace(p, vertices=(p.vertices + moved).astype(np.float32)) for p in person.parts)
        face = {name: (point + moved).astype(np.float32) for name, point in person.face.items()}
        return replace(person, parts=parts, face=face)

    def look(self, person: Person) -> Look:
        """The textures of its parts."""
        return Look(tuple(self._texture(p.kind, p.colours) for p in person.parts), (), ())

    def _texture(self, kind: str, colours: Floats) -> Floats:
        if kind not in self._textures:
            d = self.dancer
            made = colours
            if kind in ("hair", "brows"):
                made = dye.dyed_hair(colours, np.array(d.hair_colour, np.float32) * (0.8 if kind == "brows" else 1))
            elif kind in ("cloth", "shoes"):
                palette = dye.palette_of(colours)
                wanted = d.suit_colours if kind == "cloth" else (_WHITE,)
                each = [wanted[min(i, len(wanted) - 1)] for i in range(len(palette.colours))]
                made = dye.dyed(colours, palette, np.array(each, np.float32))
                if kind == "cloth":
                    made = _painted(made, d.plain)
            elif kind == "body":
                made = colours.copy()
                made[..., :3] = np.clip(made[..., :3] * np.array(d.tint, np.float32), 0, 1)
            self._textures[kind] = np.asarray(made, np.float32)
        return self._textures[kind]

    def _turns(self, pose: Pose) -> tuple[dict[str, Turn], Floats]:
        """Each joint's turn, and how far the whole body is moved."""
        hips = turn((0, 1, 0), pose.yaw) @ turn((0, 0, 1), pose.roll)
        turns = {"root": hips}
        moved = np.array([0.0, -self.sole, 0.0]) + pose.hips - np.array([self.rest["root"][0], 0, 0])
        yaw, roll, pitch = pose.chest
        part = turn((0, 1, 0), yaw / 3) @ turn((0, 0, 1), roll / 3) @ turn((1, 0, 0), pitch / 3)
        chest = hips
        for joint in ("spine04", "spine03", "spine02"):
            turns[joint] = part
            chest = chest @ part
        wanted = turn((0, 1, 0), pose.head[0]) @ turn((1, 0, 0), pose.head[1]) @ turn((0, 0, 1), pose.head[2])
        third = _part(chest.T @ wanted, 1 / 3)
        turns |= {"neck01": third, "neck02": third, "head": third}
        for i, side in enumerate("LR"):
            self._arm(turns, pose.arms[i], side)
            self._leg(turns, hips, moved, pose, side)
        return turns, moved.astype(np.float32)

    def _arm(self, turns: dict[str, Turn], arm: Arm, side: str) -> None:
        mirror = np.array([1.0 if side == "L" else -1.0, 1, 1])
        shoulder, elbow, wrist = (self.rest[f"{n}.{side}"] for n in ("upperarm01", "lowerarm01", "wrist"))
        rest = unit(elbow - shoulder), unit(wrist - elbow)
        raised = max(0.0, 50 + float(np.degrees(np.arcsin(np.clip(arm.upper[1], -1, 1)))))
        collar = turn((0, 0, 1), mirror[0] * 0.16 * raised)
        blade = turn((0, 0, 1), mirror[0] * 0.10 * raised)
        turns[f"clavicle.{side}"], turns[f"shoulder01.{side}"] = collar, blade
        upper, lower = bent(rest, (arm.upper * mirror, arm.fore * mirror))
        swing, twist = swing_and_twist((collar @ blade).T @ upper, rest[0])
        turns[f"upperarm01.{side}"] = swing @ turn(tuple(rest[0]), TWIST * twist)
        turns[f"upperarm02.{side}"] = turn(tuple(rest[0]), (1 - TWIST) * twist)
        turns[f"lowerarm01.{side}"] = upper.T @ lower
        index, little = (self.rest[f"finger{n}-1.{side}"] - wrist for n in (2, 5))
        palm = -unit(np.cross(index, little)) * mirror[0]
        turned = angle_about(rest[1], palm, lower.T @ (arm.palm * mirror))
        half = turn(tuple(rest[1]), float(np.clip(turned, -110, 110)) / 2)
        turns[f"lowerarm02.{side}"] = turns[f"wrist.{side}"] = half
        for joint, quaternion in self.assets.poses[LOOSE].items():
            if joint.startswith("finger") and joint.endswith(f".{side}"):
                turns[joint] = _part(from_quaternion(*quaternion), arm.grip)

    def _leg(self, turns: dict[str, Turn], hips: Turn, moved: Floats, pose: Pose, side: str) -> None:
        foot = pose.feet[0 if side == "L" else 1]
        joints = [self.rest[f"{n}.{side}"] for n in ("upperleg01", "lowerleg01", "foot")]
        hip, knee, ankle = joints
        root = self.rest["root"]
        at = root + hips @ (hip - root) + moved
        stand = turn((0, 1, 0), foot.yaw)
        toes = self.rest[f"toe2-1.{side}"] - ankle
        heel = turn((1, 0, 0), foot.heel)
        low = np.array([0, self.sole - ankle[1], toes[2]])  # the ball of the foot, from the ankle
        wanted = np.array([foot.place[0], foot.up, foot.place[1]]) + stand @ (np.array([0, 0, toes[2]]) - heel @ low)
        lengths = float(np.linalg.norm(knee - hip)), float(np.linalg.norm(ankle - knee))
        aimed = reach(at, wanted, lengths, stand @ np.array([0.22 if side == "L" else -0.22, 0, 1]))
        upper, lower = bent((unit(knee - hip), unit(ankle - knee)), aimed)
        turns[f"upperleg01.{side}"] = hips.T @ upper
        turns[f"lowerleg01.{side}"] = upper.T @ lower
        turns[f"foot.{side}"] = lower.T @ stand @ heel


def _painted(texture: Floats, areas: Iterable[Plain]) -> Floats:
    height, width = texture.shape[:2]
    for x0, y0, x1, y1, colour in areas:
        texture[round(height * y0) : round(height * y1), round(width * x0) : round(width * x1), :3] = colour
    return texture


def _part(whole: Turn, share: float) -> Turn:
    """So much of a turn."""
    angle = float(np.degrees(np.arccos(np.clip((np.trace(whole) - 1) / 2, -1, 1))))
    axis = whole[2, 1] - whole[1, 2], whole[0, 2] - whole[2, 0], whole[1, 0] - whole[0, 1]
    return turn(axis, share * angle) if angle > 1e-3 else np.eye(3)


@lru_cache(maxsize=4)
def body_of(folder: Path, name: str) -> Body:
    return Body(Assets(folder), TROUPE[name])
