"""What is installed is written down, and an audit that could not look says so."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PINS = (ROOT / "requirements.lock").read_text().splitlines()
LOCK = dict(pin.partition(";")[0].strip().split("==") for pin in PINS)
NOWHERE = "http://127.0.0.1:9"  # a proxy at which nobody answers


@pytest.fixture(scope="module")
def offline_audit(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, "subprocess.CompletedProcess[str]"]:
    """`make audit`'s script on a machine without a network."""
    sbom = tmp_path_factory.mktemp("audit") / "sbom.json"
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "AUDIT_TIMEOUT_S": "2",
        **{name: NOWHERE for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")},
        **{name: "" for name in ("no_proxy", "NO_PROXY")},
    }
    done = subprocess.run(
        [str(ROOT / ".ci" / "audit"), str(sbom)], env=environment, capture_output=True, text=True, timeout=120
    )
    return sbom, done


def test_the_bill_of_materials_names_every_pinned_package(
    offline_audit: tuple[Path, "subprocess.CompletedProcess[str]"],
) -> None:
    sbom = json.loads(offline_audit[0].read_text())
    assert sbom["bomFormat"] == "CycloneDX"
    assert {part["name"]: part["version"] for part in sbom["components"]} == LOCK


def test_without_the_database_the_audit_is_not_green(
    offline_audit: tuple[Path, "subprocess.CompletedProcess[str]"],
) -> None:
    _, done = offline_audit
    assert done.returncode == 75, done.stdout + done.stderr
    assert "NOT AUDITED" in done.stderr
    assert "pypi: not reached" in done.stderr and "osv: not reached" in done.stderr, "and why, of each"


SKIPPED = """No known vulnerabilities found
Name Skip Reason
---- ----------
av   Dependency not found on PyPI and could not be audited: av (18.0.0)"""
FOUND = """Found 1 known vulnerability in 1 package
Name Version ID             Fix Versions
---- ------- -------------- ------------
av   1.0     PYSEC-2026-001 1.1"""
CLEAN = "No known vulnerabilities found"


TIMEOUT = "Traceback\nTimeout"
Said = tuple[str, int]  # pip-audit's words and exit status


@pytest.mark.parametrize(
    "pypi, osv, audited, why",
    [
        ((CLEAN, 0), None, 0, []),
        ((FOUND, 1), None, 1, []),
        ((SKIPPED, 0), (CLEAN, 0), 0, []),
        ((TIMEOUT, 1), (FOUND, 1), 1, []),
        ((SKIPPED, 0), (TIMEOUT, 1), 75, ["pypi: it answers, but", "av (18.0.0)", "osv: not reached, Timeout"]),
    ],
    ids=["clean", "vulnerable", "a mirror, then clean", "no index, then vulnerable", "neither"],
)
def test_only_what_was_looked_up_and_found_clean_is_green(
    tmp_path: Path, pypi: Said, osv: Said | None, audited: int, why: list[str]
) -> None:
    """pip-audit's own words and exit status, as version 2.10 has them; it calls a package that it does not know no
    fault, and that is all it says where the index is a mirror without the database."""
    for service, (said, status) in (("pypi", pypi), ("osv", osv or ("asked for nothing", 99))):
        (tmp_path / service).write_text(f"cat <<'END'\n{said}\nEND\nexit {status}\n")
    for name, does in (("cyclonedx-py", "true"), ("pip-audit", f'. "{tmp_path}/$2"')):
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(
        [str(ROOT / ".ci" / "audit"), str(tmp_path / "sbom.json")],
        env={**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == audited, done.stdout + done.stderr
    assert ("NOT AUDITED" in done.stderr) == (audited == 75)
    assert [words for words in why if words not in done.stderr] == []
