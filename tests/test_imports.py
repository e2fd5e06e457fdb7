"""Imports run downwards only: web → stylizer → {encoders, kernels}. Read from the syntax tree; nothing is imported."""

import ast
import sys
import tomllib
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
MAY_IMPORT = {
    "web": {"web", "stylizer", "encoders", "kernels"},
    "stylizer": {"stylizer", "encoders", "kernels"},
    "encoders": {"encoders"},
    "kernels": {"kernels"},
}
OUTSIDE_BELOW = {"encoders": {"torch"}, "kernels": {"cupy", "numpy", "rich", "safetensors", "typer"}}
PEERS = {  # what the kernels are measured against, and its plot
    "kernels/bench.py": {"torch", "matplotlib"},
    "kernels/peers.py": {"torch"},
}
DISTRIBUTIONS = {  # import names that are not their distribution's
    "cv2": "opencv-python",
    "google": "protobuf",
    "PIL": "pillow",
    "pythonosc": "python-osc",
    "rtmidi": "python-rtmidi",
    "skia": "skia-python",
    "yaml": "pyyaml",
}


class Import(NamedTuple):
    file: str
    line: int
    module: str
    top_level: bool  # runs when the file is imported

    @property
    def package(self) -> str:
        return self.module.split(".")[0]


def _imports(path: Path) -> Iterator[Import]:
    name = path.relative_to(ROOT).as_posix()

    def walk(node: ast.AST, top_level: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from (Import(name, child.lineno, alias.name, top_level) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{name}:{child.lineno}: imports are absolute here"
                names = {f"{child.module}.{alias.name}" for alias in child.names}  # `from package import module`
                modules = {full for full in names if _is_module(full)}
                for module in modules | ({child.module or ""} if names - modules else set()):
                    yield Import(name, child.lineno, module, top_level)
            else:
                deferred = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or _only_for_types(
                    child
                )
                yield from walk(child, top_level and not deferred)

    yield from walk(ast.parse(path.read_text(encoding="utf-8")), True)


def _only_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def _is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def _sources(*packages: str) -> list[Path]:
    return sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))


def _outside(imports: Iterator[Import]) -> Iterator[Import]:
    own = {*MAY_IMPORT, "tests", *sys.stdlib_module_names}
    return (each for each in imports if each.package not in own)


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_no_package_imports_one_above_it(package: str) -> None:
    wrong = [
        f"{each.file}:{each.line} imports {each.module}"
        for path in _sources(package)
        for each in _imports(path)
        if each.package in {*MAY_IMPORT, "tests"} - MAY_IMPORT[package]
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("package", OUTSIDE_BELOW)
def test_the_lower_packages_know_only_their_own_tools(package: str) -> None:
    wrong = [
        f"{each.file}:{each.line} imports {each.module}"
        for path in _sources(package)
        for each in _outside(_imports(path))
        if each.package not in OUTSIDE_BELOW[package] | PEERS.get(each.file, set())
    ]
    assert not wrong, "\n".join(wrong)


def test_no_module_imports_itself_in_a_circle() -> None:
    graph = {
        path.relative_to(ROOT).with_suffix("").as_posix().removesuffix("/__init__").replace("/", "."): {
            each.module for each in _imports(path) if each.top_level and _is_module(each.module)
        }
        for path in _sources(*MAY_IMPORT)
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


def test_what_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    used_at_run_time = project["dependencies"] + sum((extras[e] for e in extras if e != "dev"), [])
    for packages, declared in (
        (tuple(MAY_IMPORT), _names(used_at_run_time)),
        (("tests",), _names(used_at_run_time) | _names(extras["dev"]) | {"benchmarks", "docs"}),  # the checkout's own
    ):
        wrong = [
            f"{each.file}:{each.line} imports {each.module}"
            for path in _sources(*packages)
            for each in _outside(_imports(path))
            if canonicalize_name(DISTRIBUTIONS.get(each.package, each.package)) not in declared
        ]
        assert not wrong, "\n".join(wrong)


def _names(requirements: list[str]) -> set[str]:
    """Declared distributions, by what they are imported as."""
    imported_as = {"cupy-cuda13x": "cupy", "onnxruntime-gpu": "onnxruntime"}
    names = (canonicalize_name(Requirement(text).name) for text in requirements)
    return {imported_as.get(name, name) for name in names}
