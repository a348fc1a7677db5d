"""The detector: presets, what it finds, what its loss tells, that it learns, weights from files."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from nsreason.errors import CheckpointError, RecipeError
from nsreason.perception.detector.config import DetectorConfig, SmallConfig
from nsreason.perception.detector.detector import Detector, distinct
from nsreason.perception.detector.networks import put_weights
from nsreason.perception.detector.small_backbone import SmallBackbone
from nsreason.perception.pretrained import read_weights
from nsreason.registry import MODELS
from nsreason.training.checkpoint import load_model, save_checkpoint
from nsreason.training.model import model_class
from nsreason.training.recipe import load_recipe, new_model
from tests.support.toy_images import TINY, draw, examples

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def detector() -> Detector:
    torch.manual_seed(0)
    return Detector(TINY)


def test_the_detector_is_a_model() -> None:
    assert model_class("detector") is Detector and "detector" in MODELS


def test_the_small_preset_fits_into_eight_megabytes() -> None:
    model = new_model(load_recipe("detector-small"))
    assert 2 * sum(t.numel() for t in model.state_dict().values()) <= 8e6


def test_losses_are_those_of_mask_r_cnn_and_reach_every_parameter(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Detector(TINY).train()
    out = model.loss(model.collate(examples(tmp_path, 4)))
    assert out.count == 4 and float(out.loss.detach()) == pytest.approx(
        sum(float(v) for v in out.metrics.values()) / 4,
        rel=1e-5,  # type: ignore[arg-type]
    )
    assert sorted(out.metrics) == ["loss_box", "loss_class", "loss_mask", "loss_objectness", "loss_rpn_box_reg"]
    out.loss.backward()  # type: ignore[no-untyped-call]
    assert [n for n, p in model.named_parameters() if p.grad is None] == []


def test_an_image_without_objects_teaches_too(tmp_path: Path) -> None:
    (example,) = examples(tmp_path, 1)
    nothing = replace(example, truth=example.truth.where(np.zeros(len(example.truth), bool)))
    model = Detector(TINY).train()
    out = model.loss(model.collate([nothing]))
    assert torch.isfinite(out.loss) and out.metrics["loss_mask"] == 0


def test_evaluation_changes_nothing_and_tells_what_was_found(detector: Detector, tmp_path: Path) -> None:
    detector.eval()
    before = {k: v.clone() for k, v in detector.state_dict().items()}
    with torch.no_grad():
        out = detector.loss(detector.collate(examples(tmp_path, 2)))
    assert all(torch.equal(v, before[k]) for k, v in detector.state_dict().items())
    assert set(out.metrics) == {"quality", "recall", "precision", "mask_iou", "all_found"}
    assert torch.isfinite(out.loss)


def test_metrics_of_what_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found are the annotated masks of the first image, and of the second all but one, and one that is none."""
    chosen = [e for e in examples(tmp_path, 12) if len(e.truth) > 1][:2]
    model = Detector(TINY).eval()
    batch = model.collate(chosen)
    second = batch.masks[1].clone()
    second[0] = False
    second[0, :3, :3] = True

    def fake_find(images: list[Tensor], score: float | None = None) -> list[tuple[Tensor, Tensor, Tensor]]:
        return [(m, torch.ones(len(m)), torch.ones(len(m), dtype=torch.int64)) for m in (batch.masks[0], second)]

    monkeypatch.setattr(model, "_find", fake_find)
    out = model.loss(batch)
    n = len(batch.masks[0]) + len(second)
    assert out.metrics == {
        "quality": (pytest.approx(n - 1), n),
        "recall": (n - 1, n),
        "precision": (n - 1, n),
        "mask_iou": (pytest.approx(n - 1), n - 1),
        "all_found": (1, 2),
    }
    assert float(out.loss) == pytest.approx(1 / n)


def test_detections_fit_their_images(detector: Detector) -> None:
    images = [draw(0)[0], draw(1, 100, 70)[0], draw(2, 600, 200)[0]]  # the last is scaled down and back
    detections = detector.detect(images, batch_size=2, score=0.05)
    assert [f.size for f in detections] == [(128, 96), (100, 70), (600, 200)] and detections[0].image == "image 0"
    for one in detections:
        masks = one.decoded()
        assert masks.any((1, 2)).all() and masks.shape[1:] == one.size[::-1]
        assert list(one.scores) == sorted(one.scores, reverse=True)
    assert detector.detect([]) == []


def test_batches_and_training_mode_do_not_matter(detector: Detector) -> None:
    images = [draw(seed)[0] for seed in range(3)]
    detector.train()
    at_once = detector.detect(images, score=0.05)
    assert detector.training
    alone = [detector.detect([image], score=0.05)[0] for image in images]
    for a, b in zip(at_once, alone, strict=True):
        assert len(a) == len(b) and np.allclose(a.scores, b.scores, atol=1e-4)


@pytest.mark.parametrize("wrong", [torch.zeros(4, 8, 8, dtype=torch.uint8), torch.zeros(3, 8, 8), torch.zeros(8, 8)])
def test_what_is_no_image_is_refused(detector: Detector, wrong: Tensor) -> None:
    with pytest.raises(ValueError, match="image 0"):
        detector.detect([wrong])


def test_masks_that_are_mostly_a_better_ones_are_dropped() -> None:
    masks = torch.zeros(4, 10, 10, dtype=torch.bool)
    masks[0, :5] = True
    masks[1, :6] = True  # five sixths of it are the first's
    masks[3, 4:] = True
    assert distinct(masks, 0.7).tolist() == [0, 3]
    assert distinct(masks, 0.9).tolist() == [0, 1, 3]
    assert distinct(masks[:0], 0.7).tolist() == []


def test_a_mask_around_two_objects_is_dropped() -> None:
    masks = torch.zeros(4, 10, 10, dtype=torch.bool)
    masks[0, :4] = True
    masks[1, 5:9] = True
    masks[2, :10] = True  # both, and a fifth of its own
    masks[3, 4:8] = True  # three quarters of it are the second's
    assert distinct(masks, 0.7, 0.75).tolist() == [0, 1, 3]
    assert distinct(masks, 0.7, 0.85).tolist() == [0, 1, 2]
    assert distinct(masks, 0.7).tolist() == [0, 1, 2, 3]


def test_classes_are_the_values_of_an_attribute() -> None:
    model = Detector(replace(TINY, classes="shape"))
    assert sorted(model.categories) == ["cube", "cylinder", "sphere"]
    assert Detector(TINY).categories == ("object",)
    with pytest.raises(ValueError, match=r"no 'shap'.*'shape'"):
        Detector(replace(TINY, classes="shap"))


@pytest.mark.parametrize(
    "wrong", [{"score": 1.5}, {"nms": -1}, {"most": 0}, {"longest": 0}, {"shortest": -2}, {"margin": -0.1}]
)
def test_settings_are_checked(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        DetectorConfig(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong", [{"channels": (0, 16, 16, 16)}, {"anchors": ((8,), ())}, {"anchors": ((8, 9), (20,))}]
)
def test_settings_of_the_small_preset_are_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="small"):
        SmallConfig(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("channels", [(15, 16, 16, 16), (16, 8, 16, 16), (16, 16, 15, 16)])
def test_stages_too_narrow_for_torchs_gradient_are_refused(channels: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match=r"small.channels: 16 or more .*out of bounds"):
        SmallConfig(channels=channels)
    with pytest.raises(ValueError, match=r"16 or more"):
        SmallBackbone(channels, (1, 1, 1), 8)
    with pytest.raises(RecipeError, match=r"small.channels: 16 or more"):
        load_recipe("detector-small", overrides=[f"model_config.small.channels={list(channels)}"])
    assert SmallConfig(channels=(16, 16, 16, 1)).channels[3] == 1


# --- learning -------------------------------------------------------------------------------------------------


def learned(model: Detector, folder: Path, steps: int, *, bf16: bool = False) -> dict[str, float]:
    """Metrics on fresh pictures after some steps of training."""
    train = examples(folder, 64)
    torch.manual_seed(1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 5e-3 * min(1, (step + 1) / 10) * (1 - step / steps)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            out = model.train().loss(model.collate([train[i] for i in torch.randint(64, (8,)).tolist()]))
        optimizer.zero_grad()
        out.loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
    with torch.no_grad():
        metrics = model.eval().loss(model.collate(examples(folder, 24, 1000))).metrics
    return {k: v[0] / max(1, v[1]) for k, v in metrics.items()}  # type: ignore[index, operator, misc]


@pytest.mark.slow
@pytest.mark.parametrize("bf16", [False, True])
def test_it_learns_to_find_discs_and_squares(tmp_path: Path, bf16: bool) -> None:
    torch.manual_seed(0)
    metrics = learned(Detector(TINY), tmp_path, 60, bf16=bf16)
    assert metrics["quality"] > 0.65 and metrics["recall"] > 0.7 and metrics["mask_iou"] > 0.8


# --- weights --------------------------------------------------------------------------------------------------


def test_weights_of_a_file_are_taken_but_for_the_heads_of_other_classes(tmp_path: Path) -> None:
    torch.manual_seed(0)
    other = Detector(replace(TINY, classes="shape"))
    torch.save(other.network.state_dict(), tmp_path / "w.pth")
    model = Detector(replace(TINY, weights=str(tmp_path / "w.pth")))
    assert sorted(model.left_out) == sorted(
        f"roi_heads.{layer}.{kind}"
        for layer in ("box_predictor.cls_score", "box_predictor.bbox_pred", "mask_predictor.mask_fcn_logits")
        for kind in ("weight", "bias")
    )
    own, given = model.network.state_dict(), other.network.state_dict()
    assert all(torch.equal(own[k], given[k]) for k in own if k not in model.left_out)
    assert not torch.equal(
        own["roi_heads.mask_predictor.mask_fcn_logits.bias"],
        given["roi_heads.mask_predictor.mask_fcn_logits.bias"],
    )


def test_a_checkpoint_does_not_need_the_file_that_it_began_from(tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    from safetensors.torch import save_file

    save_file({k: v.contiguous() for k, v in Detector(TINY).network.state_dict().items()}, file)
    model = Detector(replace(TINY, weights=str(file)))
    assert model.left_out == []
    path = save_checkpoint(tmp_path, "last", model_name="detector", model=model, step=1)
    file.unlink()
    again = load_model(path)
    assert all(torch.equal(v, again.state_dict()[k]) for k, v in model.state_dict().items())


def test_files_that_are_no_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such file of weights"):
        read_weights(tmp_path / "nothing.pth")
    (tmp_path / "text.pth").write_text("hello")
    with pytest.raises(CheckpointError, match="cannot be read as weights"):
        read_weights(tmp_path / "text.pth")
    torch.save(Detector, tmp_path / "code.pth")  # a pickle that names a class
    with pytest.raises(CheckpointError, match="cannot be read as weights"):
        read_weights(tmp_path / "code.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(CheckpointError, match="holds a list"):
        read_weights(tmp_path / "list.pth")


def test_weights_of_another_network_are_refused() -> None:
    network = Detector(TINY).network
    weights = network.state_dict()
    more = weights | {"extra": torch.zeros(1)}
    with pytest.raises(CheckpointError, match=r"f.pth: .*'extra' is not part of it.*check the preset"):
        put_weights(network, more, "f.pth")
    less = {k: v for k, v in weights.items() if not k.startswith("backbone.stem.0")}
    with pytest.raises(CheckpointError, match=r"'backbone.stem.0.weight' is missing"):
        put_weights(network, less, "f.pth")


@pytest.mark.slow
def test_the_preset_with_a_resnet(tmp_path: Path) -> None:
    """Torchvision's own network: its weights fit, those of an ImageNet classifier go into its backbone."""
    from torchvision.models import resnet50
    from torchvision.models.detection import maskrcnn_resnet50_fpn_v2

    config = DetectorConfig(preset="resnet50-fpn-v2", shortest=96, longest=160)
    model = Detector(config)
    given = maskrcnn_resnet50_fpn_v2(weights=None, weights_backbone=None, num_classes=91).state_dict()
    left = put_weights(model.network, given, "coco")
    assert {name.rsplit(".", 1)[0].removeprefix("roi_heads.") for name in left} == {
        "box_predictor.cls_score",
        "box_predictor.bbox_pred",
        "mask_predictor.mask_fcn_logits",
    }
    classifier = resnet50(weights=None).state_dict()
    assert put_weights(model.network, classifier, "imagenet") == []
    assert torch.equal(model.network.state_dict()["backbone.body.conv1.weight"], classifier["conv1.weight"])
    out = model.train().loss(model.collate(examples(tmp_path, 2)))
    out.loss.backward()  # type: ignore[no-untyped-call]
    assert torch.isfinite(out.loss)
    assert len(model.detect([draw(0)[0]])) == 1


LOADED = """
import sys
import nsreason.perception.detector.detector
assert "torch._dynamo" not in sys.modules and "sympy" not in sys.modules
import torch._dynamo.utils
from torchvision.ops.roi_align import is_compile_supported
assert torch._dynamo.utils.is_compile_supported is not is_compile_supported
assert is_compile_supported("cpu") == torch._dynamo.utils.is_compile_supported("cpu")
"""


def test_a_detector_is_imported_without_the_compiler() -> None:
    """It takes seconds, and nothing here compiles; imported later it is the real one."""
    done = subprocess.run([sys.executable, "-c", LOADED], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
