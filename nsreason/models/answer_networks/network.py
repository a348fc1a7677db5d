"""Networks that answer queries by classes, as models to be trained: encoders below, a head on top.

    config = config_from_data(recipe.model_config, queries)    # words, answers and sizes are the data's
    model = RelationNetworkModel(config)              # `models` has its baselines
    model.loss(model.collate(queries)).loss.backward()
    model.predict(model.collate(queries))             # a Reply for each

All of them have the same settings, so that one recipe trains any of them on its task.

B queries, N objects of D features, Q features of the question, S sentences, T words, C classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import affine_grid, binary_cross_entropy_with_logits, cross_entropy, grid_sample

from ...data.links import NONE, read_links, spell_links
from ...errors import DataError, RecipeError
from ...queries.query import Query, Reply
from ...training.model import LossOut
from ..query_model import input_of
from ..task_data import TaskData
from .config import AnswerNetworkConfig, config_from_data, inputs_of
from .data import AnswerNetworkData
from .encoders import GridEncoder, QuestionEncoder, SentenceEncoder
from .vocabulary import WordVocabulary


@dataclass(frozen=True)
class AnswerNetworkBatch:
    """Queries side by side; those of no use to a network are None.

    Attributes:
        inputs: images (B, 3, side, side) uint8, words of sentences (B, S, T) or rows (B, N, D).
        mask: (B, N) bool, which rows are there; None for all.
        asked: words (B, T), or bits (B, Q) float.
        targets: (B,) classes; or links (B, N, N), 1 where objects belong together. -1 for an answer that is not known.
        types: (B,) numbers of types; the last is that of types that are not known.
    """

    inputs: Tensor | None
    mask: Tensor | None
    asked: Tensor | None
    targets: Tensor
    types: Tensor

    def to(self, device: torch.device | str) -> AnswerNetworkBatch:
        """The same batch on a device."""

        def moved(tensor: Tensor) -> Tensor:
            return tensor.to(device, non_blocking=True)

        inputs, mask, asked = (None if t is None else moved(t) for t in (self.inputs, self.mask, self.asked))
        return AnswerNetworkBatch(inputs, mask, asked, moved(self.targets), moved(self.types))

    def __len__(self) -> int:
        return len(self.targets)


class AnswerNetwork(nn.Module):
    """Encoders, and the head that `build_head` puts on top of them.

    Attributes:
        uses_inputs: whether it reads anything but the question.
        passes: epochs that it needs; None for as many as there is time for.
    """

    Config = AnswerNetworkConfig
    Data: ClassVar[type[TaskData]] = AnswerNetworkData
    uses_inputs: ClassVar[bool] = True
    passes: ClassVar[int | None] = None

    def __init__(self, config: AnswerNetworkConfig) -> None:
        """
        Raises:
            RecipeError: the settings lack what `config_from_data` reads off the data.
        """
        super().__init__()
        if not (config.types and config.places):
            raise RecipeError("the settings know no answers yet: give `config_from_data(config, queries)`")
        known, classes = len(config.answers), config.relation.classes
        if config.answer == "links" and classes != config.places**2:
            raise RecipeError(f"relation.classes: a class for each pair of {config.places} places, got {classes}")
        if config.answer == "class" and not 0 < known <= classes:
            raise RecipeError(f"relation.classes: one for each of {known} answers, at least one; got {classes}")
        self.config = config
        self.vocabulary = WordVocabulary(config.words)
        self._classes = {answer: i for i, answer in enumerate(config.answers)}
        self._types = {kind: i for i, kind in enumerate(config.types)}
        self.objects: GridEncoder | SentenceEncoder | None = None
        if self.uses_inputs and config.input == "image":
            self.objects = GridEncoder(config.grid)
        elif self.uses_inputs and config.input == "sentences":
            self.objects = SentenceEncoder(config.sentences, len(self.vocabulary))
        self.question = QuestionEncoder(config.question, len(self.vocabulary)) if config.asks == "words" else None
        self.head = self.build_head(config)

    @classmethod
    def config_from_data(cls, config: AnswerNetworkConfig, queries: Iterable[Query]) -> AnswerNetworkConfig:
        """See `config.config_from_data`."""
        return config_from_data(config, queries)

    @property
    def inputs(self) -> frozenset[str]:
        """The inputs of queries that it reads."""
        return inputs_of(self.config, self.uses_inputs)

    def build_head(self, config: AnswerNetworkConfig) -> nn.Module:
        """Build the head: called with objects (B, N, D), condition (B, Q) or None, mask (B, N) or None."""
        raise NotImplementedError

    # --- batches --------------------------------------------------------------------------------------------

    def collate(self, examples: Sequence[Query]) -> AnswerNetworkBatch:
        """A batch on the CPU.

        Raises:
            DataError: there is no query, or one lacks the network's input, or has it in another width.
        """
        if not examples:
            raise DataError("a batch has at least one question")
        inputs, mask = self._batch_inputs(examples) if self.uses_inputs else (None, None)
        asked = None
        if self.question is not None:
            asked = self.vocabulary.batch([q.text or "" for q in examples])
        elif self.config.asks == "bits":
            width = self.config.relation.condition
            asked = torch.from_numpy(np.stack([self._checked_array(q, "bits", width) for q in examples]))
        unknown = len(self._types)
        types = torch.tensor([self._types.get(q.type, unknown) for q in examples])
        return AnswerNetworkBatch(inputs, mask, asked, self._targets(examples), types)

    def _batch_inputs(self, examples: Sequence[Query]) -> tuple[Tensor, Tensor | None]:
        kind = self.config.input
        if kind == "image":
            return torch.stack([input_of(q, kind).square(self.config.grid.size) for q in examples]), None
        if kind == "sentences":
            stories = [input_of(q, kind) for q in examples]
            return self.vocabulary.stories(stories, last=self.config.sentences.sentences), None
        places, features = self.config.places, self.config.relation.objects
        arrays = [self._checked_array(q, kind, features) for q in examples]
        if all(len(rows) == places for rows in arrays):
            return torch.from_numpy(np.stack(arrays)), None
        padded = np.zeros((len(arrays), max(places, *map(len, arrays)), features), np.float32)
        mask = np.zeros(padded.shape[:2], np.bool_)
        for b, rows in enumerate(arrays):
            padded[b, : len(rows)] = rows
            mask[b, : len(rows)] = True
        return torch.from_numpy(padded), torch.from_numpy(mask)

    def _checked_array(self, query: Query, kind: str, features: int) -> NDArray[np.float32]:
        """An input of a query as an array of so many features."""
        array = np.asarray(input_of(query, kind), np.float32)
        if array.shape[-1:] != (features,):
            raise DataError(
                f"question {query.index}: '{kind}' of shape {array.shape}; the network was made for {features} features"
            )
        return array

    def _targets(self, examples: Sequence[Query]) -> Tensor:
        if self.config.answer == "links":
            links = np.stack([read_links(q.answer or NONE, self.config.places) for q in examples]).astype(np.int64)
            links[[q.answer is None for q in examples]] = -1
            return torch.from_numpy(links)
        return torch.tensor([-1 if q.answer is None else self._classes.get(q.answer, -1) for q in examples])

    # --- answers --------------------------------------------------------------------------------------------

    def _augmented_rows(self, batch: AnswerNetworkBatch) -> AnswerNetworkBatch:
        """While training, rows with columns permuted and signs flipped at random; targets with them."""
        config, rows = self.config, batch.inputs
        if (
            not self.training
            or rows is None
            or config.input != "rows"
            or not (config.permute_columns or config.sign_flip)
        ):
            return batch
        b, n, targets = len(rows), rows.shape[1], batch.targets
        rows = rows.clone()
        if config.permute_columns:
            order = torch.rand(b, n, device=rows.device).argsort(-1)  # (B, N)
            moved = rows[..., : config.permute_columns]
            rows[..., : config.permute_columns] = moved.gather(1, order[..., None].expand_as(moved))
            if config.answer == "links":
                targets = targets.gather(1, order[..., None].expand_as(targets))
                targets = targets.gather(2, order[:, None].expand_as(targets))
        for first, last in config.sign_flip:
            rows[..., first:last] *= torch.randint(2, (b, 1, 1), device=rows.device) * 2 - 1
        return replace(batch, inputs=rows, targets=targets)

    def forward(self, batch: AnswerNetworkBatch) -> Tensor:
        """(B, C) logits."""
        objects, mask = batch.inputs, batch.mask
        if isinstance(self.objects, SentenceEncoder):
            assert objects is not None
            objects, mask = self.objects(objects)
        elif self.objects is not None:
            assert objects is not None
            objects = self.objects(self._augmented_images(objects))
        condition = batch.asked if self.question is None else self.question(batch.asked)
        return self.head(objects, condition, mask, **self._head_arguments(objects))  # type: ignore[no-any-return]

    def _head_arguments(self, objects: Tensor | None) -> dict[str, Any]:
        """Further arguments of the head."""
        return {}

    def _augmented_images(self, images: Tensor) -> Tensor:
        """While training, images rotated and translated at random; what comes in from outside is black."""
        rotate, translate = self.config.rotate, self.config.translate
        if not self.training or not (rotate or translate):
            return images
        b = len(images)
        drawn = torch.rand(b, 3, device=images.device) * 2 - 1
        angle, move = drawn[:, 0] * rotate, drawn[:, 1:] * 2 * translate  # a side is 2 long
        cos, sin = angle.cos(), angle.sin()
        to = torch.stack([cos, -sin, move[:, 0], sin, cos, move[:, 1]], -1).reshape(b, 2, 3)
        where = affine_grid(to, list(images.shape), align_corners=False)
        return grid_sample(images.float() / 255, where, align_corners=False)

    def loss(self, batch: AnswerNetworkBatch) -> LossOut:
        """The cross-entropy of the right class, or the sum of those of all pairs of objects; and accuracies.

        A sum, as the likelihood of a scene is the product over its pairs: the mean over a hundred entries of which
        few are links has gradients so small that the epsilon in Adam's denominator slows it down.
        Answers that are not known cost nothing, and count as wrong.
        """
        batch = self._augmented_rows(batch)
        logits = self(batch).float()
        targets = batch.targets
        known = targets >= 0
        if self.config.answer == "links":
            entries = logits.reshape(targets.shape)
            right = (linked(entries) == targets).all(-1).all(-1)
            wanted = targets.clamp(min=0).to(entries.dtype)
            cost = (binary_cross_entropy_with_logits(entries, wanted, reduction="none") * known).sum()
        else:
            right = logits[:, : len(self.config.answers)].argmax(-1) == targets
            cost = cross_entropy(logits, targets, ignore_index=-1, reduction="sum")
        loss = cost / len(batch)
        counts = torch.stack([torch.ones_like(right), right]).to(loss.dtype)
        sums = loss.new_zeros(2, len(self._types) + 1).index_add(1, batch.types, counts)
        metrics = {f"accuracy/{name}": (sums[1, i], sums[0, i]) for i, name in enumerate(self.config.types)}
        return LossOut(loss, len(batch), {"accuracy": right.to(loss.dtype).sum(), **metrics})

    @torch.no_grad()
    def predict(self, batch: AnswerNetworkBatch) -> list[Reply]:
        """The likeliest answers; of classes with the probabilities of all."""
        logits = self(batch).float()
        if self.config.answer == "links":
            matrices = linked(logits.reshape(batch.targets.shape)).cpu().numpy()
            return [Reply(spell_links(matrix)) for matrix in matrices]
        answers = self.config.answers
        shares = logits[:, : len(answers)].softmax(-1).cpu()
        best = shares.argmax(-1).tolist()
        return [
            Reply(answers[i], dict(zip(answers, row, strict=True)))
            for i, row in zip(best, shares.tolist(), strict=True)
        ]


def linked(logits: Tensor) -> Tensor:
    """(B, N, N) logits -> which objects belong together, bool: symmetric, as links are, and none with itself."""
    both = (logits + logits.transpose(1, 2)) > 0
    return both & ~torch.eye(logits.shape[1], dtype=torch.bool, device=logits.device)


def unordered(number: int, device: torch.device) -> Tensor:
    """The pairs (i, j) with i < j, (P, 2)."""
    return torch.triu_indices(number, number, 1, device=device).T
