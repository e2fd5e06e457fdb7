"""Python's garbage collector kept out of the way: of a start, a fifth of which it takes, and of what the start left."""

import gc


def leave_for_later() -> None:
    """Nothing is collected until `collect_the_new_only`."""
    gc.disable()


def collect_the_new_only() -> None:
    """What is there now is never looked through again: that would stop every thread for 0.2 s each time."""
    gc.freeze()
    gc.enable()
