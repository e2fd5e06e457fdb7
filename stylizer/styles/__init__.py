"""Embedded styles, one folder each, and a sample clip for machines without a camera."""

from pathlib import Path

CLIP = Path(__file__).with_name("clip.mp4")
