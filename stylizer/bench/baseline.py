"""The plain way, as the published demo describes it: the reference that our pipeline is measured against.

One frame after the other; YOLOv5 at 640 px and MTCNN on the whole frame for every frame; RobustVideoMatting; encoder
and generator in torch eager, fp32. The two ONNX files run in OpenVINO fp32, for torch reads none: that is faster than
torch eager would be, so a ratio against this baseline is on the careful side.
"""

from dataclasses import replace

import torch
from facenet_pytorch import MTCNN

from stylizer.config import Settings
from stylizer.controls import defaults
from stylizer.convert import SIZE
from stylizer.convert.looks import Looks
from stylizer.convert.toonify import ToonifyConfig, ToonifyNet, load_style
from stylizer.engines import CORES
from stylizer.engines.torch_eager import TorchEngine
from stylizer.frame import Frame
from stylizer.library import FIRST
from stylizer.stages.box import Box
from stylizer.stages.compose import Backdrop, compose
from stylizer.stages.crop import cut, square_around
from stylizer.stages.detect import load_detector
from stylizer.stages.face import head_of
from stylizer.stages.matte import MatteState, RvmMatte, View
from stylizer.stages.track import ALPHA, smooth
from stylizer.weights.registry import Registry

CONFIG_F_WIDTHS = (512, 512, 512, 256, 128)  # of the published generator at 16, 32, 64, 128 and 256 px
DETECT_PX = 640


class Baseline:
    """One stream. Raises ModelMissing without a detector or RVM: there is nothing to compare with then."""

    def __init__(self, settings: Settings, *, config_f: bool = False) -> None:
        """config_f: a generator of the published width, with random weights: it costs the same and draws nothing."""
        registry = Registry(settings)
        torch.set_num_threads(CORES)  # our pipeline, in this process, has left torch one thread
        engine = TorchEngine(torch.device("cpu"), CORES, settings.cache / "openvino")
        self._detect = load_detector(registry.find("person").path, engine, DETECT_PX)
        self._mtcnn = MTCNN(keep_all=True)
        self._matte = RvmMatte.load(registry.find("matte").path, engine)
        net = _config_f() if config_f else load_style(registry.style(FIRST).weights)
        self._net = net.at_strength(1.0).eval()
        self._looks = Looks(net).tensors([defaults()], [None])
        self._box: Box | None = None
        self._memory: MatteState | None = None

    def step(self, frame: Frame) -> Frame:
        """The drawing in the room's blur, or the frame itself while nobody is in view."""
        people = self._detect(frame.pixels)
        faces, _ = self._mtcnn.detect(frame.pixels)
        if not people:
            return frame
        self._box = smooth(self._box, max((p.box for p in people), key=lambda box: box.area), alpha=ALPHA)
        head = None if faces is None else head_of(Box(*map(float, faces[0])))
        square = square_around(self._box, head, frame.size)
        crop = cut(frame.pixels, square, SIZE)
        foreground, alpha, (self._memory,) = self._matte(crop, [self._memory], [View(frame.pixels, square)])
        with torch.inference_mode():
            picture, drawn = self._net(foreground, alpha, *self._looks)
        controls = defaults() | {"background": "blur", "framing": "scene"}
        return frame.with_pixels(compose(frame.pixels, square, picture, drawn, Backdrop.of(controls), controls, alpha))


def _config_f() -> ToonifyNet:
    config = ToonifyConfig()
    synthesis = replace(config.synthesis, widths=CONFIG_F_WIDTHS)
    above = tuple(synthesis.width_at(size) for size in (32, 64, 128, 256))
    encoder = replace(
        config.encoder, feat_channels=synthesis.width_at(16), detail_channels=above[:2], fine_channels=above[2:]
    )
    torch.manual_seed(0)
    return ToonifyNet(replace(config, synthesis=synthesis, encoder=encoder)).eval().requires_grad_(False)
