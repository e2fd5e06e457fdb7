"""Embedded styles, one folder each, and a drawn clip for machines without a camera."""

from pathlib import Path

CLIP = Path(__file__).with_name("clip.mp4")
