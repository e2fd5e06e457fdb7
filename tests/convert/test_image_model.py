"""Picture-to-picture networks of others: each layout and range of values, and what is no such network."""

from dataclasses import replace
from pathlib import Path
from typing import Literal, cast

import onnx
import pytest
import torch
from onnx import NodeProto, TensorProto, helper

from stylizer.config import Settings
from stylizer.controls import defaults
from stylizer.convert.image_model import ImageModelConfig, ImageModelConverter
from stylizer.engines import Engine
from stylizer.engines.onnx_runtime import OnnxRuntimeNet, OnnxRuntimeReader
from stylizer.engines.openvino import OpenVinoEngine
from stylizer.errors import ModelRejected
from stylizer.library import Library
from stylizer.weights import Kind, Registry

SHAPES: dict[str, list[str | int | None]] = {"NCHW": ["n", 3, "h", "w"], "NHWC": ["n", "h", "w", 3]}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> OpenVinoEngine:
    return OpenVinoEngine(1, tmp_path_factory.mktemp("openvino"))


def network(path: Path, step: NodeProto, layout: str = "NCHW") -> Path:
    """An ONNX file of one step from x to y."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPES[layout])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([step], "one", [x], [y])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


@pytest.mark.parametrize("values", ["unit", "signed", "255"])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_what_goes_through_unchanged_comes_back_in_place(
    engine: OpenVinoEngine, tmp_path: Path, layout: Literal["NCHW", "NHWC"], values: Literal["unit", "signed", "255"]
) -> None:
    same = network(tmp_path / "same.onnx", helper.make_node("Identity", ["x"], ["y"]), layout)
    convert = ImageModelConverter(same, ImageModelConfig(layout, values), engine)
    picture = torch.linspace(0, 1, 256).expand(1, 3, 256, 256).clone()
    picture[:, 0] = 0.75
    drawn, alpha = convert(picture, torch.ones(1, 1, 256, 256), [defaults()], [None])
    torch.testing.assert_close(drawn, picture, atol=0.004, rtol=0)  # bf16
    assert bool((alpha == 1).all())


class Halves(OnnxRuntimeReader):
    """ONNX Runtime as on a card."""

    precision = "fp16"


@pytest.mark.parametrize("values, precision", [("signed", "fp16"), ("255", "fp32")])
def test_halves_are_not_trusted_with_pictures_of_255(
    tmp_path: Path, values: Literal["signed", "255"], precision: str
) -> None:
    """The largest half is 65504, and a trial with noise of 0..1 does not come near it."""
    path = network(tmp_path / "same.onnx", helper.make_node("Identity", ["x"], ["y"]))
    convert = ImageModelConverter(path, ImageModelConfig(values=values), cast("Engine", Halves(torch.device("cpu"), 1)))
    assert isinstance(convert._net, OnnxRuntimeNet) and convert._net.precision == precision


@pytest.mark.parametrize(
    "step, gives",
    [
        (helper.make_node("ReduceMean", ["x"], ["y"], axes=[2, 3], keepdims=0), r"\[1, 3\]"),
        (helper.make_node("Concat", ["x", "x"], ["y"], axis=1), r"\[1, 6, 256, 256\]"),
        (helper.make_node("Concat", ["x", "x"], ["y"], axis=0), r"\[2, 3, 256, 256\]"),
    ],
    ids=["a vector", "six channels", "two pictures"],
)
def test_what_gives_no_picture_is_refused_by_name(
    engine: OpenVinoEngine, tmp_path: Path, step: NodeProto, gives: str
) -> None:
    """Six channels would load, and then fail at every frame."""
    path = network(tmp_path / "other.onnx", step)
    with pytest.raises(ModelRejected, match=rf"other\.onnx: gives {gives} for a picture \[1, 3, 256, 256\]"):
        ImageModelConverter(path, ImageModelConfig(), engine)


def test_what_gives_no_finite_numbers_is_refused_by_name(engine: OpenVinoEngine, tmp_path: Path) -> None:
    path = network(tmp_path / "other.onnx", helper.make_node("Acosh", ["x"], ["y"]))  # below 1 there is none
    with pytest.raises(ModelRejected, match=r"other\.onnx: gives numbers that are not finite"):
        ImageModelConverter(path, ImageModelConfig(), engine)


def test_a_size_is_a_whole_number() -> None:
    with pytest.raises(ModelRejected, match=r"size 64\.5 px"):
        ImageModelConfig(size=64.5)  # type: ignore[arg-type]


def test_what_needs_more_than_the_machine_has_is_refused_in_words(engine: OpenVinoEngine, tmp_path: Path) -> None:
    """As a style that is brought in: ten million pictures side by side and above one another."""
    registry = Registry(Settings.load(models=(), cache=tmp_path))
    path = network(tmp_path / "vast.onnx", helper.make_node("Tile", ["x", "times"], ["y"]))
    model = onnx.load(path)
    model.graph.initializer.append(helper.make_tensor("times", TensorProto.INT64, [4], [1, 1, 10**7, 10**7]))
    onnx.save(model, path)
    told = {"name": "vast", "kind": Kind.IMAGE_MODEL, "weights": path.name, "network": {}}
    known = registry.styles()[0][0]
    style = replace(known, card=known.card.model_copy(update=told), folder=tmp_path)
    with pytest.raises(ModelRejected, match="style vast does not run here"):
        Library(registry, engine).try_out(style)
