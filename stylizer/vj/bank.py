"""The models an instrument can play: embedded ones by name, anybody's `.pict` or `.safetensors` by path."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from kernels.pict import BadWeights, Weights
from kernels.weights import filters_of, load_weights
from stylizer.errors import ModelMissing, ModelRejected, NotFound
from stylizer.weights.card import CARD, Card

EMBEDDED = Path(__file__).parent / "models"
SUFFIXES = (".pict", ".safetensors")
SLOTS = ("model_a", "model_b")  # the controls that name a model


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """Equal only to itself: a file that is loaded again under its old name is another model."""

    name: str
    filters: int
    weights: Weights


class Bank:
    """Loads each model once. Safe to call from any thread: whoever turns the knob waits, the show does not."""

    def __init__(self, folder: Path = EMBEDDED) -> None:
        self._folder = folder
        self._models: dict[str, Model] = {}
        self._lock = threading.Lock()

    @property
    def names(self) -> tuple[str, ...]:
        """Of the embedded models, then of those loaded by path."""
        embedded = sorted(f.parent.name for f in self._folder.glob(f"*/{CARD}"))
        return (*embedded, *(n for n in list(self._models) if n not in embedded))

    def card(self, name: str) -> Card:
        """Raises ModelMissing for a model without one."""
        return Card.read(self._folder / name)

    def add(self, model: Model) -> None:
        self._models[model.name] = model

    def remove(self, name: str) -> None:
        """Forgets a model that was added; who plays it goes on."""
        with self._lock:
            self._models.pop(name, None)

    def load(self, path: Path) -> str:
        """A `.pict` or `.safetensors` file, from now on under the name returned: the file's own, with a number where
        another one has it. Raises ModelMissing, ModelRejected."""
        weights = self._read(path)
        names = (f"{path.stem}{f'-{n}' if n > 1 else ''}{path.suffix}" for n in count(1))
        name = next(each for each in names if each not in self._models)
        self.add(Model(name, filters_of(weights), weights))
        return name

    def check_known(self, changes: Mapping[str, object]) -> None:
        """For hands that reach in from elsewhere: a slot takes a model by name, no file of this machine is opened.

        changes: of controls. Raises NotFound.
        """
        for slot in SLOTS:
            if slot in changes and changes[slot] not in self.names:
                raise NotFound(f"no model is called {changes[slot]!r:.60}; there are {', '.join(self.names) or 'none'}")

    def get(self, name: str) -> Model:
        """`name`: of an embedded model, or a path. Raises NotFound, ModelMissing or ModelRejected."""
        if (model := self._models.get(name)) is not None:  # a show does not wait while another one is read
            return model
        with self._lock:
            if name not in self._models:
                weights = self._read(self._path(name))
                self._models[name] = Model(name, filters_of(weights), weights)
            return self._models[name]

    def _path(self, name: str) -> Path:
        if Path(name).suffix in SUFFIXES:
            return Path(name)
        if name not in self.names:
            raise NotFound(
                f"no model is called {name!r}; there are {', '.join(self.names) or 'none'}, "
                f"and paths that end in {' or '.join(SUFFIXES)}"
            )
        return self._folder / name / self.card(name).weights

    def _read(self, path: Path) -> Weights:
        try:
            return load_weights(path)
        except OSError as error:
            raise ModelMissing(f"{path}: {error.strerror}") from None
        except BadWeights as error:
            raise ModelRejected(str(error)) from None
