"""Makes the small animated pictures of docs/vj.md: each embedded preset and each model alone, off-line, seed 0.

python docs/make_vj.py [NAME…]
"""

import sys
from pathlib import Path

from PIL import Image

from stylizer.frame import PixelsU8
from stylizer.vj.bank import Bank
from stylizer.vj.loop import open_loop
from stylizer.vj.presets import Preset, presets
from stylizer.vj.session import VjSession

FOLDER = Path(__file__).resolve().parent / "vj"
RATE = 30  # steps per second of the show
BEGIN_S, SECONDS, EVERY = 3.0, 3.0, 3  # every third picture
SIDE = 192  # px
MOST_BYTES = 300_000


def main() -> None:
    bank, wanted = Bank(), set(sys.argv[1:])
    shows = list(presets().values())
    shows += [Preset(f"model-{n}", n, {"model_a": n, "model_b": n}) for n in bank.names]
    FOLDER.mkdir(exist_ok=True)
    for show in shows:
        if not wanted or show.name in wanted:
            path = FOLDER / f"{show.name}.webp"
            size = save(path, played(bank, show))
            sys.stdout.write(f"{path.name}: {size // 1000} kB\n")


def played(bank: Bank, preset: Preset) -> list[PixelsU8]:
    session = VjSession(bank, loop=open_loop(offline=True))
    session.play(preset)
    session.apply({"output_size": "256"})
    pictures = [session.step(1 / RATE) for _ in range(round((BEGIN_S + SECONDS) * RATE))]
    return pictures[round(BEGIN_S * RATE) :: EVERY]


def save(path: Path, pictures: list[PixelsU8]) -> int:
    """Animated, as good as MOST_BYTES allow -> bytes."""
    first, *rest = [Image.fromarray(p).resize((SIDE, SIDE), Image.Resampling.LANCZOS) for p in pictures]
    for quality in (70, 55, 40, 25):
        first.save(path, save_all=True, append_images=rest, duration=1000 * EVERY // RATE, loop=0, quality=quality)
        if path.stat().st_size <= MOST_BYTES:
            break
    return path.stat().st_size


if __name__ == "__main__":
    main()
