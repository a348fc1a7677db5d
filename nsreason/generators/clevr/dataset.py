"""A synthetic CLEVR on disk: DIR/scenes.json and DIR/questions.json in the official layout; images on request.

    summary = write_dataset("data/small", scenes=1000, questions_per_scene=10, seed=7, jobs=2)
    write_dataset("data/seen", scenes=1000, seed=7, images=(480, 320))    # images/*.png and instances.json, too

Scene i depends on the seed and i alone. Answers are balanced within blocks of 64 scenes, each from a fresh tally and
in order: the questions of scene i depend on the scenes before it in its block, and on no others. So the records of a
data set of 100 scenes are the first ones of a data set of 70,000 with the same options, whatever the number of
processes.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import IO, TYPE_CHECKING, Any

import msgspec

from ...data.dataset_folder import IMAGES, INSTANCES, new_dataset
from ...data.questions import QuestionRecord
from ...dsl.domain import Domain, load_domain
from ...errors import DataError
from ...io.files import atomic_write
from ...io.progress import CountProgress
from ...programs.question_types import QuestionTypes
from ...scenes.scene import Scene
from .families import choose_families, families_of
from .placement import clevr_rules
from .questions import Balance, generate_questions
from .scenes import generate_scenes, generate_scenes_with_cameras

if TYPE_CHECKING:
    from ...pages.tables import ReportTable

BLOCK = 64  # scenes whose answers are balanced together
_AHEAD = 3  # blocks on their way for each process

SCENES, QUESTIONS = "scenes.json", "questions.json"


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """The options of a data set; `write_dataset` describes them."""

    scenes: int
    questions_per_scene: int
    seed: int
    objects: tuple[int, int]
    condition: str | None = None
    split: str = "new"
    families: tuple[str, ...] = ()
    images: tuple[int, int] | None = None
    folder: str = ""  # for the images

    def info(self) -> dict[str, object]:
        """The `info` of the files. It has no date: the same options make the same bytes."""
        from ... import __version__

        options = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        del options["folder"]
        if self.images is None:
            del options["images"]
        return {"generator": f"nsreason {__version__} generate clevr", **options}


@dataclass(slots=True)
class DatasetSummary:
    """Counts of what was generated.

    Attributes:
        asked_for: the number of questions that were requested.
        answers: by type of question, how often each answer was given.
        families: how many questions of each family.
    """

    scenes: int = 0
    questions: int = 0
    asked_for: int = 0
    answers: dict[str, Counter[str]] = field(default_factory=dict)
    families: Counter[str] = field(default_factory=Counter)
    objects: Counter[int] = field(default_factory=Counter)
    seconds: float = 0.0

    def merge(self, other: DatasetSummary) -> None:
        """Add another part of the same data set."""
        self.scenes += other.scenes
        self.questions += other.questions
        self.families.update(other.families)
        self.objects.update(other.objects)
        for kind, given in other.answers.items():
            self.answers.setdefault(kind, Counter()).update(given)

    def to_dict(self) -> dict[str, Any]:
        """As plain data, most frequent answers first."""
        answers = {kind: dict(given.most_common()) for kind, given in sorted(self.answers.items())}
        return {
            "scenes": self.scenes,
            "questions": self.questions,
            "asked_for": self.asked_for,
            "objects": {str(n): self.objects[n] for n in sorted(self.objects)},
            "answers": answers,
            "families": dict(sorted(self.families.items())),
            "seconds": round(self.seconds, 3),
        }

    def table(self) -> ReportTable:
        """The answers by type of question, for a console."""
        from ...pages.tables import Heading, ReportTable, TableRow

        short = f" of {self.asked_for:,} asked for" if self.questions < self.asked_for else ""
        rows = []
        for kind, given in sorted(self.answers.items()):
            total = given.total()
            shares = ", ".join(f"{answer} {100 * n / total:.0f}%" for answer, n in given.most_common())
            rows.append(TableRow(kind, (f"{total:,}", shares)))
        title = f"{self.scenes:,} scenes, {self.questions:,} questions{short}"
        return ReportTable("type", ("questions", Heading("answers", align="left")), tuple(rows), title=title)


@dataclass(slots=True)
class DatasetBlock:
    """The records of a block of scenes as JSON text, by file, with their summary."""

    scenes: list[bytes] = field(default_factory=list)
    questions: list[bytes] = field(default_factory=list)
    images: list[bytes] = field(default_factory=list)
    instances: list[bytes] = field(default_factory=list)
    summary: DatasetSummary = field(default_factory=DatasetSummary)


def write_dataset(
    out: str | Path,
    *,
    scenes: int,
    questions_per_scene: int = 10,
    seed: int = 0,
    objects: tuple[int, int] | None = None,
    condition: str | None = None,
    split: str = "new",
    families: list[str] | None = None,
    images: tuple[int, int] | None = None,
    jobs: int = 1,
    overwrite: bool = False,
    progress: CountProgress | None = None,
) -> DatasetSummary:
    """Make scenes and questions and write them to a folder. The files appear when all is done, or none does.

    Args:
        out: the folder; it is made where there is none.
        objects, condition, split: see `generate_scenes`.
        families: names of question families or of groups of them, such as `one_hop`; default: all.
        images: width and height of images; None renders none. With images, scenes have each object's mask and box,
            and are drawn anew where an object shows too few pixels; images/*.png and instances.json (COCO) are
            written, too.
        overwrite: put the data set in the place of one that is there; other files of the folder stay.
        progress: called with the number of finished scenes, and of all, after each block.

    Raises:
        DataError: the folder is not empty, or cannot be written; a worker process died.
        LockError: another process writes there.
        DomainError: there is no such condition or family; so many objects find no room.
        ValueError: a number is too small.
    """
    rules = clevr_rules()
    domain = load_domain(rules.domain)
    if min(scenes, questions_per_scene) < 0 or jobs < 1:
        raise ValueError("scenes and questions_per_scene are 0 or more, jobs 1 or more")
    chosen = choose_families(domain, families) if families is not None else families_of(domain)
    names = tuple(f.name for f in chosen) if families is not None else ()
    if images is not None and min(images) < 16:
        raise ValueError(f"images are 16 pixels or more on each side, got {images[0]} x {images[1]}")
    spec = DatasetSpec(scenes, questions_per_scene, seed, objects or rules.objects, condition, split, names, images)
    generate_scenes(0, seed, objects=spec.objects, condition=condition)  # refuses wrong options before any work
    began = perf_counter()
    info = {"split": split, **spec.info()}
    with new_dataset(out, info, generator=str(info["generator"]), overwrite=overwrite) as dataset:
        summary = _written(spec, info, dataset.folder, jobs, progress)
        dataset.counts |= {"scenes": summary.scenes, "questions": summary.questions}
        dataset.counts |= {} if images is None else {IMAGES: summary.scenes}
    summary.seconds = perf_counter() - began
    return summary


def _written(
    spec: DatasetSpec, info: dict[str, object], folder: Path, jobs: int, progress: CountProgress | None
) -> DatasetSummary:
    """Generate the records, and the images if any, and write them to a folder."""
    summary = DatasetSummary(asked_for=spec.scenes * spec.questions_per_scene)
    images: list[bytes] = []
    instances: list[bytes] = []
    if spec.images is not None:
        spec = replace(spec, folder=str(folder / IMAGES))
        (folder / IMAGES).mkdir()
    with ExitStack() as files:
        write_scene = files.enter_context(_list_file(folder / SCENES, "scenes", info))
        write_question = files.enter_context(_list_file(folder / QUESTIONS, "questions", info))
        for block in _blocks(spec, jobs):
            for record in block.scenes:
                write_scene(record)
            for record in block.questions:
                write_question(record)
            images += block.images
            instances += block.instances
            summary.merge(block.summary)
            if progress is not None:
                progress(summary.scenes, spec.scenes)
        if spec.images is not None:
            write_instances(folder / INSTANCES, info, images, instances, load_domain(clevr_rules().domain))
    return summary


def write_list(path: Path, key: str, info: dict[str, object], records: Iterable[bytes]) -> None:
    """Records, as JSON text, in the official layout."""
    with _list_file(path, key, info) as write:
        for record in records:
            write(record)


def write_instances(
    path: Path, info: dict[str, object], images: list[bytes], instances: list[bytes], domain: Domain
) -> None:
    """COCO's layout; the categories are the shapes."""
    categories = [{"id": i, "name": s, "supercategory": "object"} for i, s in enumerate(domain.values("shape"), 1)]
    encode = msgspec.json.encode
    with atomic_write(path) as file:
        file.write(b'{"info":' + encode(info) + b',"categories":' + encode(categories))
        file.write(b',"images":[\n' + b",\n".join(images) + b'\n],"annotations":[\n')
        file.write(b",\n".join(instances) + b"\n]}\n")


@contextmanager
def _list_file(path: Path, key: str, info: dict[str, object]) -> Iterator[Callable[[bytes], None]]:
    """A file in the official layout, to which records are handed one by one as JSON text."""
    with atomic_write(path) as file:
        file.write(b'{"info":' + msgspec.json.encode(info) + b',"' + key.encode() + b'":[')
        yield _writer(file)
        file.write(b"\n]}\n")


def _writer(file: IO[bytes]) -> Callable[[bytes], None]:
    separator = b"\n"

    def write(record: bytes) -> None:
        nonlocal separator
        file.write(separator + record)
        separator = b",\n"

    return write


# --- blocks, in this process or in several --------------------------------------------------------------------------


def make_block(spec: DatasetSpec, start: int) -> DatasetBlock:
    """The scenes of one block from number `start` on and their questions, as JSON text, with their summary."""
    encode = msgspec.json.Encoder().encode
    block, balance = DatasetBlock(), Balance()
    summary = block.summary
    domain = load_domain(clevr_rules().domain)
    kinds = _Kinds(domain)
    families = choose_families(domain, list(spec.families)) if spec.families else families_of(domain)
    for scene in _block_scenes(spec, start, block):
        block.scenes.append(encode({"split": spec.split, **scene.to_dict()}))
        summary.scenes += 1
        summary.objects[len(scene)] += 1
        for record in generate_questions(
            scene, spec.questions_per_scene, spec.seed, families=families, balance=balance, split=spec.split
        ):
            block.questions.append(encode(record.to_dict()))
            summary.answers.setdefault(kinds.of(record), Counter())[record.answer or ""] += 1
            summary.families[record.template_filename or ""] += 1
            summary.questions += 1
    return block


def _block_scenes(spec: DatasetSpec, start: int, block: DatasetBlock) -> Iterator[Scene]:
    """The scenes of a block; images, if requested, are written, and their records added to the block."""
    wanted = {
        "start": start,
        "objects": spec.objects,
        "condition": spec.condition,
        "split": spec.split,
    }
    count = min(BLOCK, spec.scenes - start)
    if spec.images is None:
        yield from generate_scenes(count, spec.seed, **wanted)  # type: ignore[arg-type]
        return
    from .images import ImageWriter

    writer = ImageWriter(spec.seed, spec.images, Path(spec.folder))
    for scene, _ in generate_scenes_with_cameras(count, spec.seed, accept=writer.accept, **wanted):  # type: ignore[arg-type]
        drawn_scene, image, instances = writer.write(scene)
        block.images.append(image)
        block.instances += instances
        yield drawn_scene


class _Kinds:
    """The type of a question, `count` or `query_color`: one for all questions of a family."""

    def __init__(self, domain: Domain) -> None:
        self._types = QuestionTypes(domain)
        self._known: dict[str, str] = {}
        self._domain = domain

    def of(self, record: QuestionRecord) -> str:
        """The type of a generated question."""
        name = record.template_filename or ""
        if name not in self._known:
            program = record.given_program(self._domain)
            assert program is not None  # generated questions have one
            self._known[name] = self._types(program)[1]
        return self._known[name]


def _blocks(spec: DatasetSpec, jobs: int) -> Iterator[DatasetBlock]:
    """All blocks, in order."""
    starts = range(0, spec.scenes, BLOCK)
    if jobs == 1 or len(starts) < 2:
        for start in starts:
            yield make_block(spec, start)
        return
    pool = ProcessPoolExecutor(
        min(jobs, len(starts)), mp_context=multiprocessing.get_context("spawn"), initializer=_start_worker
    )
    waiting: deque[Future[DatasetBlock]] = deque()
    try:
        for start in starts:
            waiting.append(pool.submit(make_block, spec, start))
            if len(waiting) >= jobs * _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool:
        raise DataError(
            "a worker process ended before its time; if memory ran out, use fewer jobs; "
            'a script needs `if __name__ == "__main__":` around a call with jobs'
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    os.environ["OMP_NUM_THREADS"] = "1"  # the renderer's: each process draws on one core
