"""The containers are as locked up as they say: the file read as YAML, and by Docker Compose where that is present."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
GPU = {"worker-gpu", "studio-gpu"}

each_service = pytest.mark.parametrize("name", SERVICES)


@each_service
def test_a_container_cannot_change_itself_or_gain_rights(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert [entry.split(":")[0] for entry in service["tmpfs"]] == ["/tmp"]
    assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "coturn" else [])
    assert service["pids_limit"] <= 512
    assert not {"privileged", "network_mode", "pid", "ipc", "devices"} & service.keys()


@each_service
def test_a_container_leaves_no_core_dump_and_its_log_does_not_fill_the_disk(name: str) -> None:
    service = SERVICES[name]
    assert service["ulimits"] == {"core": 0}
    options = service["logging"]["options"]
    assert service["logging"]["driver"] == "json-file"
    assert (options["max-size"], options["max-file"]) == ("10m", "5")


@each_service
def test_a_container_does_not_run_as_root(name: str) -> None:
    user, group = SERVICES[name]["user"].split(":")
    assert int(user) > 0
    assert int(group) > 0


@each_service
def test_a_container_writes_to_named_volumes_only(name: str) -> None:
    for volume in SERVICES[name].get("volumes", []):
        source, _, *mode = volume.split(":")
        assert source in COMPOSE["volumes"] or mode == ["ro"], volume


@each_service
def test_a_container_is_probed(name: str) -> None:
    probe = " ".join(SERVICES[name]["healthcheck"]["test"])
    expected = {"worker": ":8000/ready", "studio": ":8501/_stcore/health", "coturn": f":{3478:04X} "}
    assert expected[name.removesuffix("-gpu")] in probe


def test_secrets_come_as_files() -> None:
    assert set(COMPOSE["secrets"]) == {"turn_secret"}
    assert COMPOSE["secrets"]["turn_secret"]["file"].startswith("${TURN_SECRET_FILE:?")
    for service in SERVICES.values():
        assert service["secrets"]
        assert not [key for key in service["environment"] if key.endswith(("_SECRET", "_TOKEN", "_PASSWORD", "_KEY"))]


@pytest.mark.parametrize("profile, suffix", [("cpu", ""), ("gpu", "-gpu")])
def test_a_profile_is_whole(profile: str, suffix: str) -> None:
    assert {n for n, s in SERVICES.items() if profile in s["profiles"]} == {
        f"worker{suffix}",
        f"studio{suffix}",
        "coturn",
    }


def test_the_gpu_is_reserved_by_the_gpu_profile_alone() -> None:
    reserving = {
        name
        for name, service in SERVICES.items()
        for device in service.get("deploy", {}).get("resources", {}).get("reservations", {}).get("devices", [])
        if device["driver"] == "nvidia" and device["capabilities"] == ["gpu", "compute", "utility", "video"]
    }
    assert reserving == GPU
    assert {n: s["environment"]["STYLIZER_DEVICE"] for n, s in SERVICES.items() if n != "coturn"} == {
        "worker": "cpu",
        "studio": "cpu",
        "worker-gpu": "auto",
        "studio-gpu": "auto",
    }


def test_the_relay_reaches_the_worker_and_the_studio_and_nothing_else() -> None:
    inner = {name: service["networks"]["inner"]["ipv4_address"] for name, service in SERVICES.items()}
    allowed = set(SERVICES["coturn"]["environment"]["ALLOWED_PEERS"].split())
    assert allowed == {address for name, address in inner.items() if name != "coturn"}


@each_service
def test_only_the_relays_port_is_open_to_the_network(name: str) -> None:
    """What is not asked for otherwise by BIND reaches worker and studio through this machine's reverse proxy."""
    ports = SERVICES[name]["ports"]
    if name == "coturn":
        assert {port.split("/")[0] for port in ports} == {"3478:3478"}
    else:
        assert len(ports) == 1 and ports[0].startswith("${BIND:-127.0.0.1}:")


@pytest.mark.parametrize("name", ["worker", "worker-gpu"])
def test_who_asks_is_believed_from_this_machine_alone(name: str) -> None:
    """Its reverse proxy reaches the container from the network's gateway; visitors would else share one address."""
    (network,) = COMPOSE["networks"]["inner"]["ipam"]["config"]
    assert SERVICES[name]["environment"]["FORWARDED_ALLOW_IPS"] == network["gateway"]


def _compose(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`docker compose config` reads the file and checks it; no engine is asked."""
    docker = shutil.which("docker")
    if not docker or subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
        pytest.skip("Docker Compose is not installed")
    known = {k: v for k, v in os.environ.items() if k not in ("PUBLIC_HOST", "TURN_SECRET_FILE")}
    command = [docker, "compose", "-f", "compose.yaml", *arguments, "config", "--quiet"]
    return subprocess.run(command, cwd=ROOT, env=known | environment, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("profile", ["cpu", "gpu"])
def test_docker_compose_accepts_the_file(profile: str) -> None:
    result = _compose("--profile", profile, PUBLIC_HOST="booth.example", TURN_SECRET_FILE="secrets/turn")
    assert result.returncode == 0, result.stderr


def test_docker_compose_says_what_is_missing() -> None:
    assert "the name or address under which browsers" in _compose(TURN_SECRET_FILE="secrets/turn").stderr
    assert "a file with the relay's shared secret" in _compose(PUBLIC_HOST="booth.example").stderr
