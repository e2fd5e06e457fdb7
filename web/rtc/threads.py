"""Work off the event loop, in threads of two kinds: frames, which are due now, and what may take seconds.

aiortc encodes and the intake converts in the loop's default executor. A style that loads, a few times at once, would
fill it and stop every visitor's picture; so that work goes elsewhere, and the default executor is the frames' alone.
"""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

FRAME_THREADS = (os.cpu_count() or 1) + 2  # encoding keeps the cores busy; two more for what waits
SLOW_THREADS = 4  # loading styles: the library lets one at a time do it anyway

_slow = ThreadPoolExecutor(SLOW_THREADS, thread_name_prefix="slow")


def keep_for_frames(loop: asyncio.AbstractEventLoop) -> None:
    """The loop's default executor from now on: nothing but frames."""
    loop.set_default_executor(ThreadPoolExecutor(FRAME_THREADS, thread_name_prefix="frames"))


async def slowly(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of work that may take seconds; raises what it raises."""
    return await asyncio.get_running_loop().run_in_executor(_slow, lambda: work(*args, **kwargs))
