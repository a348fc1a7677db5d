"""Images that are unlike those of the training are told, with the reason; those that are like it are not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor
from typer.testing import CliRunner, Result

import nsreason
from nsreason.cli.app import app
from nsreason.errors import CheckpointError
from nsreason.generators.clevr.images import render_scene
from nsreason.generators.clevr.scenes import generate_scenes_with_cameras
from nsreason.io.image_tensors import read_transparent, transparency
from nsreason.perception.bundled import bundled
from nsreason.perception.detections.detections import Detections
from nsreason.perception.familiarity import (
    FACTOR,
    UNLIKE,
    Familiarity,
    Norms,
    NormsOrigin,
    digest,
    features_of,
    statistics,
)
from nsreason.reasoners.image_pipeline import SceneParserPipeline
from nsreason.training.checkpoint import load_model

pytestmark = pytest.mark.usefixtures("one_thread")
DEMO = Path(nsreason.__file__).parent / "cli" / "demo_picture.png"


@pytest.fixture(scope="module")
def familiarity() -> Familiarity:
    return Familiarity.of_bundled(load_model(bundled("detector")))


def tensor(pixels: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)


def landscape() -> Image.Image:
    image = Image.new("RGB", (480, 320))
    draw = ImageDraw.Draw(image)
    for y in range(320):
        draw.line([(0, y), (480, y)], (90 + y // 4, 150 + y // 6, 230))
    draw.polygon([(0, 320), (0, 170), (120, 110), (260, 190), (400, 130), (480, 210), (480, 320)], (50, 110, 50))
    return image


def document() -> Image.Image:
    image = Image.new("RGB", (480, 320), "white")
    draw = ImageDraw.Draw(image)
    for y in range(20, 300, 14):
        draw.text((25, y), "to whom it may concern, the following has been decided " * 2, "black")
    return image


def noise() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (320, 480, 3), dtype=np.uint8))


def cartoon() -> Image.Image:
    image = Image.new("RGB", (480, 320), "#ffe9a8")
    draw = ImageDraw.Draw(image)
    for k, colour in enumerate(("#e03030", "#3060e0", "#30b040", "#e0a020")):
        draw.ellipse((30 + 110 * k, 90, 120 + 110 * k, 200), colour, "black", 5)
    return image


ODD: dict[str, Callable[[], Image.Image]] = {
    "landscape": landscape, "document": document, "noise": noise, "cartoon": cartoon
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_what_is_no_scene_is_told_with_the_reason(name: str, familiarity: Familiarity) -> None:
    [warning] = familiarity.warnings([tensor(np.asarray(ODD[name]()))])
    assert warning is not None and warning.startswith(f"{UNLIKE}: ") and "times as far out as 99 % of theirs" in warning
    reason = {
        "landscape": "% of it is in strong colours, there 0 to ",
        "document": "its middle lightness is 9",
        "noise": "neighbouring pixels differ by ",
        "cartoon": "its middle lightness is ",
    }[name]
    assert reason in warning


def test_new_renders_are_not_told_nor_are_their_copies(familiarity: Familiarity) -> None:
    """Renders of another seed, mirrored, a little lighter, smaller and larger: what users have."""
    for scene, camera in generate_scenes_with_cameras(3, 77):
        pixels = render_scene(scene, camera, seed=77).image
        image = Image.fromarray(pixels)
        half = image.resize((240, 160)).resize((480, 320), Image.Resampling.BILINEAR)
        light = Image.fromarray(np.clip(pixels * 1.05, 0, 255).astype(np.uint8))
        same = [image, image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), half, light]
        assert familiarity.warnings([tensor(np.asarray(i)) for i in same]) == [None] * 4
        gray = tensor(np.asarray(image.convert("L").convert("RGB")))
        [warning] = familiarity.warnings([gray])
        assert warning is not None and "it has no colours" in warning
        upside = tensor(pixels[::-1])
        clear = Image.alpha_composite(Image.new("RGBA", image.size, "white"), _half(image))
        turned, pale = familiarity.warnings([upside, tensor(np.asarray(clear.convert("RGB")))])
        assert turned is not None and pale is not None and "its middle lightness is 7" in pale


def _half(image: Image.Image) -> Image.Image:
    clear = image.convert("RGBA")
    clear.putalpha(128)
    return clear


def test_detections_that_recognise_nothing_are_part_of_the_reason(familiarity: Familiarity) -> None:
    image = tensor(np.asarray(landscape()))
    for scores, unrecognised in (([], True), ([0.4], True), ([0.4, 0.9], False)):
        n = len(scores)
        detections = Detections(
            "a", (480, 320), np.zeros((n, 4), np.float32), np.array(scores, np.float32), np.ones(n, np.int64), None
        )
        [why] = familiarity.warnings([image], [detections])
        assert why is not None and ("no object in it was recognised" in why) is unrecognised


# --- the norms ----------------------------------------------------------------------------------------------


def test_the_bundled_norms_are_of_the_bundled_detector(familiarity: Familiarity) -> None:
    """NormsOrigin with these very weights: `python -m benchmarks.familiarity` has to follow a change of them."""
    norms = familiarity.norms
    assert norms.detector == digest() and norms.origin.seed == 2026 and norms.origin.scenes == 600
    assert norms.threshold > FACTOR and norms.directions.T @ norms.directions == pytest.approx(
        torch.eye(40).numpy(), abs=1e-4
    )


def test_norms_find_what_is_far_from_what_they_were_made_of(tmp_path: Path) -> None:
    """On features that depend on each other: an outlier that no single feature shows is found; a saved copy agrees."""
    generator = torch.Generator().manual_seed(0)
    mixed = torch.randn(60, 60, generator=generator)

    def drawn(n: int) -> Tensor:
        return torch.randn(n, 60, generator=generator) @ mixed * torch.linspace(0.1, 3, 60)

    origin = NormsOrigin(300, 1, "0", "today")
    norms = Norms.of(drawn(300), drawn(300), [{"lightness": 0.4}, {"lightness": 0.6}], origin)
    assert float((norms.distances(drawn(300)) > norms.threshold).float().mean()) <= 0.01
    odd = drawn(1)[0]
    odd[::2] = -odd[::2] * 3
    assert float(norms.distances(odd[None])[0]) > norms.threshold
    norms.save(tmp_path / "norms.safetensors")
    again = Norms.load(tmp_path / "norms.safetensors")
    assert again.origin == origin and again.ranges == {"lightness": (0.4, 0.6)} and again.threshold == norms.threshold
    some = drawn(5)
    assert torch.equal(again.distances(some), norms.distances(some))


def test_damaged_norms_are_told(tmp_path: Path, familiarity: Familiarity) -> None:
    path = tmp_path / "norms.safetensors"
    with pytest.raises(CheckpointError, match=r"norms\.safetensors: cannot be read"):
        Norms.load(path)
    familiarity.norms.save(path)
    data = path.read_bytes()
    for broken in (data[: len(data) // 2], b"", b"{}" * 100, data.replace(b'"threshold', b'"thresholt', 1),
                   data.replace(b"threshold", b"thresholx", 1)):  # fmt: skip
        path.write_bytes(broken)
        with pytest.raises(CheckpointError, match=r"norms\.safetensors: cannot be read"):
            Norms.load(path)


def test_features_do_not_hang_on_the_batch_and_leave_the_detector_as_it_was() -> None:
    detector = load_model(bundled("detector"), "detector")
    detector.train()
    images = [tensor(np.asarray(f())) for f in ODD.values()]
    together = features_of(detector, images)
    assert detector.training and together.shape == (4, 384)
    torch.testing.assert_close(together[2:3], features_of(detector, images[2:3]), rtol=1e-3, atol=1e-4)


def test_features_are_computed_once(familiarity: Familiarity) -> None:
    """By the detector itself while it detects, where it is the one that the norms are of; and they are the same."""
    detector = familiarity.detector
    parser = load_model(bundled("scene-parser"))
    images = [("like", tensor(np.asarray(Image.open(DEMO).convert("RGB")))), ("odd", tensor(np.asarray(landscape())))]
    images.append(("small", images[1][1][:, ::2, ::2]))
    runs = []
    hook = detector.network.backbone.register_forward_hook(lambda _m, x, _y: runs.append(len(x[0])))
    try:
        detected_images = SceneParserPipeline(detector, parser, familiarity).perceive(images)
        assert sum(runs) == 3 and [len(v.warnings) for v in detected_images] == [0, 1, 1]
        other = load_model(bundled("detector"), "detector")
        again = SceneParserPipeline(other, parser, familiarity).perceive(images)
        assert sum(runs) == 6
    finally:
        hook.remove()
    assert [v.warnings for v in detected_images][:2] == [v.warnings for v in again][:2]
    assert not detector.network.backbone._forward_hooks


def test_statistics_are_what_they_say() -> None:
    red = torch.zeros(3, 320, 480, dtype=torch.uint8)
    red[0, :, :240] = 255
    measured = statistics(red)
    assert measured["colour"] == 1 and measured["coloured"] == pytest.approx(0.5) and measured["contrast"] > 0.1
    assert statistics(torch.full((3, 320, 480), 102, dtype=torch.uint8)) == pytest.approx(
        {"colour": 0, "coloured": 0, "lightness": 0.4, "contrast": 0, "grain": 0}, abs=1e-6
    )


# --- transparency -------------------------------------------------------------------------------------------


def test_transparent_images_are_told(tmp_path: Path) -> None:
    """CLEVR's own images are RGBA, and not transparent."""
    image = Image.new("RGBA", (40, 10), (10, 20, 30, 255))
    image.save(tmp_path / "opaque.png")
    for x in range(10):
        image.putpixel((x, 3), (10, 20, 30, 128))
    image.save(tmp_path / "part.png")
    image.putalpha(0)
    image.save(tmp_path / "clear.png")
    image.convert("RGB").save(tmp_path / "plain.png")
    shares = {n: read_transparent(tmp_path / f"{n}.png")[1] for n in ("opaque", "part", "clear", "plain")}
    assert shares == pytest.approx({"opaque": 0.0, "part": 10 / 400, "clear": 1.0, "plain": 0.0})
    assert transparency(0.0) is None and transparency(0.0001) == transparency(0.01)
    assert transparency(0.5) == "50 % of its pixels are transparent; they are seen on white"


# --- commands -----------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(DEMO, tmp_path / "like.png")
    landscape().save(tmp_path / "odd.png")
    _half(Image.open(DEMO).convert("RGB")).save(tmp_path / "pale.png")
    return tmp_path


def run(*args: str) -> Result:
    result = CliRunner().invoke(app, [*args], env={"COLUMNS": "120"})
    assert result.exit_code == 0, result.output
    return result


def warned(result: Result) -> list[str]:
    """The images that are warned of on standard error."""
    return [line.split(":")[1].strip() for line in result.stderr.splitlines() if line.startswith("warning: ")]


def test_detect_and_describe_image_warn(folder: Path, tmp_path: Path) -> None:
    names = [str(folder / f"{n}.png") for n in ("like", "odd", "pale")]
    for command in (["detect", *names], ["describe-image", *names]):
        result = run(*command)
        assert warned(result) == ["odd.png", "pale.png", "pale.png"] and UNLIKE in result.stderr
    detected = json.loads(run("detect", *names, "--json").stdout)["images"]
    described = [json.loads(line) for line in run("describe-image", *names, "--json").stdout.splitlines()]
    for like, odd, pale in (detected, described):
        assert "warnings" not in like and odd["warnings"][0].startswith(UNLIKE)
        assert pale["warnings"][0].startswith("100 % of its pixels are transparent") and len(pale["warnings"]) == 2


def test_ask_and_evaluate_warn(folder: Path) -> None:
    question = "How many cubes are there?"
    for name, count in (("like", 0), ("odd", 1), ("pale", 2)):
        result = run("ask", question, "--image", str(folder / f"{name}.png"), "--json")
        assert len(warned(result)) == count and len(json.loads(result.stdout).get("warnings", [])) == count
    records = [
        {"question_index": i, "image_filename": f"{n}.png", "question": question, "answer": "1"}
        for i, n in enumerate(("like", "odd", "pale"))
    ]
    (folder / "questions.json").write_text(json.dumps({"questions": records}))
    asked = ["evaluate", "--questions", str(folder / "questions.json"), "--images", str(folder), "--programs", "parsed"]
    warned_images = json.loads(run(*asked, "--json").stdout)["warned_images"]
    assert warned_images["count"] == 2 and warned_images["examples"][0]["message"].startswith(f"odd.png: {UNLIKE}")
    assert "images warned of" in run(*asked).stdout


def test_what_weights_of_ones_own_have_learned_is_not_known(folder: Path, familiarity: Familiarity) -> None:
    from nsreason.cli.image_inputs import load_pipeline

    own = str(bundled("scene-parser"))
    assert load_pipeline(None, own, str(bundled("detector")))[0].familiarity is None  # type: ignore[attr-defined]
    for given in ((None, None), (own, None)):
        reasoner, _ = load_pipeline(None, *given)
        assert reasoner.familiarity is not None  # type: ignore[attr-defined]
    assert replace(reasoner, familiarity=None).perceive([("a", tensor(np.asarray(landscape())))])[0].warnings == ()  # type: ignore[type-var]
