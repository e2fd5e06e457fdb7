"""An ONNX file made ready for ONNX Runtime: cut short, inputs fixed, shapes fixed, halved to fp16.

OpenVINO has its own means for the first three (engines/onnx.py); the results agree, the tests say so.
"""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import GraphProto, ModelProto, TensorProto, helper, numpy_helper, shape_inference
from onnx.utils import Extractor

from stylizer.engines import ANY
from stylizer.errors import ModelRejected, Unreadable

HALF_MAX = 65504.0
# Inputs that stay float32 in an fp16 network, by the operator's definition: scales and the like.
FLOAT_INPUTS = {"Resize": (1, 2), "Upsample": (1,)}


def opened(
    path: Path,
    shapes: Mapping[str, Sequence[int]] | None = None,
    outputs: Sequence[str] | None = None,
    constants: Mapping[str, float] | None = None,
) -> ModelProto:
    """The file's network as `engines.Engine.read` describes it. Raises Unreadable, ModelRejected."""
    try:
        model = onnx.load(path)
    except Exception as error:  # protobuf's own among them, which is nobody's dependency but onnx's
        raise Unreadable(f"{path}: not an ONNX file ({error})") from None
    if not model.graph.node:
        raise Unreadable(f"{path}: not an ONNX file (there is no step in it)")
    weights = {tensor.name for tensor in model.graph.initializer}
    for value in [each for each in model.graph.input if each.name in weights]:
        model.graph.input.remove(value)  # older files list the weights as inputs, which could be others each time
    model.ir_version = max(model.ir_version, 4)  # from which on they need not be
    if outputs:
        model = _cut(model, outputs, path)
    for name, value in (constants or {}).items():
        _fix(model.graph, name, value, path)
    return _shaped(model, shapes, path) if shapes else model


def folded(model: ModelProto, path: Path) -> ModelProto:
    """The same with everything computed beforehand that does not depend on the inputs.

    Shapes are the most of it: on a card such small steps would run on the CPU, with a copy before and after.
    Raises ModelRejected where the steps do not fit together. path: for that message.
    """
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    with tempfile.TemporaryDirectory() as folder:
        options.optimized_model_filepath = f"{folder}/folded.onnx"
        try:
            ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's own errors have no common base but this
            raise ModelRejected(f"{path}: {' '.join(str(error).split())[:300]}") from None
        return onnx.load(options.optimized_model_filepath)


def halved(model: ModelProto) -> ModelProto | None:
    """A `folded` network in fp16, inputs and outputs too; None where a weight is too large for that."""
    half = ModelProto()
    half.CopyFrom(model)
    graph = half.graph
    kept = {name for node in graph.node for i, name in enumerate(node.input) if i in FLOAT_INPUTS.get(node.op_type, ())}
    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and tensor.name not in kept:
            values = numpy_helper.to_array(tensor)
            if values.size and float(np.abs(values).max()) > HALF_MAX:
                return None
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), tensor.name))
    for value in (*graph.input, *graph.output):
        if value.type.tensor_type.elem_type == TensorProto.FLOAT:
            value.type.tensor_type.elem_type = TensorProto.FLOAT16
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.FLOAT16
    del graph.value_info[:]
    return half


def _cut(model: ModelProto, endings: Sequence[str], path: Path) -> ModelProto:
    model = shape_inference.infer_shapes(model)
    made = [name for node in model.graph.node for name in node.output]
    found = [next((name for name in made if name.endswith(end)), "") for end in endings]
    if "" in found:
        raise ModelRejected(f"{path}: has no inner tensor called ...{endings[found.index('')]}")
    cut: ModelProto = Extractor(model).extract_model([value.name for value in model.graph.input], found)
    return cut


def _fix(graph: GraphProto, name: str, value: float, path: Path) -> None:
    found = next((each for each in graph.input if each.name == name), None)
    if found is None:
        raise ModelRejected(f"{path}: has no input called {name}")
    kind = found.type.tensor_type
    constant = np.full([1] * len(kind.shape.dim), value, helper.tensor_dtype_to_np_dtype(kind.elem_type))
    graph.initializer.append(numpy_helper.from_array(constant, name))
    graph.input.remove(found)


def _shaped(model: ModelProto, shapes: Mapping[str, Sequence[int]], path: Path) -> ModelProto:
    graph = model.graph
    wanted = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
    named = {value.name: value.type.tensor_type for value in graph.input}
    for name, shape in shapes.items():
        if name not in named:
            raise ModelRejected(f"{path}: cannot take {wanted} (it has no input called {name})")
        fixed = helper.make_tensor_type_proto(named[name].elem_type, ["batch" if n == ANY else n for n in shape])
        named[name].shape.CopyFrom(fixed.tensor_type.shape)
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")
    del graph.value_info[:]
    try:
        return shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    except shape_inference.InferenceError as error:
        raise ModelRejected(f"{path}: cannot take {wanted} ({str(error).splitlines()[0]})") from None
