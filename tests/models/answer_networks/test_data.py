"""What networks learn from: queries of a task that have what the network sees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nsreason.data.splits import Split
from nsreason.errors import DataError
from nsreason.io.image_tensors import write_png
from nsreason.models.answer_networks.config import AnswerNetworkConfig
from nsreason.models.answer_networks.data import AnswerNetworkData, with_inputs
from nsreason.models.answer_networks.encoders import GridConfig
from nsreason.models.answer_networks.models import CnnMlpModel
from nsreason.models.task_data import TaskData
from nsreason.queries.image import QueryImage
from nsreason.queries.query import Query
from nsreason.tasks.clevr import Clevr

CONFIG = AnswerNetworkConfig(input="image", grid=GridConfig(channels=(8,), size=16))


@pytest.fixture
def queries(tmp_path: Path) -> list[Query]:
    """Of two images, one that is cut off, one that is gone, and none."""
    images = []
    for n in range(3):
        path = tmp_path / f"{n}.png"
        write_png(path, np.random.default_rng(n).integers(0, 255, (40, 40, 3), np.uint8))
        images.append(QueryImage(path))
    (tmp_path / "2.png").write_bytes((tmp_path / "2.png").read_bytes()[:-900])
    images.append(QueryImage(tmp_path / "gone.png"))
    pictured = [Query(i, "what", "yes", "q", {"image": images[i // 2]}) for i in range(8)]
    return [*pictured, Query(8, "what", "yes", "q", {})]


def test_an_image_that_cannot_be_read_costs_its_own_questions(queries: list[Query]) -> None:
    good, bad = with_inputs(queries, CONFIG, uses_inputs=True)
    assert [q.index for q in good] == [0, 1, 2, 3] and len(bad) == 5
    assert "2.png" in str(bad[0]) and "gone.png" in str(bad[2]) and str(bad[4]) == "question 8 has no image"
    good, bad = with_inputs(queries, CONFIG, uses_inputs=False)
    assert [q.index for q in good] == list(range(8)) and len(bad) == 1


def test_a_run_learns_from_the_others_and_tells(queries: list[Query], monkeypatch: pytest.MonkeyPatch) -> None:
    split = Split(queries, queries[2:6], queries[:2], [DataError("a record")])
    monkeypatch.setattr(Clevr, "load", lambda task, folder: split)
    loaded = AnswerNetworkData("clevr").load(CONFIG, "folder")
    model = CnnMlpModel(CnnMlpModel.config_from_data(CONFIG, loaded.train))
    assert model.inputs == {"image"}
    assert [len(part) for part in (loaded.train, loaded.valid, loaded.test)] == [4, 2, 2]
    assert len(loaded.bad) == 4  # each image once
    assert len(model.collate(loaded.train).types) == 4
    with pytest.raises(DataError):
        model.collate(queries)
    assert len(TaskData("clevr").load(CONFIG, "folder").train) == 9  # the question is all that these read
    split.train[:] = queries[4:]
    with pytest.raises(DataError, match=r"no question to learn from; the first: .*2\.png"):
        AnswerNetworkData("clevr").load(CONFIG, "folder")
