"""The documents name what there is: links, pictures, files, commands with their options, committed figures."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from stylizer.cli import app
from stylizer.weights.download import sha256_of

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    {*ROOT.glob("*.md"), *(page for name in ("docs", "benchmarks", "kernels") for page in ROOT.glob(f"{name}/**/*.md"))}
)
UNDER = ("", "stylizer", "web", "tests")  # where a page may take a path from, beside its own folder
BY_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@BY_PAGE
def test_every_link_and_picture_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if not target.startswith("https://"):
            path, _, heading = target.partition("#")
            there = page.parent / path if path else page
            assert there.exists(), target
            assert not heading or heading in anchors(there), target


def test_the_experiments_were_made_with_the_weights_that_are_here() -> None:
    page = (ROOT / "docs" / "experiments.md").read_text(encoding="utf-8")
    (told,) = re.findall(r"Style `(\w+)`, weights `(\w+)`", page)
    assert sha256_of(ROOT / "stylizer" / "styles" / told[0] / "weights.safetensors").startswith(told[1])


def test_every_picture_is_shown_on_a_page() -> None:
    """As Markdown or, beside its caption, as HTML."""
    shown = {
        (page.parent / target).resolve()
        for page in PAGES
        for target in re.findall(r"""(?:\]\(|src=")([^)"\s]+)""", page.read_text(encoding="utf-8"))
    }
    assert [path.name for path in sorted(ROOT.glob("docs/**/*.webp")) if path not in shown] == []


@BY_PAGE
def test_every_file_that_is_named_with_its_folder_is_there(page: Path) -> None:
    spans = " ".join(re.findall(r"`([^`\n]+)`", page.read_text(encoding="utf-8")))
    for name in re.findall(r"(?<![\w./…-])[\w.-]+(?:/[\w.-]+)*/[\w.-]+\.(?:py|md|toml|sh|json|js|yaml|cu)\b", spans):
        assert any((folder / name).exists() for folder in (page.parent, *(ROOT / each for each in UNDER))), name
    for name in re.findall(r"(?<![\w./-])test_\w+\.py\b", spans):
        assert list((ROOT / "tests").rglob(name)), name


@BY_PAGE
def test_every_command_that_is_named_has_its_options(page: Path) -> None:
    root = typer.main.get_command(app)
    for call in re.findall(r"\bstylizer ([a-z][^`|\n#]*)", " \n".join(code(page))):
        command, words = root, call.split()
        while words and words[0] in (commands := getattr(command, "commands", {})):
            command = commands[words.pop(0)]
        assert command is not root, call
        known = {"--help", *(option for each in command.params for option in (*each.opts, *each.secondary_opts))}
        named = {option for word in words if (option := re.sub(r"[^\w-].*", "", word.lstrip("[("))).startswith("--")}
        assert named <= known, f"{call}: there are {', '.join(sorted(known))}"


def test_the_readmes_figures_are_those_of_the_committed_results(tmp_path: Path) -> None:
    for name in ("README.md", "docs/make_figures.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "benchmarks" / "results", tmp_path / "benchmarks" / "results")
    subprocess.run([sys.executable, "docs/make_figures.py"], cwd=tmp_path, check=True, timeout=60)
    assert (tmp_path / "README.md").read_bytes() == (ROOT / "README.md").read_bytes()


def anchors(page: Path) -> set[str]:
    """Of its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def code(page: Path) -> list[str]:
    """What stands in backticks and in blocks of commands."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [*blocks, *re.findall(r"`([^`\n]+)`", text)]
