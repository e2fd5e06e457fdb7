"""A number in a corner of a picture as black and white blocks: it survives scaling and any video codec.

Sixteen bits and a parity bit, least first, each BLOCK px square; a picture in which a block is grey has no number.
"""

import numpy as np

from stylizer.frame import PixelsU8

BITS, BLOCK = 16, 16
WIDTH, HEIGHT = (BITS + 1) * BLOCK, BLOCK  # px that the code takes in the upper left corner
DARK, LIGHT = 90, 165  # limits of a block's mean: studio range and compression wash black and white out


def stamp(pixels: PixelsU8, number: int) -> None:
    """Writes `number` modulo 2^16 into the picture, uint8 [H, W, 3], itself. ValueError when it is too narrow."""
    if pixels.shape[1] < WIDTH or pixels.shape[0] < HEIGHT:
        raise ValueError(f"picture: {pixels.shape[1]}x{pixels.shape[0]} px, the code needs {WIDTH}x{HEIGHT}")
    bits = [number >> i & 1 for i in range(BITS)]
    row = np.repeat(np.array([*bits, sum(bits) % 2], np.uint8) * 255, BLOCK)
    pixels[:BLOCK, :WIDTH] = row[None, :, None]


def read(pixels: PixelsU8) -> int | None:
    """The number, or None where none can be read. The middle half of each block is looked at."""
    quarter = BLOCK // 4
    blocks = pixels[quarter : BLOCK - quarter, :WIDTH].mean((0, 2)).reshape(BITS + 1, BLOCK)
    means = blocks[:, quarter : BLOCK - quarter].mean(1)
    if ((means > DARK) & (means < LIGHT)).any():
        return None
    bits = [int(mean >= LIGHT) for mean in means]
    if sum(bits[:BITS]) % 2 != bits[BITS]:
        return None
    return sum(bit << i for i, bit in enumerate(bits[:BITS]))
