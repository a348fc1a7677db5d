"""Released CLEVR images with masks: what the data set does not have, drawn from its own annotations.

    annotate("CLEVR_train_scenes.json", "images/train", "CLEVR_train_questions.json", "data/real", keep=lambda i: i % 5)

Each scene's camera is fitted to its annotations, its objects are drawn with it, and their masks and boxes are written
beside a copy of the image, in the layout that `generate clevr --images` writes. So detectors and scene parsers learn
from released images as from rendered ones.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from ...data.dataset_folder import IMAGES, INSTANCES, new_dataset
from ...data.image_names import bare_name
from ...data.questions import QuestionRecord, read_questions
from ...data.scenes import load_scenes
from ...dsl.domain import load_domain
from ...errors import DataError, NsreasonError
from ...scenes.scene import Scene
from .dataset import QUESTIONS, SCENES, write_instances, write_list
from .images import annotated, fitted_camera, instance_records, render_scene
from .placement import clevr_rules


@dataclass
class AnnotationSummary:
    """What was written.

    Attributes:
        images, objects, questions: how many.
        pixels: of each image how far its annotations are from the fitted camera's, on average, in pixels.
        bad: why scenes with an image were left out.
    """

    images: int = 0
    objects: int = 0
    questions: int = 0
    pixels: list[float] = field(default_factory=list)
    bad: list[NsreasonError] = field(default_factory=list)


def annotate(
    scenes: str | Path,
    images: str | Path,
    questions: str | Path | None,
    out: str | Path,
    *,
    keep: Callable[[int], bool | int] = lambda place: True,
    overwrite: bool = False,
) -> AnnotationSummary:
    """Write a folder of released images with masks and boxes.

    Args:
        scenes, questions: the released files; scenes whose image is not in the folder `images` are passed over.
        keep: which ones, by their place among the scenes that have an image.
        overwrite: put them in the place of what was written to the folder before.

    Raises:
        DataError: a file cannot be read or written, no scene of the file has an image there, or the folder `out` is
            not empty.
        LockError: another process writes there.
    """
    from ... import __version__

    rules = clevr_rules()
    domain = load_domain(rules.domain)
    with_images = [s for s in load_scenes(scenes, domain) if _is_in(s.image, Path(images))]
    if not with_images:
        raise DataError(f"{images}: none of the images of {scenes} is in this folder")
    chosen = [s for i, s in enumerate(with_images) if keep(i)]
    info: dict[str, object] = {
        "generator": f"nsreason {__version__} annotate",
        "source": Path(scenes).name,
        "masks": "drawn with fitted cameras",
    }
    with new_dataset(out, info, generator=str(info["generator"]), overwrite=overwrite) as dataset:
        summary = _written(chosen, Path(images), questions, dataset.folder, info)
        dataset.counts |= {IMAGES: summary.images, "objects": summary.objects, "questions": summary.questions}
    return summary


def _is_in(name: str | None, folder: Path) -> bool:
    """Whether a folder holds an image of this name: one with folders before it would be copied somewhere else."""
    return name is not None and bare_name(name) == name and (folder / name).is_file()


def _written(
    chosen: Sequence[Scene], images: Path, questions: str | Path | None, folder: Path, info: dict[str, object]
) -> AnnotationSummary:
    """Annotate scenes, and write them to a folder with their images and questions."""
    rules = clevr_rules()
    domain = load_domain(rules.domain)
    (folder / IMAGES).mkdir()
    summary = AnnotationSummary()
    encode = msgspec.json.encode
    scene_records, image_records, instances = [], [], []
    indices = set()
    for scene in chosen:
        name = str(scene.image)
        try:
            if Path(name).name != name or name == "..":  # it becomes the name of a file
                raise DataError(f"scene {scene.index}: '{name}' is no name of a file in the folder of images")
            camera, error = fitted_camera(scene, rules)
            drawn = render_scene(scene, camera, rules=rules, samples=3)
            visible = annotated(scene, drawn)
        except NsreasonError as fault:
            summary.bad.append(fault)
            continue
        shutil.copyfile(images / name, folder / IMAGES / name)
        image, objects = instance_records(visible, drawn)
        scene_records.append(encode(visible.to_dict()))
        image_records.append(image)
        instances += objects
        indices.add(scene.index)
        summary.images += 1
        summary.objects += len(scene)
        summary.pixels.append(error)
    write_list(folder / SCENES, "scenes", info, scene_records)
    write_instances(folder / INSTANCES, info, image_records, instances, domain)
    if questions is not None:
        asked = [r for r in read_questions(questions) if isinstance(r, QuestionRecord) and r.image_index in indices]
        write_list(folder / QUESTIONS, "questions", info, [encode(r.to_dict()) for r in asked])
        summary.questions = len(asked)
    return summary
