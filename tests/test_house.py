"""The house is in order: the lock, what is tracked, what is embedded, what is installed."""

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from stylizer.config import Settings
from stylizer.weights import Registry
from stylizer.weights.manifest import manifest
from stylizer.weights.registry import EMBEDDED

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = (ROOT / "requirements.lock").read_text().splitlines()
MAX_EMBEDDED_BYTES = 64_000_000
# Folders of the machines that the project was made on; spelt so that this file does not name them itself.
MACHINE_PATHS = re.compile(
    "|".join(f"/{p}/" for p in ("work/(main|wt|shared)", "opt/sv", "root", "home/[a-z]+", "Users"))
)


def _tracked() -> list[Path]:
    try:
        names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [path for name in names.split("\0") if name and (path := ROOT / name).is_file()]


def test_the_lock_pins_versions_and_records_no_address() -> None:
    pin = r"[a-z0-9][a-z0-9._-]*==[0-9][a-z0-9.+!]*( ; python_version < '[0-9.]+')?"
    assert [line for line in LOCK if not re.fullmatch(pin, line)] == []
    assert LOCK == sorted(LOCK, key=lambda line: line.split("==")[0])


def test_the_lock_pins_every_declared_dependency_in_its_range() -> None:
    pins = {
        canonicalize_name(name): version for name, version in (line.partition(" ;")[0].split("==") for line in LOCK)
    }
    gpu, cpu = map(canonicalize_name, ("onnxruntime-gpu", "onnxruntime"))
    pins[gpu] = pins[cpu]  # the same module; a card's takes the place of the lock's by hand
    extras = PROJECT["optional-dependencies"]
    declared = PROJECT["dependencies"] + [r for name in ("cuda13", "vj", "train", "dev") for r in extras[name]]
    for requirement in map(Requirement, declared):
        assert pins.get(canonicalize_name(requirement.name), "absent") in requirement.specifier, requirement


def test_no_tracked_file_names_a_machine() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in _tracked()
        if (content := path.read_bytes()) and b"\0" not in content[:4096]
        for number, line in enumerate(content.decode("utf-8").splitlines(), 1)
        if MACHINE_PATHS.search(line)
    ]
    assert not wrong, "\n".join(wrong)


def test_a_folder_with_a_space_is_one_argument_of_make() -> None:
    for target in ("pictures", "gallery"):
        printed = subprocess.run(
            ["make", "--dry-run", target, "ASSETS=a b"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        assert '"a b"' in printed


def test_the_programs_name_the_encoding_of_every_text() -> None:
    """The locale may be anything, and a library may set it to C for a moment (stylizer/engines/onnx.py)."""
    texts = {"read_text": 0, "write_text": 1}  # how many arguments come before the encoding
    wrong = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in _tracked()
        if path.suffix == ".py" and "tests" not in path.parts
        for call in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in texts
        if len(call.args) <= texts[call.func.attr] and "encoding" not in {word.arg for word in call.keywords}
    ]
    assert wrong == []


def test_the_embedded_styles_are_few_light_and_documented(tmp_path: Path) -> None:
    assert sum(path.stat().st_size for path in EMBEDDED.rglob("*") if path.is_file()) < MAX_EMBEDDED_BYTES
    registry = Registry(Settings.load(models=(), cache=tmp_path), {})
    good, bad = registry.styles()
    assert bad == []
    for style in good:
        card = style.card
        assert registry.style(card.name).weights.is_file()  # refused if its checksum were wrong
        assert card.sha256, f"{card.name}: its card has no checksum"
        assert card.measures, f"{card.name}: its card has no measures"
        assert None not in (card.seed, card.steps, card.hours), f"{card.name}: how it was trained is not said"


def test_what_is_tracked_beside_the_code_is_in_the_wheel(tmp_path: Path) -> None:
    packages = {"stylizer", "encoders", "kernels", "web"}
    tracked = {path.relative_to(ROOT) for path in _tracked()}
    expected = {path.as_posix() for path in tracked if path.parts[0] in packages and path.suffix not in (".md", ".txt")}
    source = tmp_path / "source"
    for path in tracked:
        if path.parts[0] in packages or len(path.parts) == 1:
            (source / path).parent.mkdir(parents=True, exist_ok=True)
            (source / path).write_bytes((ROOT / path).read_bytes())
    build = f"from setuptools.build_meta import build_wheel; build_wheel({str(tmp_path)!r})"
    subprocess.run([sys.executable, "-c", build], cwd=source, check=True, capture_output=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert expected - set(archive.namelist()) == set()


def test_every_part_has_its_licence_in_the_table() -> None:
    rows = [line for line in (ROOT / "docs" / "LICENCES.md").read_text().splitlines() if line.startswith("| ")]
    named = {name.strip(" `") for row in rows for cell in row.split("|")[1:3] for name in cell.split(",")}
    declared = [*PROJECT["dependencies"], *(r for extra in PROJECT["optional-dependencies"].values() for r in extra)]
    assert {Requirement(text).name for text in declared} - named == set()
    assert {file.file for part in manifest().values() for file in part.files} - named == set()
