"""From pixels to answers: fitting images, reasoners, whole question files on images, and the commands."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from typer.testing import CliRunner, Result

from nsreason.cli import image_inputs
from nsreason.cli.app import app
from nsreason.data.questions import read_questions
from nsreason.errors import CheckpointError, DataError
from nsreason.evaluation.images import evaluate_images, images_of
from nsreason.evaluation.perception_report import PerceptionReport, match_places
from nsreason.executors.soft.algebras import Logit
from nsreason.executors.soft.executor import QuasiSymbolic
from nsreason.executors.soft.grounding import Grounded, ground_crisp
from nsreason.io.image_tensors import read_image, write_png
from nsreason.language.question_parser import parse_question
from nsreason.perception.detections.coco import write_detections
from nsreason.perception.detections.detections import Detections
from nsreason.perception.detections.rle import decode_masks, encode_masks
from nsreason.perception.letterbox import Letterbox
from nsreason.perception.scene_parser.config import SceneParserConfig
from nsreason.perception.scene_parser.parser import SceneParser
from nsreason.queries.image import QueryImage
from nsreason.queries.query import Query
from nsreason.reasoners.image_pipeline import DetectedImage, SceneParserPipeline, fitted
from nsreason.reasoners.images import image_reasoner
from nsreason.reasoners.perceived_images import PerceivedImages
from nsreason.scenes.scene import Scene
from nsreason.training.checkpoint import save_checkpoint
from tests.support.painted_images import HEIGHT, WIDTH, painted_image, write_painted

SMALL = SceneParserConfig(side=24, width=8, hidden=16)
side = st.integers(1, 900)


class Finds:
    """A detector that returns the objects of given scenes."""

    def __init__(self, scenes: Sequence[Scene]) -> None:
        self.known = {s.image: painted_image(s)[1] for s in scenes}

    def detect(
        self, images: Sequence[Tensor], names: Sequence[str] | None = None, *, batch_size: int = 8
    ) -> list[Detections]:
        return [self.known[name] for name in names or ()]


class Oracle(SceneParserPipeline):
    """A pipeline that reads the true scene from each image."""

    def __init__(self, scenes: Sequence[Scene]) -> None:
        super().__init__(Finds(scenes), SceneParser(SMALL))
        object.__setattr__(self, "truth", {s.image: s for s in scenes})

    def perceive(
        self, images: Sequence[tuple[str, Tensor]], detections: Sequence[Detections] | None = None
    ) -> list[DetectedImage]:
        truth: dict[str, Scene] = getattr(self, "truth")  # noqa: B009
        return [replace(v, scene=truth[v.name]) for v in super().perceive(images, detections)]


class Softly(Oracle):
    """The same with degrees, as from a concept learner."""

    crisp = False  # type: ignore[misc]
    executor = QuasiSymbolic(Logit())

    def ground(self, images: Sequence[DetectedImage]) -> Grounded:
        return ground_crisp([self.scene(image) for image in images], self.executor.algebra)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    painted = tmp_path_factory.mktemp("painted")
    write_painted(painted, scenes=10, questions=4, seed=5)
    return painted


@pytest.fixture(scope="module")
def scenes(folder: Path) -> list[Scene]:
    from nsreason.data.scenes import load_scenes

    return load_scenes(folder / "scenes.json", "clevr").scenes


# --- fitting ----------------------------------------------------------------------------------------------------


@given(side, side)
def test_any_size_fits_the_frame_with_its_aspect(width: int, height: int) -> None:
    fit = Letterbox.of((width, height), (480, 320))
    assert fit.left >= 0 and fit.left + fit.inner[0] <= 480 and fit.top >= 0 and fit.top + fit.inner[1] <= 320
    assert fit.inner[0] == 480 or fit.inner[1] == 320
    x, y = fit.point(fit.left, fit.top)
    assert (x, y) == (0, 0)


@pytest.mark.parametrize("size", [(480, 320), (960, 640), (300, 300), (240, 100)])
def test_detections_go_into_the_frame_and_come_back(size: tuple[int, int]) -> None:
    width, height = size
    masks = np.zeros((1, height, width), dtype=bool)
    masks[0, height // 4 : height // 2, width // 4 : width // 2] = True
    box = np.array([[width // 4, height // 4, width // 2, height // 2]], dtype=np.float32)
    ones = np.ones(1, dtype=np.float32)
    detections = Detections("a.png", size, box, ones, ones.astype(np.int64), encode_masks(masks))
    fit = Letterbox.of(size, (480, 320))
    inside = fit.inward(detections)
    assert inside.size == (480, 320) and (fit.same or inside is not detections)
    back = fit.outward(inside)
    assert back.size == size and back.boxes == pytest.approx(box, abs=0.01)
    assert back.masks is not None
    again = decode_masks(back.masks)
    assert (again & masks).sum() / (again | masks).sum() > 0.9
    assert fit.image(torch.full((3, height, width), 7, dtype=torch.uint8)).unique().tolist() == [7]


# --- reasoners --------------------------------------------------------------------------------------------------


def test_what_is_seen_is_told_in_the_images_own_pixels(scenes: list[Scene]) -> None:
    torch.manual_seed(0)
    reasoner = SceneParserPipeline(Finds(scenes), SceneParser(SMALL))
    image, detections = painted_image(scenes[0])
    large = torch.nn.functional.interpolate(image[None].float(), scale_factor=2).to(torch.uint8)[0]
    plain, doubled = reasoner.perceive([(detections.image, image), (detections.image, large)])
    assert doubled.image.shape == (3, HEIGHT, WIDTH)
    for a, b in zip(reasoner.scene(plain).places, reasoner.scene(doubled).places, strict=True):
        assert a.bbox is not None and b.bbox == pytest.approx([2 * edge for edge in a.bbox])
        assert b.mask["size"] == [2 * HEIGHT, 2 * WIDTH]
        assert a.pixel_coords is not None and b.pixel_coords == pytest.approx([2 * p for p in a.pixel_coords], abs=4)


@pytest.mark.parametrize("kind", [Oracle, Softly])
def test_answers_and_traces(kind: type[Oracle], folder: Path, scenes: list[Scene]) -> None:
    reasoner = image_reasoner(PerceivedImages(kind(scenes)), "parsed")
    text = "How many things are there?"
    images = [QueryImage(folder / "images" / str(s.image)) for s in scenes[:3]]
    queries = [Query(i, text, None, "count", {"image": image}) for i, image in enumerate(images)]
    assert [r.answer for r in reasoner.answer(queries)] == [str(len(s)) for s in scenes[:3]]
    assert all(r.program == parse_question(text) for r in reasoner.answer(queries))
    if kind is Oracle:
        trace = reasoner.trace(queries[0])
        assert trace is not None and trace.answer == len(scenes[0]) and trace.scene.image == scenes[0].image


def test_an_image_without_a_scene(scenes: list[Scene]) -> None:
    pipeline = Oracle(scenes)
    [image] = pipeline.perceive([(scenes[0].image or "", painted_image(scenes[0])[0])])
    with pytest.raises(DataError, match="no scene was read"):
        pipeline.scene(replace(image, scene=None))


def test_detections_stand_in_for_a_detector(scenes: list[Scene]) -> None:
    image, detections = painted_image(scenes[0])
    prepared = fitted([("a.png", image)], [detections], None, (WIDTH, HEIGHT))
    assert prepared[0].detections is detections
    with pytest.raises(DataError, match="no detector"):
        fitted([("a.png", image)], None, None, (WIDTH, HEIGHT))
    with pytest.raises(DataError, match=r"a.png: the detections are of 480 x 320 pixels, the image is of 479 x 320"):
        fitted([("a.png", image[:, :, 1:])], [detections], None, (WIDTH, HEIGHT))
    with pytest.raises(DataError, match="of 0 images are given for 1"):
        fitted([("a.png", image)], [], None, (WIDTH, HEIGHT))


# --- question files ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Oracle, Softly])
def test_who_sees_what_is_there_is_right(kind: type[Oracle], folder: Path, scenes: list[Scene], tmp_path: Path) -> None:
    out = tmp_path / "predictions.jsonl"
    report = evaluate_images(folder / "questions.json", folder, kind(scenes), scenes=folder / "scenes.json", out=out)
    assert (report.questions, report.accuracy, report.bad.count) == (40, 1.0, 0)
    assert len(out.read_text(encoding="utf-8").splitlines()) == 40
    [seen] = report.sections
    assert isinstance(seen, PerceptionReport)
    assert seen.scenes.accuracy == 1.0 and seen.recall.accuracy == 1.0 and seen.distance == 0
    assert set(seen.to_dict()["attributes"]) == {"size", "color", "material", "shape"}
    assert "| whole scenes | 10 | 10 |" in seen.to_markdown()


@pytest.mark.parametrize("kind", [Oracle, Softly])
def test_a_missing_or_broken_image_costs_its_own_questions(
    kind: type[Oracle], folder: Path, scenes: list[Scene], tmp_path: Path
) -> None:
    for path in sorted((folder / "images").iterdir())[1:]:
        (tmp_path / path.name).symlink_to(path)
    broken = sorted(tmp_path.iterdir())[0]
    broken.unlink()
    broken.write_bytes(b"no image")
    report = evaluate_images(folder / "questions.json", tmp_path, kind(scenes))
    assert (report.questions, report.bad.count, report.overall.total) == (40, 8, 32)
    assert report.accuracy == 1.0


def test_images_are_found_by_name_or_number(folder: Path) -> None:
    records = list(read_questions(folder / "questions.json"))
    by_name = images_of(records, folder)
    numbered = [replace_filename(r) for r in records]
    assert images_of(numbered, folder / "images") == by_name and len(by_name) == 10
    assert list(images_of(records, folder, "held-out")) == list(by_name)[9:]
    with pytest.raises(DataError, match="none of the questions' images"):
        images_of([], folder)
    with pytest.raises(DataError, match="no such folder"):
        images_of(records, folder / "absent")


def replace_filename(record: Any) -> Any:
    import msgspec

    return msgspec.structs.replace(record, image_filename=None)


# --- the perception report --------------------------------------------------------------------------------------


def test_mistakes_are_counted_where_they_are_made(scenes: list[Scene]) -> None:
    truth = scenes[0]
    record = truth.to_dict()
    was = record["objects"][0]["color"]
    record["objects"][0]["color"] = "red" if was != "red" else "blue"
    del record["objects"][-1], record["relationships"]
    seen = Scene.from_dict(record)
    report = PerceptionReport(truth.domain)
    report.add(seen, truth, (WIDTH, HEIGHT))
    n = len(truth)
    assert (report.recall.right, report.recall.total, report.extra) == (n - 1, n, 0)
    assert (report.attributes["color"].right, report.attributes["shape"].right) == (n - 2, n - 1)
    assert report.confusions == {"color": {(was, record["objects"][0]["color"]): 1}}
    assert report.scenes.right == 0 and report.relations["left"].accuracy == 1.0
    assert f"{record['objects'][0]['color']} for {was} 1" in report.to_markdown()


def test_objects_are_matched_by_centres_where_there_are_no_masks(scenes: list[Scene]) -> None:
    record = scenes[1].to_dict()
    for thing in record["objects"]:
        del thing["mask"], thing["bbox"]
    truth = Scene.from_dict(record)
    assert match_places(scenes[1], truth, (WIDTH, HEIGHT)) == [(i, i) for i in range(len(truth))]
    for thing in record["objects"]:
        del thing["pixel_coords"]
    from nsreason.errors import SceneError

    with pytest.raises(SceneError, match="where it is seen"):
        match_places(scenes[1], Scene.from_dict(record), (WIDTH, HEIGHT))


# --- commands ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("run")
    return str(save_checkpoint(folder, "best", model_name="scene-parser", model=SceneParser(SMALL), step=1))


@pytest.fixture
def finds(scenes: list[Scene], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_inputs, "load_detector", lambda checkpoint, device="cpu", *, trust=False: Finds(scenes))


def run(*args: str) -> Result:
    return CliRunner().invoke(app, [*args], env={"COLUMNS": "120"})


def ok(result: Result) -> Result:
    assert result.exit_code == 0, result.output
    return result


@pytest.mark.usefixtures("finds")
def test_ask_looks_at_a_picture(folder: Path, scenes: list[Scene], checkpoint: str, tmp_path: Path) -> None:
    picture, page = str(folder / "images" / str(scenes[0].image)), tmp_path / "page.html"
    ask = ("ask", "How many things are there?", "--image", picture, "--checkpoint", checkpoint)
    assert ok(run(*ask, "-q")).stdout == f"{len(scenes[0])}\n"
    record = json.loads(ok(run(*ask, "--json", "--html", str(page), "--by", "scene-parser")).stdout)
    assert (record["answer"], record["image"]) == (str(len(scenes[0])), scenes[0].image)
    assert "data:image/png;base64" in page.read_text(encoding="utf-8")


@pytest.mark.usefixtures("finds")
def test_images_become_a_scene_file(folder: Path, scenes: list[Scene], checkpoint: str, tmp_path: Path) -> None:
    out, images = tmp_path / "scenes.json", str(folder / "images")
    result = ok(run("describe-image", images, "--checkpoint", checkpoint, "--out", str(out)))
    assert f"{scenes[0].image}: {len(scenes[0])} objects" in result.stdout
    from nsreason.data.scenes import load_scenes

    described = load_scenes(out, "clevr")
    assert len(described) == 10 and not described.bad
    assert described.by_image(str(scenes[3].image)).places[0].mask is not None
    asked = run("ask", "How many things are there?", "--scene", str(out), "--image", str(scenes[3].image), "-q")
    assert ok(asked).stdout == f"{len(scenes[3])}\n"
    (tmp_path / "bad.png").write_bytes(b"no image")
    mixed = run("describe-image", str(tmp_path / "bad.png"), images, "--checkpoint", checkpoint)
    assert mixed.exit_code == 2 and "not an image" in mixed.stderr and str(scenes[9].image) in mixed.stdout


def test_evaluate_looks_at_images(folder: Path, scenes: list[Scene], checkpoint: str, tmp_path: Path) -> None:
    write_detections(tmp_path / "detections.json", [painted_image(s)[1] for s in scenes])
    evaluate = ("evaluate", "--questions", str(folder / "questions.json"), "--images", str(folder))
    more = ("--checkpoint", checkpoint, "--detections", str(tmp_path / "detections.json"))
    scenes_file = ("--scenes", str(folder / "scenes.json"))
    record = json.loads(ok(run(*evaluate, *more, *scenes_file, "--json")).stdout)
    assert record["questions"] == 40 and record["perception"]["objects_found"]["accuracy"] == 1.0
    result = ok(run(*evaluate, *more, *scenes_file, "--markdown", str(tmp_path / "r.md")))
    assert "objects found" in result.stdout and "objects found" in (tmp_path / "r.md").read_text(encoding="utf-8")
    alone = json.loads(ok(run("evaluate", checkpoint, "--data", str(folder), "--json")).stdout)
    assert alone["images"] == 10 and alone["objects_found"]["accuracy"] == 1.0


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("ask", "Is there a cube?"), "missing --scene FILE, or --image FILE"),
        (("ask", "Is there a cube?", "--image", "a.png", "--index", "3"), "--index goes with --scene"),
        (("ask", "Is there a cube?", "--scene", "s.json", "--detector", "d"), "give --image without --scene"),
        (("evaluate", "--images", "D"), "missing --questions"),
        (("evaluate", "--images", "D", "--questions", "q", "--resume"), "--resume does not go with --images"),
        (("evaluate", "--questions", "q", "--scenes", "s", "--by", "scene-parser"), "--by is for --images"),
        (("describe-image", "absent.png"), "no such file"),
    ],
)
def test_misuse_is_told(args: Sequence[str], message: str) -> None:
    result = run(*args)
    assert result.exit_code == 2 and message in result.stderr and "Traceback" not in result.output


@pytest.mark.usefixtures("finds")
def test_a_checkpoint_of_another_model_is_refused(checkpoint: str) -> None:
    with pytest.raises(CheckpointError, match="holds a SceneParser, not a concept-learner"):
        image_inputs.load_pipeline("concept-learner", checkpoint, None)


def test_a_page_gets_a_picture_that_it_can_show(tmp_path: Path) -> None:
    image = torch.zeros(3, 4, 6, dtype=torch.uint8)
    write_png(tmp_path / "a.png", image)
    with image_inputs.page_picture(str(tmp_path / "a.png")) as shown:
        assert shown == str(tmp_path / "a.png")
    from PIL import Image

    Image.new("RGB", (6, 4)).save(tmp_path / "a.bmp")
    with image_inputs.page_picture(str(tmp_path / "a.bmp")) as shown:
        assert shown is not None and shown.endswith("a.png") and read_image(shown).shape == (3, 4, 6)
    with image_inputs.page_picture("absent", wanted=False) as shown:
        assert shown is None
    with pytest.raises(DataError, match="no such file"), image_inputs.page_picture(str(tmp_path / "absent.png")):
        pass
