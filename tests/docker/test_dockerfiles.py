"""What the images are built from, and what is left out of them."""

import importlib.metadata
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def _instructions(name: str) -> list[tuple[str, str]]:
    """The file's (instruction, rest) pairs; continued lines joined, comments dropped."""
    text = re.sub(r"(?m)^#.*\n", "", (ROOT / "docker" / f"{name}.Dockerfile").read_text()).replace("\\\n", " ")
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in text.splitlines() if line.strip()]


def test_the_worker_is_built_on_the_official_python_unless_told_otherwise() -> None:
    first, second, *_ = _instructions("worker")
    assert first == ("ARG", "BASE=docker.io/library/python:3.11-slim")
    assert second == ("FROM", "${BASE}")


def test_no_image_runs_as_root() -> None:
    assert [rest for word, rest in _instructions("worker") if word == "USER"] == ["10001:10001"]
    assert _instructions("studio")[:2] == [("ARG", "WORKER=stylizer-worker"), ("FROM", "${WORKER}")]
    assert "USER" not in dict(_instructions("studio"))  # the worker's stays


@pytest.mark.parametrize("name, address", [("worker", ":8000/ready"), ("studio", ":8501/_stcore/health")])
def test_every_image_has_its_own_probe(name: str, address: str) -> None:
    assert address in dict(_instructions(name))["HEALTHCHECK"]


def test_only_what_is_installed_enters_the_build() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "*"
    assert {line for line in lines if line.startswith("!")} >= {"!stylizer", "!web", "!encoders", "!kernels"}
    assert not [line for line in lines if "test" in line or ".git" in line]


def test_the_images_leave_out_what_only_development_and_training_need() -> None:
    locked = {canonicalize_name(line.split("==")[0]) for line in (ROOT / "requirements.lock").read_text().split()}
    extras = PYPROJECT["optional-dependencies"]
    cuda13 = [text for text in extras["cuda13"] if not text.startswith("onnx")]  # the lock has ONNX Runtime for tests
    needed = _closure(PYPROJECT["dependencies"] + cuda13 + extras["vj"])
    left_out = (ROOT / "docker" / "not_installed.txt").read_text().split()
    assert left_out == sorted(locked - needed)


def _closure(requirements: list[str]) -> set[str]:
    """Names of the requirements and of all they require, from what the installed packages say of themselves."""
    seen: set[tuple[str, frozenset[str]]] = set()
    todo = [Requirement(text) for text in requirements]
    while todo:
        each = todo.pop()
        key = (canonicalize_name(each.name), frozenset(each.extras))
        if key in seen:
            continue
        seen.add(key)
        try:
            inner = [Requirement(text) for text in importlib.metadata.requires(each.name) or []]
        except importlib.metadata.PackageNotFoundError:
            pytest.skip(f"{each.name} is not installed here")
        environments = [{"extra": extra} for extra in ("", *each.extras)]
        todo += [r for r in inner if r.marker is None or any(r.marker.evaluate(e) for e in environments)]
    return {name for name, _ in seen}


@pytest.mark.parametrize("script", ["docker/build_images.sh", "docker/coturn/start.sh", ".ci/run", ".ci/audit"])
def test_a_script_is_well_formed_and_executable(script: str) -> None:
    path = ROOT / script
    assert path.stat().st_mode & 0o111
    shell = path.read_text().splitlines()[0].removeprefix("#!").split()
    assert subprocess.run([*shell, "-n", str(path)], capture_output=True, text=True).stderr == ""
