"""What ONNX Runtime makes of an ONNX file on a card, run here on the CPU, beside what OpenVINO makes of it in fp32."""

import sys
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from stylizer.engines import ANY
from stylizer.engines.card import ALONE
from stylizer.engines.cuda_graph import CudaGraphEngine
from stylizer.engines.openvino import OpenVinoEngine
from stylizer.errors import ModelRejected, Unreadable
from stylizer.picture import read_picture
from stylizer.stages.box import Box, iou
from stylizer.stages.crop import cut
from stylizer.stages.detect import RAW_MAPS, SIZE_PX, PersonDetector, persons_of_maps
from stylizer.stages.matte import RVM_RATIO, MatteState, RvmMatte, rvm_shapes
from tests.conftest import Finder

onnx = pytest.importorskip("onnx", reason="onnx is not installed (extra cuda13 or dev)")
runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (extra cuda13 or dev)")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from stylizer.engines import onnx_runtime  # noqa: E402
from stylizer.engines.onnx_runtime import OnnxRuntimeReader  # noqa: E402

RVM, YOLO = "derived/rvm_mobilenetv3_fp32.onnx", "yolov5n_fp16.onnx"
X = torch.tensor([[1.0, 2.0]])


@pytest.fixture
def reader() -> OnnxRuntimeReader:
    return OnnxRuntimeReader(torch.device("cpu"), 1)


@pytest.fixture
def openvino(tmp_path: Path) -> OpenVinoEngine:
    return OpenVinoEngine(1, tmp_path)


def small(path: Path, gain: float = 3, back: float = 2) -> Path:
    """y = (x + shift) * gain * back * back; the first product is called block.0/scaled. `gain` is listed as an input as
    well, as older files do."""
    tensors = [("gain", gain), ("back", back)]
    graph = helper.make_graph(
        [
            helper.make_node("Add", ["x", "shift"], ["moved"]),
            helper.make_node("Mul", ["moved", "gain"], ["block.0/scaled"]),
            helper.make_node("Mul", ["block.0/scaled", "back"], ["halfway"]),
            helper.make_node("Mul", ["halfway", "back"], ["y"]),
        ],
        "small",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2]),
            helper.make_tensor_value_info("shift", TensorProto.FLOAT, [1]),
            helper.make_tensor_value_info("gain", TensorProto.FLOAT, [2]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])],
        [numpy_helper.from_array(np.full(2, value, np.float32), name) for name, value in tensors],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 12)], ir_version=3), path)
    return path


def test_cuda_s_libraries_are_loaded_before_its_provider_is_looked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the provider is a library of its own, it is registered with them. What was not found goes to stderr."""
    there = ["CPUExecutionProvider"]

    def preload() -> None:
        sys.stdout.write("Failed to load libcufft.so.12\n")
        there.append("CUDAExecutionProvider")

    monkeypatch.setattr(runtime, "get_available_providers", lambda: there)
    monkeypatch.setattr(runtime, "preload_dlls", preload)
    OnnxRuntimeReader(torch.device("cuda"), 1)
    assert capsys.readouterr() == ("", "Failed to load libcufft.so.12\n")


def test_no_session_opens_while_a_graph_is_captured(reader: OnnxRuntimeReader, tmp_path: Path) -> None:
    """The CUDA provider waits for the whole card when it begins, which would end the capture."""
    path = small(tmp_path / "net.onnx")
    with ThreadPoolExecutor(1) as thread:
        with ALONE:
            opening = thread.submit(reader.read, path)
            assert wait([opening], 0.05).not_done
        assert set(opening.result().inputs) == {"x", "shift"}


def test_a_file_is_cut_and_fixed_as_openvino_does(reader: OnnxRuntimeReader, tmp_path: Path) -> None:
    path = small(tmp_path / "net.onnx")
    whole = reader.read(path)
    assert (set(whole.inputs), whole.outputs) == ({"x", "shift"}, ("y",))
    assert whole(x=X, shift=torch.ones(1))["y"].tolist() == [[24, 36]]
    fixed = reader.read(path, {"x": (1, 2)}, constants={"shift": 1})
    assert fixed.inputs == ("x",) and fixed(x=X)["y"].tolist() == [[24, 36]]
    inner = reader.read(path, {"x": (1, 2)}, outputs=["0/scaled"], constants={"shift": 0})
    assert [value.tolist() for value in inner(x=X).values()] == [[[3, 6]]]
    several = reader.read(path, {"x": (ANY, 2)}, constants={"shift": 1})
    assert several(x=X.repeat(3, 1))["y"].tolist() == [[24, 36]] * 3


def test_what_the_file_does_not_have_is_named(reader: OnnxRuntimeReader, tmp_path: Path) -> None:
    path = small(tmp_path / "net.onnx")
    with pytest.raises(ModelRejected, match=r"net\.onnx.*nowhere"):
        reader.read(path, outputs=["nowhere"])
    with pytest.raises(ModelRejected, match=r"net\.onnx.*ratio"):
        reader.read(path, constants={"ratio": 1})
    with pytest.raises(ModelRejected, match=r"net\.onnx.*x \[1, 3\]"):
        reader.read(path, {"x": (1, 3)})
    with pytest.raises(ModelRejected, match=r"net\.onnx.*z \[1\]"):
        reader.read(path, {"z": (1,)})
    path.write_bytes(b"not a network")
    with pytest.raises(Unreadable, match=r"net\.onnx"):
        reader.read(path)


def test_results_are_not_overwritten_by_the_next_call(reader: OnnxRuntimeReader, tmp_path: Path) -> None:
    net = reader.read(small(tmp_path / "net.onnx"), {"x": (1, 2)}, constants={"shift": 1})
    first = net(x=X)["y"]
    net(x=X + 5)
    assert first.tolist() == [[24, 36]]


@pytest.mark.parametrize("gain, back", [(1e-8, 1e4), (1e6, 1e-3)])
def test_fp16_is_taken_only_where_it_keeps_the_result(
    gain: float, back: float, reader: OnnxRuntimeReader, tmp_path: Path
) -> None:
    """A weight that becomes nothing, and one that is too large."""
    shapes, shift = {"x": (1, 2)}, {"shift": 1.0}
    assert reader.read(small(tmp_path / "fits.onnx"), shapes, constants=shift).precision == "fp16"
    net = reader.read(small(tmp_path / "net.onnx", gain, back), shapes, constants=shift)
    assert net.precision == "fp32"
    torch.testing.assert_close(net(x=X)["y"], X + 1)


def test_a_file_that_lists_its_weights_as_inputs_takes_one_picture(
    reader: OnnxRuntimeReader, openvino: OpenVinoEngine, weights: Finder, media: Finder
) -> None:
    path = weights("stylizers/fns_candy_nc16_256x256.onnx")
    nets = reader.read(path, precision="fp32"), openvino.read(path, precision="fp32")
    assert [net.inputs for net in nets] == [("input.1",)] * 2
    got, want = (net(**{"input.1": crop_of(media) * 255})["433"] for net in nets)
    torch.testing.assert_close(got, want, rtol=0, atol=0.1)  # of 255


def crop_of(media: Finder) -> Tensor:
    pixels = read_picture(media("p3m/p_015cd10e.jpg"))
    return cut(pixels, Box(0, 0, max(pixels.shape), max(pixels.shape)))


# In fp16 a CPU has the weights alone: between the steps it computes in fp32. The whole loss shows on a card only.
@pytest.mark.parametrize("precision, largest, mean", [("fp32", 1e-3, 1e-5), (None, 0.1, 1e-3)])
def test_rvm_s_matte_after_three_passes_is_openvino_s(
    precision: str | None,
    largest: float,
    mean: float,
    reader: OnnxRuntimeReader,
    openvino: OpenVinoEngine,
    weights: Finder,
    media: Finder,
) -> None:
    """Of three visitors at once, each with a memory of their own: on a card they are one batch."""
    path, fixed = weights(RVM), {"downsample_ratio": RVM_RATIO}
    sides = (256, 256)
    net = reader.read(path, rvm_shapes(sides, RVM_RATIO, ANY), precision, constants=fixed)
    assert net.precision == (precision or "fp16")
    mattes = (
        RvmMatte(net, batches=True),
        RvmMatte(openvino.read(path, rvm_shapes(sides, RVM_RATIO), "fp32", constants=fixed)),
    )
    crop = crop_of(media)
    states: list[list[MatteState | None]] = [[None] * 3, [None] * 3]
    for turn in range(3):
        crops = torch.cat([crop, crop.flip(3), crop.roll(8 * turn, 2)])
        results = []
        for i, matte in enumerate(mattes):
            foreground, alpha, after = matte(crops, states[i], [])
            states[i] = list(after)
            results.append((foreground, alpha))
        (foreground, alpha), (foreground_ref, alpha_ref) = results
        for got, want in ((alpha, alpha_ref), (foreground, foreground_ref)):
            assert float((got - want).abs().max()) < largest and float((got - want).abs().mean()) < mean
    assert 0.1 < float(alpha_ref.mean()) < 0.9  # somebody is there


@pytest.mark.parametrize("precision, tolerance_px", [("fp32", 0.5), (None, 2.0)])
def test_yolo_s_boxes_are_openvino_s(
    precision: str | None,
    tolerance_px: float,
    reader: OnnxRuntimeReader,
    openvino: OpenVinoEngine,
    weights: Finder,
    media: Finder,
) -> None:
    shapes, pixels = {"images": (1, 3, SIZE_PX, SIZE_PX)}, read_picture(media("zidane.jpg")).copy()
    found = []
    for engine, wanted in ((reader, precision), (openvino, "fp32")):
        net = engine.read(weights(YOLO), shapes, wanted, outputs=RAW_MAPS)
        detect = PersonDetector(lambda x, net=net: persons_of_maps(list(net(images=x).values())), SIZE_PX)  # type: ignore[misc]
        found.append(detect(pixels))
    assert len(found[0]) == len(found[1]) == 2
    for got, want in zip(*found, strict=True):
        assert max(abs(a - b) for a, b in zip(got.box, want.box, strict=True)) < tolerance_px
        assert iou(got.box, want.box) > 0.99 and abs(got.score - want.score) < 0.02


def test_without_the_card_s_provider_the_cpu_reads_and_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(runtime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    engine = CudaGraphEngine(1, tmp_path)
    net = engine.read(small(tmp_path / "net.onnx"), {"x": (1, 2)}, "fp32", constants={"shift": 1})
    assert net(x=X)["y"].tolist() == [[24, 36]]
    standing, why = engine.reading()
    assert standing.startswith("OpenVINO") and standing.endswith("on cpu: net.onnx")
    assert "CUDAExecutionProvider" in why and "cuda13" in why


def test_without_onnx_runtime_the_cpu_reads_and_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.delitem(sys.modules, onnx_runtime.__name__)
    monkeypatch.delattr("stylizer.engines.onnx_runtime")
    engine = CudaGraphEngine(1, tmp_path)
    assert engine.read(small(tmp_path / "net.onnx"))(x=X, shift=torch.ones(1))["y"].tolist() == [[24, 36]]
    assert "onnxruntime is not installed" in engine.reading()[1]


def test_a_session_that_fails_leaves_the_file_to_the_cpu(tmp_path: Path, reader: OnnxRuntimeReader) -> None:
    engine = CudaGraphEngine(1, tmp_path)
    engine._card, engine._no_card = reader, ""
    path = small(tmp_path / "net.onnx")
    engine.read(path, {"x": (1, 2)}, constants={"shift": 1})
    assert engine.reading() == ("ONNX Runtime fp16 on cpu: net.onnx", "")
    reader._provider = "CUDAExecutionProvider"  # which ONNX Runtime cannot start without a card
    reader.device = torch.device("cpu")
    if torch.cuda.is_available():
        pytest.skip("a CUDA device is here")
    net = engine.read(path, {"x": (1, 2)}, "fp32", constants={"shift": 1})
    assert net(x=X)["y"].tolist() == [[24, 36]]
    standing, why = engine.reading()
    assert standing.startswith("OpenVINO") and "net.onnx: " in why


@pytest.mark.gpu
def test_on_a_card_the_tensors_stay_there(openvino: OpenVinoEngine, weights: Finder, media: Finder) -> None:
    card = torch.device("cuda")
    if "CUDAExecutionProvider" not in runtime.get_available_providers():
        pytest.skip("onnxruntime comes without its CUDA provider (extra cuda13)")
    path, fixed = weights(RVM), {"downsample_ratio": RVM_RATIO}
    net = OnnxRuntimeReader(card, 1).read(path, rvm_shapes((256, 256), RVM_RATIO, ANY), constants=fixed)
    on_card = RvmMatte(net, batches=True)
    reference = RvmMatte(openvino.read(path, rvm_shapes((256, 256), RVM_RATIO), "fp32", constants=fixed))
    crops = crop_of(media).repeat(2, 1, 1, 1)
    got: list[MatteState | None] = [None, None]
    want: list[MatteState | None] = [None, None]
    for _ in range(3):
        _, alpha, after = on_card(crops.to(card), got, [])
        _, alpha_ref, after_ref = reference(crops, want, [])
        got, want = list(after), list(after_ref)
        assert alpha.is_cuda
        assert float((alpha.cpu() - alpha_ref).abs().mean()) < 3e-3
