"""One picture that takes its turn among the frames of live streams."""

from concurrent.futures import Future
from dataclasses import dataclass, field

from stylizer.errors import BadInput, StylizerError, Unavailable
from stylizer.frame import PixelsU8
from stylizer.visitor import VisitorState


@dataclass(frozen=True, slots=True)
class Still:
    """Whoever handed it in waits for `result`."""

    pixels: PixelsU8
    state: VisitorState
    result: "Future[PixelsU8]" = field(default_factory=Future)

    def answer(self, picture: PixelsU8) -> None:
        """picture: what the pipeline made of it."""
        if self.state.error:
            self.result.set_exception(Unavailable("the picture could not be drawn: a stage failed on it"))
        elif self.state.nobody:
            self.result.set_exception(BadInput("picture: nobody was found in it; it must show a person"))
        else:
            self.result.set_result(picture)

    def refuse(self, why: StylizerError) -> None:
        """Unless it has its answer: whoever waits for one would wait for ever."""
        if not self.result.done():
            self.result.set_exception(why)
