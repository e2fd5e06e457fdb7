"""Networks of others are read whole, cut short, or with inputs fixed."""

import locale
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
import torch
from openvino import opset13 as op

from stylizer.engines import Engine
from stylizer.engines.openvino import OpenVinoEngine
from stylizer.engines.torch_eager import TorchEngine
from stylizer.errors import ModelRejected


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """y = 2 * (x * gain) in OpenVINO's own format, the inner product named block.0/scaled_output_0."""
    x = op.parameter([-1, 2], np.float32, name="x")
    gain = op.parameter([1], np.float32, name="gain")
    scaled = op.multiply(x, gain)
    result = op.multiply(scaled, op.constant(np.full((1, 2), 2, np.float32)))
    for node, name in ((x, "x"), (gain, "gain"), (scaled, "block.0/scaled_output_0"), (result, "y")):
        node.output(0).set_names({name})
    path = tmp_path / "net.xml"
    ov.save_model(ov.Model([result], [x, gain], "net"), path, compress_to_fp16=False)
    return path


@pytest.fixture(params=["openvino", "torch"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    return OpenVinoEngine(1, tmp_path) if request.param == "openvino" else TorchEngine(torch.device("cpu"), 1, tmp_path)


X = torch.tensor([[1.0, 2.0]])
GAIN = torch.tensor([4.0])


def test_inputs_and_outputs_go_by_the_file_s_own_names(file: Path, engine: Engine) -> None:
    net = engine.read(file)
    assert (set(net.inputs), net.outputs) == ({"x", "gain"}, ("y",))
    assert net(x=X, gain=GAIN)["y"].tolist() == [[8, 16]]


def test_a_fixed_input_is_no_input_any_more(file: Path, engine: Engine) -> None:
    net = engine.read(file, {"x": (1, 2)}, constants={"gain": 0.5})
    assert net.inputs == ("x",)
    assert net(x=X)["y"].tolist() == [[1, 2]]


def test_an_inner_tensor_can_be_the_output(file: Path, engine: Engine) -> None:
    net = engine.read(file, outputs=["0/scaled_output_0"])
    (result,) = net(x=X, gain=GAIN).values()
    assert result.tolist() == [[4, 8]]


def test_what_the_file_does_not_have_is_named(file: Path, engine: Engine) -> None:
    with pytest.raises(ModelRejected, match=r"net\.xml.*nowhere"):
        engine.read(file, outputs=["nowhere"])
    with pytest.raises(ModelRejected, match=r"net\.xml.*ratio"):
        engine.read(file, constants={"ratio": 1})
    with pytest.raises(ModelRejected, match=r"net\.xml.*x \[1, 3\]"):
        engine.read(file, {"x": (1, 3)})
    with pytest.raises(ModelRejected, match=r"net\.xml.*z \[1\]"):
        engine.read(file, {"z": (1,)})


@pytest.mark.skipif("UTF-8" not in locale.setlocale(locale.LC_CTYPE), reason="the locale is not of UTF-8 here")
def test_two_compilations_at_once_leave_the_process_its_locale(file: Path, tmp_path: Path) -> None:
    """OpenVINO changes it while its cache is at work; left at "C", Python would read every file as ASCII."""
    engine = OpenVinoEngine(1, tmp_path)
    with ThreadPoolExecutor(4) as many:
        list(many.map(lambda i: engine.read(file, {"x": (1 + i % 4, 2)}), range(100)))
    assert "UTF-8" in locale.setlocale(locale.LC_CTYPE)
