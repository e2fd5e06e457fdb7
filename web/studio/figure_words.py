"""The bench's results and what stands in their figures, in Japanese. English is the results' own; it stays in figures
where this machine has no font with the letters.
"""

import re
from collections.abc import Callable

from stylizer.bench.figures import japanese_font
from web.studio.strings import UNITS, language

WORDS = UNITS | {
    "The picture's way": "映像から絵まで",
    "Each stage alone": "各段階を単独で測定",
    "one picture": "1枚",
    "VJ mode": "VJ モード",
    "Converter": "変換",
    "floor": "下限",
    "in all": "合計",
    "FLOP per byte": "1バイトあたりの演算量（FLOP）",
    "peaks measured": "性能の上限（実測）",
    "every layer at its floor": "全ての層が下限のとき",
    "the quickest engine on one thread": "1スレッドで最速のエンジン",
    "plain": "素朴な方法",
    "config-f width": "config-f の幅",
    "detect": "検出",
    "face": "顔",
    "track": "追跡",
    "crop": "切り出し",
    "matte": "切り抜き",
    "apart": "周りの人を除く",
    "closeup": "頭の拡大",
    "convert": "変換",
    "ink": "インク",
    "compose": "合成",
}
NUMBERED = (
    (r"visitor (\d+)", r"来場者\1"),
    (r"rung (\d+)", r"\1段目"),
    (r"(\d+) threads?", r"\1スレッド"),
    (r"^(\d+) by WebRTC", r"WebRTC で\1人"),
    (r"^U-Net-256 of (\d+) filters( on a CPU)?", r"U-Net-256（フィルタ\1枚）"),
    (r"^(\d+) filters", r"フィルタ\1枚"),
    (r"^preset (\w+)", r"プリセット \1"),
    (r"\bencoder_(\d+)", r"エンコーダ\1"),
    (r"\bdecoder_(\d+)", r"デコーダ\1"),
)


def say() -> Callable[[str], str]:
    """Turns the English of the figures into what the reader of this page can read."""
    return in_japanese if language() == "ja" and japanese_font() else str


def told(english: str) -> str:
    """The same for the page itself, whose letters are the browser's."""
    return in_japanese(english) if language() == "ja" else english


def in_japanese(english: str) -> str:
    """Part by part between commas; a name that has no word here (fp32, openvino) stays."""
    return "・".join(_part(part) for part in english.split(", "))


def _part(english: str) -> str:
    words = WORDS.get(english, english)
    for pattern, japanese in NUMBERED:
        words = re.sub(pattern, japanese, words)
    return words
