"""CLEVR as queries, of the official files or of generated ones: scenes, their state descriptions, their images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..data.answers import reference_answer
from ..data.folders import find_files
from ..data.questions import QuestionRecord, read_questions
from ..data.scenes import load_scenes
from ..data.splits import HoldOut, Split
from ..dsl.domain import Domain, load_domain
from ..errors import DataError, NsreasonError
from ..programs.question_types import QuestionTypes, nodes
from ..queries.image import QueryImage
from ..queries.query import Query
from ..scenes.scene import Scene


@dataclass(frozen=True)
class Clevr:
    """Settings.

    domain: a bundled domain's name, or the path of a domain file: any data in CLEVR's layout will do.
    split: of several files in a folder, those with this in their names.
    test: the last part of the scenes, in file order, unless `test_split` names files of their own.
    test_split: what the names of the files to be tested on have in them, such as `val`.
    valid: the last part of the other scenes is not learned from.
    frame: where a state description has its objects; see `StateConfig`.
    """

    domain: str = "clevr"
    split: str = ""
    test: float = 0.1
    test_split: str = ""
    valid: float = 0.02
    frame: Literal["world", "camera", "image"] = "world"

    @property
    def recipes(self) -> dict[str, str]:
        """The recipes of networks, by what they look at."""
        return {"rows": "rn-clevr-state-cpu", "image": "rn-clevr-pixels-cpu"}

    def __post_init__(self) -> None:
        if not (0 <= self.valid < 1 and 0 <= self.test < 1):
            raise ValueError(f"test and valid are from 0 to below 1, got {self.test} and {self.valid}")

    def load(self, folder: str | Path) -> Split[list[Query]]:
        """See `Task.load`."""
        place, domain = Path(folder), load_domain(self.domain)
        queries, bad = self._queries(place, domain, self.split)
        if self.test_split:
            test, more = self._queries(place, domain, self.test_split)
            bad += more
        else:
            queries, test = HoldOut(self.test, counting="examples").split(queries, group=_scene)
        rule = HoldOut(self.valid, counting="examples")
        train, valid = rule.split(queries, group=_scene)
        return Split(train, valid, test, bad, str(folder), rule=rule)

    def _queries(self, folder: Path, domain: Domain, split: str) -> tuple[list[Query], list[NsreasonError]]:
        scenes_path, questions_path = find_files(folder, split)
        scenes = load_scenes(scenes_path, domain)
        inputs = _SceneInputs(folder, self.frame)
        types = QuestionTypes(domain)
        by_scene: dict[int, list[Query]] = {i: [] for i in range(len(scenes.scenes))}
        bad: list[NsreasonError] = [b.error for b in scenes.bad]
        for record in read_questions(questions_path):
            try:
                if not isinstance(record, QuestionRecord):
                    raise record.error
                where = scenes.place(record.image_index, record.image_filename)
                by_scene[where].append(self._query(record, scenes.scenes[where], inputs, domain, types))
            except NsreasonError as error:
                bad.append(error)
        queries = [query for part in by_scene.values() for query in part]
        if not queries:
            why = f"; the first: {bad[0]}" if bad else ""
            raise DataError(f"{questions_path}: no question can be used{why}")
        return queries, bad

    def _query(
        self, record: QuestionRecord, scene: Scene, inputs: _SceneInputs, domain: Domain, types: QuestionTypes
    ) -> Query:
        program = record.given_program(domain)
        facts = {"objects": len(scene)}
        if program is not None:
            facts["program length"] = nodes(program)
        kind = types(program)[0] if program is not None else "question"
        answer = reference_answer(record.answer, domain, None if program is None else program.kind)
        return Query(record.index, record.question, answer, kind, inputs.of(scene), program=program, facts=facts)


def _scene(query: Query) -> Scene:
    scene: Scene = query.inputs["scene"]
    return scene


class _SceneInputs:
    """The inputs of queries about each scene of a folder, made once for all its questions."""

    def __init__(self, folder: Path, frame: Literal["world", "camera", "image"]) -> None:
        from ..data.image_folder import ImageFolder
        from ..perception.features.state_descriptions import StateConfig

        self._config = StateConfig(frame=frame)
        self._files = ImageFolder(folder / "images")
        self._by_scene: dict[Scene, dict[str, Any]] = {}  # scenes are equal to themselves alone

    def of(self, scene: Scene) -> dict[str, Any]:
        from ..perception.features.state_descriptions import state_rows

        if scene not in self._by_scene:
            inputs: dict[str, Any] = {"scene": scene, "rows": state_rows(scene, self._config)}
            if scene.image is not None and self._files.names.find(scene.image):
                inputs["image"] = QueryImage(self._files.path(scene.image))
            self._by_scene[scene] = inputs
        return self._by_scene[scene]
