"""The real relay with the project's own start script, for tests that need one."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

START = Path(__file__).resolve().parents[2] / "docker" / "coturn" / "start.sh"
SECRET = "0123456789abcdef0123456789abcdef"

needs_coturn = pytest.mark.skipif(
    not all(map(shutil.which, ("turnserver", "turnutils_uclient", "turnutils_peer"))), reason="coturn is not installed"
)


def free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


def own_address() -> str:
    """This machine's address on its network, an inner one as a rule. Nothing is sent. Skips where there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError as error:
            pytest.skip(f"no network: {error.strerror}")
        return str(probe.getsockname()[0])


@contextmanager
def running(*command: str, **environment: str) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(command, env=environment or None, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def relay(
    folder: Path,
    port: int,
    relay_ip: str,
    allowed: str,
    listening_ip: str = "127.0.0.1",
    wrapper: tuple[str, ...] = (),
) -> Iterator["subprocess.Popen[bytes]"]:
    """Started by start.sh, listening; `allowed`: the one inner address that it may reach. folder: for its files.

    wrapper: a command that runs the one after it.
    """
    (folder / "secret").write_text(SECRET)
    environment = {"ALLOWED_PEERS": allowed, "TURN_SECRET_FILE": f"{folder}/secret", "TMPDIR": str(folder)}
    options = (f"--listening-ip={listening_ip}", f"--relay-ip={relay_ip}", f"--listening-port={port}")
    command = (*wrapper, str(START), *options, f"--pidfile={folder}/pid")
    with running(*command, PATH="/usr/sbin:/usr/bin:/bin", **environment) as process:
        _wait_for_stun(listening_ip, port)
        yield process


def _wait_for_stun(address: str, port: int) -> None:
    """Asks with STUN binding requests (RFC 5389) until one is answered, for at most 10 s."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(0.05)
        for _ in range(200):
            probe.sendto(b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12), (address, port))
            with suppress(OSError):  # nothing yet: a timeout, or the port is closed
                assert probe.recv(1500)[:2] == b"\x01\x01"
                return
    pytest.fail("the relay does not answer")
