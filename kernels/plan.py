"""The whole U-Net as a plan of launches, for each rung of the ladder.

Decoder n reads the buffer `concat_n`: the output of decoder n+1, then that of encoder n, side by side in each pixel.
Every layer writes straight into its half of such a buffer, and encoder n+1 reads the half that encoder n wrote.
"""

from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np

from kernels import conv
from kernels.launch import Buffer, Kernel, Launch, Plan, Ref, ceil_div
from kernels.pict import BadWeights, Weights
from kernels.prepare import by_phase, fragments, last_layer, only_pixel, pad_filters
from kernels.weights import SIZE, Layer, filters_of, unet_layers

RUNGS = (1, 2, 3, 4, 5, 6)
PICTURE = SIZE * SIZE * 3
LARGEST_HALF = float(np.finfo(np.float16).max)


class Place(NamedTuple):
    """Channels inside a buffer: values between pixels, first channel."""

    buffer: str
    stride: int
    offset: int

    @property
    def ref(self) -> Ref:
        return Ref(self.buffer, self.offset)


def source_of(layer: Layer) -> Place:
    kind, number = layer.name.split("_")
    if kind == "decoder":
        return Place("bottom" if number == "8" else f"concat_{number}", layer.cin, 0)
    return Place(f"concat_{int(number) - 1}", 2 * layer.cin, layer.cin)


def target_of(layer: Layer) -> Place:
    kind, number = layer.name.split("_")
    if kind == "decoder":
        return Place(f"concat_{int(number) - 1}", 2 * layer.cout, 0)
    return Place("bottom", layer.cout, 0) if number == "8" else Place(f"concat_{number}", 2 * layer.cout, layer.cout)


def unet_plan(weights: Weights, rung: int) -> Plan:
    """Launches, memory and prepared weights of the whole network.

    "picture" [256, 256, 3] float32 in 0..1 -> "result", the same. Raises BadWeights, from rung 4 on for numbers that
    fp16 does not hold as well, or ValueError for another rung.
    """
    if rung not in RUNGS:
        raise ValueError(f"rung must be one of {RUNGS}, got {rung}")
    weights = pad_filters(weights)
    if rung >= 4:
        _check_halves(weights)
    layers = unet_layers(filters_of(weights))
    plan = Plan()
    plan.buffers |= {"picture": Buffer(PICTURE, np.float32), "result": Buffer(PICTURE, np.float32)}
    for layer in layers[:-1]:
        place = target_of(layer)
        plan.buffers[place.buffer] = Buffer(layer.out_size**2 * place.stride, np.float32 if rung < 4 else np.float16)
    if rung < 4:
        _fp32(plan, layers, weights, rung)
    elif rung < 6:
        _fp16(plan, layers, weights, rung)
    else:
        _fused(plan, layers, weights)
    return plan


def _check_halves(weights: Weights) -> None:
    """Beyond its largest number fp16 has only infinity, and a picture of that is black."""
    for name, values in weights.items():
        most = float(np.abs(values).max())
        if most > LARGEST_HALF:
            raise BadWeights(f"{name!r} holds {most:g}; fp16 holds at most {LARGEST_HALF:g}: take a rung below 4")


def _fp32(plan: Plan, layers: tuple[Layer, ...], weights: Weights, rung: int) -> None:
    """Rungs 1 to 3: convolution, then norm. Layers whose channels do not fill a register tile stay on rung 2."""
    plan.buffers |= {"signed": Buffer(PICTURE, np.float32), "part": Buffer(max(_values(r) for r in layers), np.float32)}
    plan.constants["zeros"] = np.zeros(3, np.float32)
    plan.frame.append(_pointwise("picture_in", "COUNT", PICTURE, (Ref("picture"), Ref("signed")), "encoder_1"))
    for layer in layers:
        first, last = layer is layers[0], layer is layers[-1]
        w, b = weights[layer.kernel], weights[layer.bias]
        plan.constants |= {layer.kernel: w if rung == 1 else by_phase(layer, w), layer.bias: b}
        source = Place("signed", 3, 0) if first else source_of(layer)
        target = target_of(layer) if first else Place("part", layer.cout, 0)
        convolve = conv.CONV_FP32[min(rung, 2) if first or last else rung]
        refs = (source.ref, Ref(layer.kernel), Ref("zeros") if last else Ref(layer.bias), target.ref)
        plan.frame.append(convolve(layer, *refs, x_stride=source.stride, y_stride=target.stride))
        if layer.norm:
            _norm(plan, layer, weights, splits=1, half=False)
    _picture_out(plan, layers[-1], 3, 1)


def _fp16(plan: Plan, layers: tuple[Layer, ...], weights: Weights, rung: int) -> None:
    """Rungs 4 and 5.

    Halves and tensor cores; the norm adds the splits. Rung 5 streams weights where there are few positions.
    """
    _first(plan, layers[0], weights)
    part = 0
    for layer in layers[1:]:
        w = by_phase(layer, weights[layer.kernel])
        if not layer.norm:  # 3 filters become 16
            layer = replace(layer, cout=16)
            w = np.concatenate((w, np.zeros((*w.shape[:3], 13), np.float32)), axis=3)
        plan.constants[layer.kernel] = fragments(w)
        convolve = conv.conv_v5 if rung == 5 and conv.positions(layer) <= 16 else conv.conv_v4
        source = source_of(layer)
        launch, splits = convolve(layer, source.ref, Ref(layer.kernel), Ref("part"), x_stride=source.stride)
        plan.frame.append(launch)
        part = max(part, splits * _values(layer))
        if layer.norm:
            _norm(plan, layer, weights, splits=splits, half=True)
        else:
            plan.constants[layer.bias] = weights[layer.bias]
            _picture_out(plan, layer, 16, splits)
    plan.buffers["part"] = Buffer(part, np.float32)


def _fused(plan: Plan, layers: tuple[Layer, ...], weights: Weights) -> None:
    """Rung 6: one launch per layer, and none for what no picture can change.

    Encoder 8 makes one pixel, whose norm leaves exactly beta: its convolution is never computed. So decoder 8 is a
    constant, and so is the share of decoder 7 that comes from it: both run in the prologue, once per set of weights.
    That takes a quarter of the weights (25 of 109 MB with 64 filters) off every frame.
    """
    _first(plan, layers[0], weights)
    beta8 = weights[layers[7].beta]
    plan.constants |= {
        "bottom": np.zeros(beta8.size, np.float16),
        "affine_bottom": np.stack((np.zeros_like(beta8), beta8), axis=1),  # scale 0, shift beta
        "affine_concat_1": np.tile(np.array([1, 0], np.float32), 2 * layers[0].cout),  # encoder 1 has no norm
    }
    for n in range(2, 8):
        plan.buffers[f"affine_concat_{n}"] = Buffer(2 * source_of(layers[16 - n]).stride, np.float32)
    del plan.buffers["bottom"]
    shapes = {layer.name: conv.fused_shape(layer) for layer in (*layers[1:7], *layers[8:])}
    plan.buffers |= {
        "part": Buffer(max(s.part_values for s in shapes.values()), np.float32),
        "part_decoder_7": Buffer(shapes["decoder_7"].part_values, np.float32),
        "tiles": Buffer(max(s.tile_values for s in shapes.values()), np.float32),
        "counters": Buffer(max(s.counters for s in shapes.values()), np.uint32, zero=True),
    }
    for layer in (*layers[1:7], *layers[8:]):
        _fused_layer(plan, layer, shapes[layer.name], weights)


def _fused_layer(plan: Plan, layer: Layer, shape: conv.Fused, weights: Weights) -> None:
    w = by_phase(layer, weights[layer.kernel])
    w = last_layer(w) if shape.kind == conv.LAST else only_pixel(w) if shape.kind == conv.ONE_PIXEL else w
    plan.constants[layer.kernel] = fragments(w)
    source = source_of(layer)
    args = conv.FusedArgs(
        x=source.ref,
        affine=Ref(f"affine_{source.buffer}", 2 * source.offset),
        w=Ref(layer.kernel),
        part=Ref("part_decoder_7" if layer.name == "decoder_7" else "part"),
    )
    if shape.kind == conv.LAST:
        plan.constants[layer.bias] = weights[layer.bias]
        args = args._replace(gamma=Ref(layer.bias), beta=Ref(layer.bias), y=Ref("result"), out_affine=Ref("tiles"))
        plan.frame.append(conv.conv_v6(layer, shape, args, x_stride=source.stride, y_stride=1))
        return
    plan.constants |= {layer.gamma: weights[layer.gamma], layer.beta: weights[layer.beta]}
    target = target_of(layer)
    out_affine = Ref(f"affine_{target.buffer}", 2 * target.offset)
    args = args._replace(gamma=Ref(layer.gamma), beta=Ref(layer.beta), y=target.ref, out_affine=out_affine)
    launch = partial(conv.conv_v6, layer, shape, args, x_stride=source.stride, y_stride=target.stride)
    if layer.name == "decoder_7":  # the first half of its channels comes from decoder 8 and never changes
        plan.prologue.append(launch(run=shape.split // 2, finish=False))
        plan.frame.append(launch(first=shape.split // 2))
    else:
        (plan.prologue if layer.name == "decoder_8" else plan.frame).append(launch())


def _values(layer: Layer) -> int:
    return layer.out_size**2 * layer.cout


def _pointwise(function: str, constant: str, values: int, args: tuple[Ref, ...], layer: str) -> Launch:
    kernel = Kernel("pointwise", function, ((constant, values),))
    return Launch(kernel, (ceil_div(values, 256), 1, 1), (256, 1, 1), args, layer)


def _picture_out(plan: Plan, layer: Layer, filters: int, splits: int) -> None:
    kernel = Kernel("pointwise", "picture_out", (("PIXELS", SIZE * SIZE), ("COUT", filters), ("SPLITS", splits)))
    args = (Ref("part"), Ref(layer.bias), Ref("result"))
    plan.frame.append(Launch(kernel, (ceil_div(PICTURE, 256), 1, 1), (256, 1, 1), args, layer.name))


def _norm(plan: Plan, layer: Layer, weights: Weights, *, splits: int, half: bool) -> None:
    plan.constants |= {layer.gamma: weights[layer.gamma], layer.beta: weights[layer.beta]}
    target = target_of(layer)
    refs = (Ref("part"), Ref(layer.gamma), Ref(layer.beta), target.ref)
    plan.frame.append(conv.instance_norm(layer, *refs, out_stride=target.stride, splits=splits, half=half))


def _first(plan: Plan, layer: Layer, weights: Weights) -> None:
    """Encoder 1 from the picture into halves."""
    plan.constants |= {layer.kernel: by_phase(layer, weights[layer.kernel]), layer.bias: weights[layer.bias]}
    target = target_of(layer)
    plan.frame.append(
        conv.first(layer, Ref("picture"), Ref(layer.kernel), Ref(layer.bias), target.ref, y_stride=target.stride)
    )
