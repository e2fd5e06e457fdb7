"""Writes the README's tables of speed from the committed results of `stylizer bench pipeline` and `live`.

python docs/make_figures.py
"""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
BEGIN, END = "<!-- figures:begin (python docs/make_figures.py) -->", "<!-- figures:end -->"


def main() -> None:
    readme = ROOT / "README.md"
    before, rest = readme.read_text(encoding="utf-8").split(BEGIN)
    _, after = rest.split(END)
    tables = [table(json.loads(path.read_text(encoding="utf-8"))) for path in sorted(RESULTS.glob("pipeline-*.json"))]
    tables += live([json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("live-*.json"))])
    readme.write_text(before + BEGIN + "\n" + "\n".join(tables) + END + after, encoding="utf-8")


def live(results: list[dict[str, Any]]) -> list[str]:
    """One row for each run; of several visitors the slowest in each column."""
    if not results:
        return []
    lines = [
        "| by WebRTC, visitors on this machine | unique fps | server p50 ms | p95 ms | camera to screen p50 ms |",
        "| --- | --- | --- | --- | --- |",
    ]
    for result in results:
        guests = result["visitors"]
        fps = min(guest["unique_fps"] for guest in guests)
        server = [max(guest["server_latency_ms"].get(p, 0) for guest in guests) for p in ("p50", "p95")]
        screen = max(guest["camera_to_screen_ms"].get("p50", 0) for guest in guests)
        lines.append(f"| `{result['command']}` | {fps:g} | {server[0]:g} | {server[1]:g} | {screen:g} |")
    return ["\n".join([*lines, "", ""])]


def table(result: dict[str, Any]) -> str:
    clip, machine = result["clip"], result["machine"]
    where = f"{machine['cores']} cores of {machine['cpu']}" if machine["gpu"] == "none" else machine["gpu"]
    lines = [
        f"| {clip['size'][0]}×{clip['size'][1]}, no file encoding | fps | p50 ms | p95 ms | p99 ms | CPU s per frame |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, way in result["ways"].items():
        latency = way["latency_ms"]
        figures = (way["fps"], latency["p50"], latency["p95"], latency["p99"], way["cpu_s_per_frame"])
        lines.append(f"| {name} | " + " | ".join(f"{figure:g}" for figure in figures) + " |")
    lines += [
        "",
        f"{where}, {result['engine']}, {result['date']}; {result['ratio']:g} times the plain way with the same "
        f"network, {result['ratio_config_f']:g} times it at the published generator's width: `{result['command']}`.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
