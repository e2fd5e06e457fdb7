"""Rules of the CUDA sources that no compiler checks."""

import ast
import re
from pathlib import Path

import pytest

from kernels.launch import FOLDER, source_text

SOURCES = sorted(path.stem for path in FOLDER.glob("*.cu"))
POINTERS = re.compile(
    r"(?:const )?(?:float|half_t|unsigned|uint4|float2|float4|void)\s*\*\s*(?:__restrict__)?\s*(\w+)\s*[,)]"
)


@pytest.mark.parametrize("file", SOURCES)
def test_global_memory_is_touched_through_counted_functions_alone(file: str) -> None:
    source = re.sub(r"//.*", "", source_text(file).split("#endif\n\n// x above zero")[-1])  # without device.cuh's own
    pointers = {p for kernel in re.findall(r"__global__[^{]*\{", source) for p in POINTERS.findall(kernel)}
    assert pointers
    for pointer in pointers:
        raw = re.findall(rf"(?<![\w>.]){pointer}\s*\[|(?<![\w)\]]\s)(?<!\()\*\s*{pointer}\b(?!\s*[,)])", source)
        assert not raw, f"{pointer} in {file}.cu is read without ld or st: {raw}"


@pytest.mark.parametrize("file", SOURCES)
def test_headers_say_how_to_launch(file: str) -> None:
    header = (FOLDER / f"{file}.cu").read_text().split("#include")[0]
    assert "Launch:" in header and "Bytes" in header


def test_kernels_import_neither_torch_nor_the_layers_above() -> None:
    for path in FOLDER.glob("*.py"):
        tree = ast.parse(path.read_text())
        names = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
        names |= {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
        roots = {name.split(".")[0] for name in names}
        allowed_torch = {"torch"} if path.name in ("peers.py", "bench.py") else set()
        assert not roots & ({"torch", "stylizer", "web", "encoders", "cv2"} - allowed_torch), path.name


def test_shared_header_has_a_twin_for_every_function() -> None:
    twin = (Path(__file__).parent / "emulator" / "emulator.h").read_text()
    gpu = source_text_of("device.cuh").split("#else")[1].split("\n#endif\n\n// x above")[0]
    names = re.findall(r"__device__ __forceinline__ [\w ]+?[ *&](\w+)\(", gpu)
    assert len(names) > 10
    assert [name for name in names if not re.search(rf"\b{name}\(", twin)] == []


def source_text_of(name: str) -> str:
    return (FOLDER / name).read_text()
