"""The camera's side: a G-buffer under a few lamps, with the shadows they cast."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from stylizer.training.data.characters.camera import cloud
from stylizer.training.data.humans.assets import Floats
from stylizer.training.data.humans.buffer import Buffer, blurred, length
from stylizer.training.data.humans.cast import Scene

GLOSS = {
    "body": (0.06, 18.0),
    "eyes": (0.9, 160.0),
    "teeth": (0.25, 60.0),
    "hair": (0.10, 14.0),
    "shoes": (0.10, 20.0),
    "glasses": (0.25, 40.0),
}
SHINY = 2.5  # how much more a moist skin, or a new shoe, may mirror than GLOSS says
SKY_RAYS = 4  # for each quarter of the samples, to learn how much of the surroundings' light comes there


@dataclass(frozen=True, slots=True, eq=False)
class Lamps:
    """ways [n, 3]: towards each lamp, camera space, length 1, the strongest first; colours [n, 3]; sky and ground: what
    comes from above and from below, [3]. hard: 0..1, do shadows have sharp edges."""

    ways: Floats
    colours: Floats
    sky: Floats
    ground: Floats
    hard: float


def lamps(rng: Generator) -> Lamps:
    """One main lamp high before the person, often another weaker one, sometimes one behind."""
    side = rng.choice([-1, 1])
    main = (side * rng.uniform(0.05, 1.1), -rng.uniform(0.1, 1.0), -rng.uniform(0.35, 1.0))
    ways, power = [main], [rng.uniform(0.35, 1.0)]
    if rng.random() < 0.5:
        ways.append((-side * rng.uniform(0.2, 1.0), -rng.uniform(-0.1, 0.8), -rng.uniform(0.3, 1.0)))
        power.append(power[0] * rng.uniform(0.1, 0.5))
    if rng.random() < 0.25:
        ways.append((rng.choice([-1, 1]) * rng.uniform(0.4, 1), -rng.uniform(0.2, 1.0), rng.uniform(0.2, 0.8)))
        power.append(rng.uniform(0.2, 0.9))
    w = np.array(ways, np.float32)
    warm = np.exp(rng.normal(0, 0.09, (len(ways), 1)) * np.array([1, 0.1, -1.2])).astype(np.float32)
    sky = rng.uniform(0.25, 0.75) * np.exp(rng.normal(0, 0.06) * np.array([-1, 0, 1]))
    return Lamps(
        np.asarray(w / np.linalg.norm(w, axis=1, keepdims=True), np.float32),
        warm * np.array(power, np.float32)[:, None],
        sky.astype(np.float32),
        (sky * rng.uniform(0.3, 0.9)).astype(np.float32),
        float(rng.uniform(0.3, 1.0)),
    )


def lit_by_sky(scene: Scene, buffer: Buffer, rng: Generator, rays: int = SKY_RAYS) -> Floats:
    """How much of the surroundings each sample sees, [S, S] 0..1: ambient occlusion, smooth."""
    size = buffer.surface.shape[0]
    rows, columns = np.nonzero(buffer.surface[::2, ::2] >= 0)
    points, normals = buffer.position[::2, ::2][rows, columns], buffer.normal[::2, ::2][rows, columns]
    seen = np.zeros(len(points), np.float32)
    for _ in range(rays):
        ball = rng.standard_normal(points.shape, np.float32)
        ways = normals + ball / np.maximum(np.linalg.norm(ball, axis=1, keepdims=True), 1e-6)
        ways /= np.maximum(np.linalg.norm(ways, axis=1, keepdims=True), 1e-6)
        seen += ~scene.shadowed(points + normals * 0.02, ways)
    small = np.zeros((size // 2, size // 2), np.float32)
    small[rows, columns] = seen / rays
    smooth = blurred(small, buffer.surface[::2, ::2] >= 0, 2.0)
    return np.asarray(cv2.resize(smooth, (size, size)), np.float32)


def shadows(scene: Scene, buffer: Buffer, way: Floats) -> Floats:
    """1 where the lamp in that direction is seen, 0 in its shadow, [S, S]."""
    rows, columns = np.nonzero((buffer.surface >= 0) & (buffer.normal @ way > 0))
    points = buffer.position[rows, columns] + buffer.normal[rows, columns] * 0.03
    result = np.zeros(buffer.surface.shape, np.float32)
    result[rows, columns] = ~scene.shadowed(points, np.broadcast_to(way, points.shape))
    return result


def light_on(
    scene: Scene, buffer: Buffer, kinds: list[str], light: Lamps, rng: Generator, rays: int = SKY_RAYS
) -> tuple[Floats, Floats]:
    """What falls on each sample and what it mirrors, [S, S, 3] each, linear. kinds: of the scene's surfaces."""
    size = buffer.surface.shape[0]
    inside = buffer.surface >= 0
    up = -buffer.bent[..., 1:2]
    sky = lit_by_sky(scene, buffer, rng, rays)[..., None]
    around = (light.sky * (0.5 + 0.5 * up) + light.ground * (0.5 - 0.5 * up)) * sky
    glow = np.zeros((size, size, 3), np.float32)
    gloss, power = (np.array([GLOSS.get(kind, (0.015, 10.0))[i] for kind in kinds] + [0.0], np.float32) for i in (0, 1))
    eye = -buffer.position / np.maximum(length(buffer.position), 1e-6)
    for way, colour in zip(light.ways, light.colours, strict=True):
        shadow = shadows(scene, buffer, way)
        soft = blurred(shadow, inside, 1.0 + 3.0 * (1 - light.hard))
        cos = np.clip(buffer.bent @ way, 0, 1) * soft
        around = around + cos[..., None] * colour
        half = eye + way
        half /= np.maximum(length(half), 1e-6)
        shine = (
            np.clip(np.einsum("abi,abi->ab", buffer.bent, half), 0, 1) ** power[buffer.surface]
            * gloss[buffer.surface]
            * soft
        )
        glow += shine[..., None] * colour
    return np.asarray(around, np.float32), glow


def wrinkles(size: int, rng: Generator) -> Floats:
    """What MakeHuman's smooth skins lack, [size, size], to be added to the logarithm of the colour: creases, pores and
    stubble, and broad unevenness."""
    creases = cloud(rng, size, int(rng.integers(1, 3)), stretch=True) * rng.uniform(0, 0.12)
    pores = cloud(rng, size, int(rng.integers(0, 2))) * rng.uniform(0, 0.06)
    return np.asarray(creases + pores + cloud(rng, size, int(rng.integers(3, 5))) * rng.uniform(0, 0.10), np.float32)


def develop_scene(
    scene: Scene, buffer: Buffer, kinds: list[str], albedo: Floats, light: Lamps, rng: Generator
) -> Floats:
    """albedo [S, S, 3] unit -> the picture [S, S, 3] unit, gamma as a screen's. kinds: of the scene's surfaces."""
    size = buffer.surface.shape[0]
    inside = buffer.surface >= 0
    around, glow = light_on(scene, buffer, kinds, light, rng)
    cloth, skin = (np.isin(buffer.surface, [i for i, k in enumerate(kinds) if k == kind]) for kind in ("cloth", "body"))
    folds = cloud(rng, size, int(rng.integers(3, 5)), stretch=True) * rng.uniform(0, 0.06) * cloth
    folds += wrinkles(size, rng) * skin
    linear = albedo**2.2 * around * np.exp(folds)[..., None] + glow * rng.uniform(0.3, SHINY)
    level = float(linear[inside].mean()) if inside.any() else 1.0
    exposure = rng.uniform(0.16, 0.42) / max(level, 1e-3)
    exposure = exposure**0.6  # a dark coat stays dark
    brightest = float(np.percentile(linear[inside].mean(1), 96)) if inside.any() else 1.0
    exposure = min(exposure, rng.uniform(0.6, 1.05) / max(brightest, 1e-3))  # nor is a face burnt out beside it
    return np.asarray(np.clip(linear * exposure, 0, 1.2) ** (1 / 2.2), np.float32)
