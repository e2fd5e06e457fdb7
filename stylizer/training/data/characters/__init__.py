"""Figures drawn twice: as a camera sees them and as an artist draws them."""

from stylizer.training.data.characters.pairs import Pair, draw_pair

__all__ = ["Pair", "draw_pair"]
