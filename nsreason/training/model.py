"""What the training loop asks of a model, and the table of models.

A model is a `torch.nn.Module` that keeps its frozen dataclass of settings as `config` (the class names it
as `Config`, beside it) and has three methods: `collate` makes a batch of examples, `loss` says how wrong
the model is on a batch, `predict` what it answers. Importing this module loads no torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from ..registry import MODELS, named

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from ..errors import NsreasonError

E = TypeVar("E", contravariant=True)
B = TypeVar("B")


@dataclass(frozen=True, slots=True)
class LossOut:
    """What a batch costs.

    Attributes:
        loss: a scalar, the mean over the `count` examples; what is differentiated.
        count: examples (questions) that the mean is over; batches, devices and accumulated steps are
            weighted by it. With 0 the batch teaches nothing, and its loss is any finite number.
        metrics: for each metric its sum over the batch. A plain sum is divided by all counts in the end
            (`{"accuracy": right.sum()}`), a pair `(sum, n)` by all n (`{"accuracy/count": (right, n)}`).
    """

    loss: Tensor
    count: int
    metrics: Mapping[str, float | Tensor | tuple[float | Tensor, float | Tensor]] = field(default_factory=dict)


class Model(Protocol[E, B]):
    """A `torch.nn.Module` that can be trained; see above.

    Names of parts are free, but recipes may freeze them by name (`perception`, `parser`).
    """

    @property
    def config(self) -> Any:
        """The frozen dataclass that the model was built from."""

    def collate(self, examples: Sequence[E], /) -> B:
        """A batch on the CPU.

        It may run in another thread and draws no random numbers: what is random belongs in `loss`, where
        a resumed run repeats it. A batch has a method `to(device)`, or is of tensors in lists, tuples and
        dicts.
        """

    def loss(self, batch: B, /) -> LossOut:
        """How wrong the model is on a batch; called under `torch.no_grad()` when validating."""

    def predict(self, batch: B, /) -> Any:
        """What the model answers, for each example of the batch."""


@runtime_checkable
class AfterStep(Protocol):
    """A model that does something after each step of the optimizer, such as moving a target network."""

    def after_step(self, step: int, /) -> None:
        """Act after a step of the optimizer; called under `torch.no_grad()`, on every device alike.

        A resumed run is the same to the bit if what this changes are parameters and buffers, which checkpoints have,
        or a source of examples; random numbers are torch's, numpy's or python's own, which are restored too.

        Args:
            step: of the whole run, from 1.
        """


class ExampleSplit(Protocol):
    """The examples of a data set by their use, as `nsreason.data.splits.Split` has them."""

    @property
    def train(self) -> Any:
        """A sequence of examples to learn from."""

    @property
    def valid(self) -> Any:
        """A sequence of examples that are held out, to validate on; it may be empty."""

    @property
    def bad(self) -> Sequence[NsreasonError]:
        """Why other records of the data cannot be used."""

    @property
    def unit(self) -> str:
        """What an example is, for reports: `questions`."""


class Data(Protocol):
    """What a model's class names as `Data`: a frozen dataclass, the `[data]` of a recipe.

    A model whose settings depend on the data (its words, its answers) has a class method
    `config_from_data(config, examples)`, which completes the recipe's settings by the training examples.
    """

    def load(self, config: Any, folder: str | Path, /) -> ExampleSplit:
        """Load the examples of a folder.

        Args:
            config: the model's settings, as the recipe has them.

        Raises:
            DataError: the folder lacks a file, or nothing in it can be learned from.
        """


def model_class(name: str) -> type[Any]:
    """The class of a model, by its name in `MODELS` or, for one's own, as `module:Class`.

    Raises:
        RecipeError: no such model, or its module cannot be imported.
    """
    cls: type[Any] = named("model", name, MODELS)
    return cls
