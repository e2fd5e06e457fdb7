"""Weights: which there are, where they lie, how they come, and whether they are what they must be."""

from stylizer.weights.card import Card, Kind
from stylizer.weights.registry import Check, Found, Registry, Standing, Style

__all__ = ["Card", "Check", "Found", "Kind", "Registry", "Standing", "Style"]
