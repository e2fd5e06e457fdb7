"""All that is remembered of one visitor between two frames, in one value."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from stylizer.controls import Value, defaults
from stylizer.frame import PixelsU8
from stylizer.reference import Reference
from stylizer.stages.crop import CropTracker
from stylizer.stages.light import Light
from stylizer.stages.matte import MatteState
from stylizer.stages.mesh import Points
from stylizer.stages.outline import Outline
from stylizer.stages.steady import Drawn
from stylizer.stages.track import SubjectTracker


@dataclass(slots=True)
class VisitorState:
    """Belongs to one visitor; the pipeline, which all share, remembers nothing.

    controls: replaced as a whole, never changed in place, so that a step sees one set. subject: which of the
    tracker's subjects the memory of matte and face belongs to. view: width and height of the last frame in pixels, and
    whether it was mirrored. looked_at_s, faced_at_s: frame time of the last look for the person and for the face.
    light: how much brighter they are shown than they were seen. drawn, head: the last drawing of the figure, and of the
    head from nearer. look_s: what the last look took. backdrop: the visitor's own background picture. reference: whose
    look they take on. last: the newest good output, made at last_good_s. error: what went wrong in the last step, if
    anything. nobody: the last step found no one in view. outline: where the person stands, as of outlined_at_s; empty
    with nobody in view.
    """

    controls: Mapping[str, Value] = field(default_factory=defaults)
    tracker: SubjectTracker = field(default_factory=SubjectTracker)
    square: CropTracker = field(default_factory=CropTracker)
    light: Light = Light()
    matte: MatteState | None = None
    face: Points | None = None
    drawn: Drawn | None = None
    head: Drawn | None = None
    subject: int = -1
    view: tuple[tuple[int, int], bool] | None = None
    looked_at_s: float | None = None
    look_s: float = 0.0
    faced_at_s: float | None = None
    backdrop: PixelsU8 | None = None
    reference: Reference | None = None
    last: PixelsU8 | None = None
    last_good_s: float | None = None
    failed: int = 0
    error: Exception | None = None
    nobody: bool = False
    outline: Outline = ()
    outlined_at_s: float | None = None
    stages_ms: dict[str, float] = field(default_factory=dict)

    def face_view(self, size: tuple[int, int], mirrored: bool) -> None:
        """Before each frame. In another view than the last, a phone that was turned say, nobody is where they were."""
        if self.view not in (None, (size, mirrored)):
            self.lose_person()
        self.view = size, mirrored

    def lose_person(self) -> None:
        """Whatever was followed is looked for anew: a memory that went bad must not spoil every frame to come."""
        self.tracker.reset()
        self.square.reset()
        self.light = Light()
        self.matte = self.face = self.drawn = self.head = self.looked_at_s = self.faced_at_s = None

    def reset(self) -> None:
        """Forgets the person and every picture of them; the controls, the backdrop and the reference stay."""
        fresh = VisitorState(controls=self.controls, backdrop=self.backdrop, reference=self.reference)
        for name in self.__slots__:
            setattr(self, name, getattr(fresh, name))
