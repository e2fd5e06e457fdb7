"""The styles at hand, each loaded when it is first asked for and kept."""

from collections.abc import Mapping
from threading import Lock

from stylizer.convert import Converter
from stylizer.convert.compiled import CompiledNetworks
from stylizer.convert.image_model import ImageModelConfig, ImageModelConverter
from stylizer.convert.toonify import check_style, load_style
from stylizer.convert.toonify_converter import ToonifyConverter
from stylizer.engines import Engine
from stylizer.errors import ModelRejected, NotFound
from stylizer.weights.card import Kind
from stylizer.weights.registry import Registry, Style

FIRST = "anime"


class Library:
    """Any thread may ask; loading happens in the thread that asks first, never in the pipeline's."""

    def __init__(self, registry: Registry, engine: Engine) -> None:
        self._registry, self._engine = registry, engine
        self._styles: Mapping[str, Style] = {}
        self.refused: list[ModelRejected] = []
        self.refresh()
        self._loaded: dict[str, Converter] = {}
        self._sums: dict[str, str | None] = {}  # sha256 of what is loaded, as its card said
        self._compiled = CompiledNetworks.on(engine.device)
        self._lock = Lock()

    def refresh(self) -> None:
        """Looks anew which styles there are; loaded ones go on playing, though their files are gone."""
        styles, self.refused = self._registry.styles()
        usable = {s.card.name: s for s in styles if s.card.kind in (Kind.TOONIFY, Kind.IMAGE_MODEL)}
        self._styles = dict(sorted(usable.items(), key=lambda item: (item[0] != FIRST, item[0])))

    @property
    def styles(self) -> tuple[Style, ...]:
        return tuple(self._styles.values())

    @property
    def names(self) -> tuple[str, ...]:
        """The first is the one that plays when nobody chose."""
        return tuple(self._styles)

    def titles(self, language: str) -> dict[str, str]:
        """Name -> what people call the style in `language` ("en", "ja")."""
        return {name: style.card.told_in(language).title for name, style in self._styles.items()}

    def get(self, name: str) -> Converter:
        """What plays under this name, for frames: they wait for no other style, and for this one only the first time.

        Raises as `load` does.
        """
        return self._loaded.get(name) or self.load(name)

    def load(self, name: str) -> Converter:
        """For who chooses a style: one that has other weights by now, as of `refresh`, takes the place of what plays.

        Raises NotFound naming the styles there are, ModelRejected or ModelMissing for unusable weights.
        """
        listed = self._styles.get(name)
        if listed is None and name not in self._loaded:
            raise NotFound(f"no style is called {name!r}; there are {', '.join(self.names) or 'none'}")
        if listed is not None and not self._plays(listed):
            with self._lock:
                if not self._plays(listed):
                    style = self._registry.style(name)
                    self._loaded[name], self._sums[name] = self._open(style), style.card.sha256
        return self._loaded[name]

    def _plays(self, style: Style) -> bool:
        name = style.card.name
        return name in self._loaded and self._sums.get(name) == style.card.sha256

    def try_out(self, style: Style) -> None:
        """Loads and runs a style that is not in the library (yet). Raises what is wrong with it."""
        if style.card.kind == Kind.TOONIFY:
            check_style(style.weights)
        Library(self._registry, self._engine)._open(style)  # one of its own: no network of this style stays

    def _open(self, style: Style) -> Converter:
        """Warmed up. What the engine says of a network that does not run here becomes ModelRejected."""
        try:
            converter = self._read(style)
            converter.warm_up()
        except RuntimeError as error:
            raise ModelRejected(f"style {style.card.name} does not run here ({str(error)[:200]})") from None
        return converter

    def _read(self, style: Style) -> Converter:
        if style.card.kind == Kind.TOONIFY:
            net = load_style(style.weights)
            colours, medium = style.card.own_colours, style.card.medium
            return ToonifyConverter(net, self._engine, colours, compiled=self._compiled, medium=medium)
        try:
            config = ImageModelConfig(**style.card.network)  # type: ignore[arg-type]
        except TypeError as error:
            raise ModelRejected(f"style {style.card.name}: [network] in its card is not usable ({error})") from None
        return ImageModelConverter(style.weights, config, self._engine, style.card.medium)
