"""The log is for whoever looks after the booth; the show does not depend on it."""

import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
LOGS = """
import io, sys
from stylizer.logs import log
try:
    raise KeyError("scripted")
except KeyError:
    log.exception("a stage failed")
log.info("still there")
full, sys.stderr = sys.stderr, io.StringIO()
log.info("there is room again")
print(sys.stderr.getvalue())
"""
COMMAND = [sys.executable, "-c", LOGS]


def test_a_disk_that_is_full_of_logs_ends_nothing() -> None:
    """A sweeper, a pipeline's thread and its supervisor all tell what they do; none of them may end over it."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", LOGS], cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=full, text=True
        )
    assert "there is room again" in done.stdout


def test_a_reader_of_the_log_who_has_gone_ends_nothing() -> None:
    with subprocess.Popen(COMMAND, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None and process.stdout is not None
        process.stderr.close()
        assert "there is room again" in process.stdout.read()
