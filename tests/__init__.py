"""Tests run as the product does: stylizer is imported first, since torch reads when it is loaded how threads wait."""

import stylizer  # noqa: F401
