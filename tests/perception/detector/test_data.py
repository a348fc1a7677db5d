"""Folders of images as a detector's examples; reports; the commands around a detector."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner, Result

from nsreason.cli.app import app
from nsreason.errors import DataError
from nsreason.evaluation.detection_report import evaluate_detector, report
from nsreason.io.image_tensors import read_image, write_png
from nsreason.perception.detections.coco import write_detections
from nsreason.perception.detections.detections import Detections
from nsreason.perception.detections.readers import read_detections
from nsreason.perception.detections.writers import outlined, write_nscl
from nsreason.perception.detector.batch import make_batch
from nsreason.perception.detector.data import DetectionData, load_detection_data, read_folder
from nsreason.perception.detector.detector import Detector
from nsreason.training.checkpoint import save_checkpoint
from tests.support.toy_images import TINY, write_folder

ONE = ("object",)


def run(*args: str) -> Result:
    return CliRunner().invoke(app, list(args), env={"COLUMNS": "100"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "toys"
    write_folder(path, 10)
    return path


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.manual_seed(0)
    model = Detector(replace(TINY, score=0.3))
    return str(save_checkpoint(tmp_path_factory.mktemp("run"), "last", model_name="detector", model=model, step=0))


# --- data -----------------------------------------------------------------------------------------------------


def test_the_last_images_are_held_out(folder: Path) -> None:
    split = load_detection_data(folder, ONE, DetectionData(held_out=0.3, fraction=0.5))
    assert [e.path.stem for e in split.train] == ["0000", "0001", "0002", "0003"]
    assert [e.path.stem for e in split.valid] == ["0007", "0008", "0009"]
    assert split.bad == [] and split.unit == "images"


def test_folders_are_joined_and_repeated(folder: Path, tmp_path: Path) -> None:
    write_folder(tmp_path / "more", 2, 50)
    config = DetectionData(held_out=0.5, repeat=(1, 3))
    split = load_detection_data(f"{folder}, {tmp_path / 'more'}", ONE, config)
    assert [e.path.stem for e in split.train][5:] == ["0050"] * 3
    assert [e.path.stem for e in split.valid][5:] == ["0051"]


def test_few_of_the_images_held_out_validate(folder: Path) -> None:
    loaded = DetectionData(held_out=0.8, validate=3).load(TINY, str(folder))
    assert [e.path.stem for e in loaded.valid] == ["0002", "0005", "0008"]


def test_categories_become_the_labels_of_the_detector(folder: Path) -> None:
    examples, _ = read_folder(folder, ("sphere", "cylinder", "cube"))
    plain = read_detections(folder / "instances.json")
    for example, annotated in zip(examples, plain.detections, strict=True):
        assert example.truth.labels.tolist() == [{1: 3, 2: 1}[n] for n in annotated.labels.tolist()]
    assert all(set(e.truth.labels.tolist()) == {1} for e in read_folder(folder, ONE)[0])


def test_what_cannot_be_used_is_told_and_the_rest_is_kept(tmp_path: Path) -> None:
    write_folder(tmp_path / "d", 3)
    (tmp_path / "d" / "images" / "0001.png").unlink()
    examples, bad = read_folder(tmp_path / "d", ONE)
    assert [e.path.stem for e in examples] == ["0000", "0002"]
    assert len(bad) == 1 and "0001.png: no such image" in str(bad[0])
    with pytest.raises(DataError, match=r"none of 3 images can be used; the first: .*no class '(cube|sphere)'"):
        read_folder(tmp_path / "d", ("cone",))


def test_an_image_that_is_cut_off_is_found_before_training_and_costs_itself_alone(tmp_path: Path) -> None:
    """It would end the run when its batch is due; found at loading, a resumed run leaves out the same ones."""
    write_folder(tmp_path / "d", 6)
    images = tmp_path / "d" / "images"
    for name in ("0001.png", "0005.png"):
        (images / name).write_bytes((images / name).read_bytes()[:-400])
    write_png(images / "0002.png", np.zeros((10, 20, 3), np.uint8))
    config = DetectionData(held_out=0.34, repeat=(2,))
    for _ in range(2):
        loaded = config.load(TINY, str(tmp_path / "d"))
        assert [e.path.stem for e in loaded.train] == ["0000", "0003"] * 2
        assert [e.path.stem for e in loaded.valid] == ["0004"]
        messages = "\n".join(map(str, loaded.bad))
        assert len(loaded.bad) == 3 and "0001.png" in messages and "0005.png" in messages
        assert "0002.png: 20 x 10 pixels; its annotations are for 128 x 96" in messages
        assert len(make_batch([*loaded.train, *loaded.valid])) == 5
    for path in images.iterdir():
        path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(DataError, match="no image to learn from; the first: "):
        config.load(TINY, str(tmp_path / "d"))


def test_images_of_which_nothing_is_annotated_are_not_learned_as_empty(tmp_path: Path) -> None:
    write_folder(tmp_path / "d", 2)
    record = json.loads((tmp_path / "d" / "instances.json").read_text())
    del record["annotations"]
    (tmp_path / "d" / "instances.json").write_text(json.dumps(record))
    with pytest.raises(DataError, match="lists images and has no annotations to learn from"):
        read_folder(tmp_path / "d", ONE)


def test_a_size_that_the_annotations_do_not_say_is_the_images(tmp_path: Path) -> None:
    write_folder(tmp_path / "d", 2)
    record = json.loads((tmp_path / "d" / "instances.json").read_text())
    for image in record["images"]:
        del image["width"]
    record["annotations"] = []
    (tmp_path / "d" / "instances.json").write_text(json.dumps(record))
    assert [e.truth.size for e in read_folder(tmp_path / "d", ONE)[0]] == [(128, 96)] * 2


def test_folders_that_lack_something_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such folder"):
        read_folder(tmp_path / "nowhere", ONE)
    with pytest.raises(DataError, match=r"no instances\.json"):
        read_folder(tmp_path, ONE)


@pytest.mark.parametrize("wrong", [{"held_out": 1.0}, {"fraction": 0.0}, {"cache": -1}, {"repeat": (0,)}])
def test_settings_of_data_are_checked(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        DetectionData(**wrong)  # type: ignore[arg-type]


# --- reports --------------------------------------------------------------------------------------------------


def test_the_truth_itself_is_all_right(folder: Path) -> None:
    truth = [e.truth for e in read_folder(folder, ("cube", "sphere"))[0]]
    scores = report(truth, truth, score=0.5, classes=2)
    assert scores.segm.AP == scores.bbox.AP == scores.all_found == scores.exact == 1


def test_shares_of_images(folder: Path) -> None:
    """An object that nobody annotated spoils one image, an object that is missed another."""
    truth = [e.truth for e in read_folder(folder, ONE)[0]]
    missed, spoilt, *_ = (i for i, t in enumerate(truth) if len(t) > 1)
    truth = [truth[missed], truth[spoilt], *(t for i, t in enumerate(truth) if i not in (missed, spoilt))][:4]
    detections, missed, spoilt = list(truth), 0, 1
    keep = torch.arange(len(truth[missed])).numpy() > 0
    detections[missed] = truth[missed].where(keep)
    truth[spoilt] = truth[spoilt].where(torch.arange(len(truth[spoilt])).numpy() > 0)
    scores = report(detections, truth, score=0.5)
    assert (scores.all_found, scores.exact) == (0.75, 0.5)
    with pytest.raises(DataError, match="no annotated image"):
        report([], [], score=0.5)


def test_a_detector_is_evaluated(folder: Path) -> None:
    torch.manual_seed(0)
    scores = evaluate_detector(Detector(TINY), folder, "held-out", config=DetectionData(held_out=0.3))
    assert scores.images == 3 and 0 <= scores.exact <= scores.all_found <= 1
    assert json.dumps(scores.to_dict()) and "| AP50 |" in scores.to_markdown()


# --- output ---------------------------------------------------------------------------------------------------


def test_outlines_lie_on_the_edges_of_masks(folder: Path) -> None:
    (truth, *_) = read_detections(folder / "instances.json").detections
    image = read_image(folder / "images" / truth.image)
    drawn = outlined(image, truth)
    changed = (drawn != image.permute(1, 2, 0).numpy()).any(2)
    masks = truth.decoded()
    assert changed.any() and not (changed & ~masks.any(0)).any()
    assert changed.sum() < 0.5 * masks.sum()
    boxes = outlined(image, replace(truth, masks=None))
    assert (boxes != image.permute(1, 2, 0).numpy()).any()


def test_scenes_for_ns_cl_are_read_back(folder: Path, tmp_path: Path) -> None:
    truth = read_detections(folder / "instances.json").detections
    write_nscl(tmp_path / "scenes.json", truth)
    again = read_detections(tmp_path / "scenes.json")
    assert again.layout == "nscl" and not again.bad
    assert [a.masks for a in again.detections] == [t.masks for t in truth]


# --- commands -------------------------------------------------------------------------------------------------


def test_detect_writes_every_layout(folder: Path, checkpoint: str, tmp_path: Path) -> None:
    images, instances = str(folder / "images"), str(folder / "instances.json")
    common = ("detect", images, "--checkpoint", checkpoint)
    result = run(*common, "--out", str(tmp_path / "coco.json"), "--draw", str(tmp_path / "drawn"))
    assert result.exit_code == 0 and "objects in 10 images" in result.stdout
    coco = read_detections(tmp_path / "coco.json")
    assert coco.categories == {1: "object"} and not coco.bad
    assert len(list((tmp_path / "drawn").iterdir())) == 10
    assert run(*common, "--out", str(tmp_path / "nscl.json"), "--format", "nscl").exit_code == 0
    assert [len(d) for d in read_detections(tmp_path / "nscl.json").detections] == [len(d) for d in coco.detections]
    result = run(*common, "--out", str(tmp_path / "r.json"), "--format", "results", "--instances", instances, "--json")
    assert result.exit_code == 0
    record = json.loads(result.stdout)
    assert [len(i["objects"]) for i in record["images"]] == [len(d) for d in coco.detections]
    assert 0 <= record["evaluation"]["segm"]["AP"] <= 1
    again = read_detections(tmp_path / "r.json", instances=instances)
    assert sum(map(len, again.detections)) == sum(map(len, coco.detections))


def test_a_bad_image_is_told_and_the_others_go_on(folder: Path, checkpoint: str, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no image")
    names = [str(tmp_path / "bad.png"), str(folder / "images" / "0000.png"), str(tmp_path / "gone.png")]
    result = run("detect", *names, "--checkpoint", checkpoint)
    assert result.exit_code == 2 and "0000.png" in result.stdout
    assert "bad.png: not an image" in result.stderr and "gone.png: no such file" in result.stderr
    result = run("detect", names[0], "--checkpoint", checkpoint)
    assert result.exit_code == 2 and result.stdout == ""


def test_images_of_one_name_keep_their_folders(folder: Path, checkpoint: str, tmp_path: Path) -> None:
    image = folder / "images" / "0000.png"
    copy = tmp_path / "0000.png"
    copy.write_bytes(image.read_bytes())
    out, drawn = tmp_path / "o.json", tmp_path / "drawn"
    words = (str(image), str(copy), str(folder / "images" / "0001.png"), "--checkpoint", checkpoint)
    assert run("detect", *words, "--out", str(out), "--draw", str(drawn)).exit_code == 0
    assert [d.image for d in read_detections(out)] == [image.as_posix(), copy.as_posix(), "0001.png"]
    assert len(list(drawn.iterdir())) == 3


def test_detect_refuses(folder: Path, checkpoint: str, tmp_path: Path) -> None:
    image = str(folder / "images" / "0000.png")
    result = run("detect", image, "--checkpoint", str(tmp_path / "none.json"))
    assert result.exit_code == 2 and "no such checkpoint" in result.stderr
    if not torch.cuda.is_available():
        result = run("detect", image, "--checkpoint", checkpoint, "--device", "cuda")
        assert result.exit_code == 2 and "there is: cpu" in result.stderr
    result = run("detect", image, "--checkpoint", checkpoint, "--out", "-", "--json")
    assert result.exit_code == 2 and "both write to standard output" in result.stdout


def test_a_detector_is_trained_and_evaluated_by_command(folder: Path, tmp_path: Path) -> None:
    small = {"channels": "[16, 16, 16, 8]", "blocks": "[1, 1, 1]", "pyramid": "8", "hidden": "8", "cells": "7"}
    settings = [f"model_config.small.{k}={v}" for k, v in small.items()]
    settings += ["training.epochs=1", "training.batch_size=4", "training.precision=32", "model_config.classes=shape"]
    chosen = [word for setting in settings for word in ("--set", setting)]
    out = str(tmp_path / "run")
    words = ("train", "detector", "--recipe", "detector-small", "--data", str(folder), "--out", out, "--json")
    result = run(*words, *chosen)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["images"] == {"train": 9, "held_out": 1, "bad": 0}
    result = run("evaluate", f"{out}/last.safetensors", "--data", str(folder), "--limit", "4", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["images"] == 4
    result = run("evaluate", f"{out}/last.safetensors", "--data", str(folder), "--markdown", str(tmp_path / "r.md"))
    assert result.exit_code == 0 and "every object found" in result.stdout and (tmp_path / "r.md").exists()


def test_an_image_that_cannot_be_read_is_named_and_left_out(tmp_path: Path) -> None:
    write_folder(tmp_path / "d", 3)
    broken = sorted((tmp_path / "d" / "images").iterdir())[0]
    broken.write_bytes(broken.read_bytes()[:-40])
    small = {"channels": "[16, 16, 16, 8]", "blocks": "[1, 1, 1]", "pyramid": "8", "hidden": "8", "cells": "7"}
    settings = [f"model_config.small.{k}={v}" for k, v in small.items()]
    settings += ["training.epochs=1", "training.precision=32", "model_config.classes=shape"]
    chosen = [word for setting in settings for word in ("--set", setting)]
    where = ("--data", str(tmp_path / "d"), "--out", str(tmp_path / "run"))
    result = run("train", "detector", "--recipe", "detector-small", *where, *chosen)
    assert result.exit_code == 0, result.output
    assert "1 not usable" in result.stdout
    assert "left out: " in result.stderr and broken.name in result.stderr


def test_annotations_without_masks_are_no_examples(tmp_path: Path) -> None:
    (truth, *_) = write_folder(tmp_path / "d", 1)
    boxes = Detections(truth.image, truth.size, truth.boxes, truth.scores, truth.labels)
    write_detections(tmp_path / "d" / "instances.json", [boxes])
    with pytest.raises(DataError, match="boxes and no masks"):
        read_folder(tmp_path / "d", ONE)
