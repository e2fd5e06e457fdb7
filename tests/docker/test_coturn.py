"""The relay's real settings in the real relay: it lets through what it should, and nothing else."""

import subprocess
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path

import pytest

from stylizer.config import Settings
from tests.docker.relay import SECRET, START, free_udp_port, needs_coturn, own_address, relay, running

USER = "4102444800:tester"  # valid until 2100

Address = IPv4Address | IPv6Address

pytestmark = needs_coturn


@pytest.fixture(name="own_address")
def _own_address() -> str:
    return own_address()


def relayed(tmp_path: Path, own_address: str, allowed: str, secret: str = SECRET) -> subprocess.CompletedProcess[str]:
    """Sends three messages through the relay to an echo on `own_address`."""
    port, peer = free_udp_port(), str(free_udp_port())
    with relay(tmp_path, port, own_address, allowed), running("turnutils_peer", "-p", peer, "-L", own_address):
        return _client("-u", USER, "-W", secret, "-e", own_address, "-r", peer, "-p", str(port))


def _client(*options: str) -> subprocess.CompletedProcess[str]:
    command = ["turnutils_uclient", *options, "-n", "3", "-m", "1", "-l", "64", "127.0.0.1"]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


def test_the_allowed_inner_address_is_reached(tmp_path: Path, own_address: str) -> None:
    result = relayed(tmp_path, own_address, allowed=own_address)
    assert result.returncode == 0, result.stdout
    assert "Total lost packets 0" in result.stdout


def test_another_inner_address_is_refused(tmp_path: Path, own_address: str) -> None:
    result = relayed(tmp_path, own_address, allowed="172.28.84.10")
    assert result.returncode != 0
    assert "403 (Forbidden IP)" in result.stdout


# IANA's registries of special-purpose addresses (RFC 6890 and what came after), those that are not the public internet.
NOT_PUBLIC = (
    "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 "
    "192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 240.0.0.0/4 255.255.255.255/32 ::1/128 ::/128 "
    "::ffff:0:0/96 64:ff9b::/96 64:ff9b:1::/48 100::/64 2001::/23 2001:db8::/32 2002::/16 3fff::/20 5f00::/16 "
    "fc00::/7 fe80::/10 fec0::/10"
).split()


@pytest.mark.parametrize("network", NOT_PUBLIC)
def test_no_address_that_is_not_public_may_be_relayed_to(network: str) -> None:
    lines = (line.split("#")[0].strip() for line in START.with_name("turnserver.conf").read_text().splitlines())
    denied = [line.partition("=")[2].split("-") for line in lines if line.startswith("denied-peer-ip=")]
    inner = ip_network(network)
    assert any(_covers(ip_address(ends[0]), ip_address(ends[-1]), inner) for ends in denied)


def _covers(first: Address, last: Address, network: IPv4Network | IPv6Network) -> bool:
    return first.version == network.version and int(first) <= int(network[0]) and int(network[-1]) <= int(last)


def test_a_wrong_secret_opens_nothing(tmp_path: Path, own_address: str) -> None:
    result = relayed(tmp_path, own_address, allowed=own_address, secret="f" * 32)
    assert result.returncode != 0
    assert "Total lost packets 0" not in result.stdout


@pytest.mark.parametrize("secret", ["", "short"])
def test_a_weak_secret_is_refused(secret: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(secret)
    environment = {"ALLOWED_PEERS": "172.28.84.10", "TURN_SECRET_FILE": f"{tmp_path}/secret", "PATH": "/usr/bin:/bin"}
    result = subprocess.run([str(START)], env=environment, capture_output=True, text=True, timeout=10)
    assert result.returncode == 1
    assert f"has {len(secret)} characters" in result.stderr


@pytest.mark.parametrize("written", [f"{SECRET}\r\n", f"  {SECRET}\t\n\n", SECRET])
def test_the_relay_reads_a_secret_as_the_worker_does(
    written: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file written on Windows ends its line with two characters: the relay would have refused everybody."""
    (tmp_path / "stylizer_turn_secret").write_bytes(written.encode())
    monkeypatch.setenv("STYLIZER_SECRETS", str(tmp_path))
    assert Settings.load().turn_secret.get_secret_value() == SECRET
    result = _start(tmp_path, tmp_path / "stylizer_turn_secret")
    assert f"static-auth-secret={SECRET}\n".encode() in result.stdout


@pytest.mark.parametrize("written", [f"{SECRET} and more\n", f"{SECRET}\n{SECRET}\n"])
def test_a_secret_of_which_the_relay_would_take_a_part_is_refused(written: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(written)
    result = _start(tmp_path, tmp_path / "secret")
    assert result.returncode == 1 and b"one line without blanks" in result.stderr


def _start(folder: Path, secret: Path) -> subprocess.CompletedProcess[bytes]:
    """start.sh with a relay that only shows its settings."""
    relay = folder / "turnserver"
    relay.write_text('#!/bin/sh\nexec cat "$2"\n')
    relay.chmod(0o755)
    paths = {"TURN_SECRET_FILE": str(secret), "TMPDIR": str(folder), "PATH": f"{folder}:/usr/bin:/bin"}
    environment = {"ALLOWED_PEERS": "172.28.84.10", **paths}
    return subprocess.run([str(START)], env=environment, capture_output=True, timeout=10)  # text would lose a \r
