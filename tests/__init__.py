"""Tests run as the product does: stylizer is imported before torch, so that idle threads sleep."""

import stylizer  # noqa: F401
