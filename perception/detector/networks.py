"""Networks of detectors: torchvision's Mask R-CNN, built by preset, with or without weights from a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor, nn

from ...errors import CheckpointError
from .mask_heads import CoarseRPN, FloatRPNHead, MaskHeads, Scaled
from .small_backbone import STRIDES, SmallBackbone
from .torchvision_imports import (
    AnchorGenerator,
    MaskRCNN,
    MaskRCNNHeads,
    MaskRCNNPredictor,
    MultiScaleRoIAlign,
    TwoMLPHead,
    maskrcnn_resnet50_fpn_v2,
)

if TYPE_CHECKING:
    from .config import DetectorConfig

LOWEST = 0.05  # scores below are never reported, as in torchvision
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]  # of ImageNet, as torchvision's weights expect
HEADS = ("roi_heads.box_predictor.", "roi_heads.mask_predictor.mask_fcn_logits.")  # whose size is that of the classes


def build(config: DetectorConfig, classes: int) -> MaskRCNN:
    """Build the network of a detector with so many classes, the background not counted."""
    small = config.preset == "small"
    network = _small(config, classes + 1) if small else _resnet50(config, classes + 1)
    shortest, longest = config.scales
    network.transform = Scaled(shortest, longest, MEAN, STD, STRIDES[-1] if small else 32)
    network.roi_heads = MaskHeads.of(network.roi_heads, config.margin if small else 0.0, 16 if small else 128)
    return network


def _small(config: DetectorConfig, classes: int) -> MaskRCNN:
    """The maps of strides 8 and 16 propose, that of stride 4 gives boxes and masks their features."""
    small = config.small
    channels = small.pyramid
    ratios = (small.ratios,) * len(small.anchors)
    anchors = AnchorGenerator(small.anchors, ratios)
    train, test = small.proposals
    network = MaskRCNN(
        SmallBackbone(small.channels, small.blocks, channels),
        rpn_anchor_generator=anchors,
        rpn_head=FloatRPNHead(channels, anchors.num_anchors_per_location()[0]),
        rpn_pre_nms_top_n_train=2 * train,
        rpn_pre_nms_top_n_test=4 * test,
        rpn_post_nms_top_n_train=train,
        rpn_post_nms_top_n_test=test,
        rpn_nms_thresh=0.7,
        rpn_batch_size_per_image=128,
        box_roi_pool=MultiScaleRoIAlign(["0"], 7, 2),
        box_head=TwoMLPHead(channels * 7 * 7, small.hidden),
        box_predictor=BoxPredictor(small.hidden, classes),
        box_score_thresh=LOWEST,
        box_nms_thresh=config.nms,
        box_detections_per_img=config.most,
        box_batch_size_per_image=64,
        mask_roi_pool=MultiScaleRoIAlign(["0"], small.cells, 2),
        mask_head=MaskRCNNHeads(channels, [channels] * small.mask_layers, 1),
        mask_predictor=MaskRCNNPredictor(channels, channels, classes),
    )
    network.rpn = CoarseRPN.of(network.rpn)
    return network


def _resnet50(config: DetectorConfig, classes: int) -> MaskRCNN:
    """Torchvision's own, without any weights."""
    network = maskrcnn_resnet50_fpn_v2(
        weights=None,
        weights_backbone=None,
        num_classes=classes,
        box_score_thresh=LOWEST,
        box_nms_thresh=config.nms,
        box_detections_per_img=config.most,
    )
    each = network.rpn.anchor_generator.num_anchors_per_location()[0]
    network.rpn.head = FloatRPNHead(network.backbone.out_channels, each, conv_depth=2)
    return network


class BoxPredictor(nn.Module):
    """Scores of C classes, the background first, and a box for each, from (R, D) features of regions."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.cls_score = nn.Linear(width, classes)
        self.bbox_pred = nn.Linear(width, classes * 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.cls_score(x), self.bbox_pred(x)


def put_weights(network: nn.Module, weights: Mapping[str, Tensor], source: str | Path) -> list[str]:
    """Load weights of torchvision into a network; returns the names of head layers that stay as they were.

    These are the layers whose size is that of the classes, where the file is of another number of classes. Weights
    of a classifier alone (ResNet-50 of ImageNet) go into the backbone.

    Raises:
        CheckpointError: it holds weights of another network.
    """
    own = network.state_dict()
    if "layer1.0.conv1.weight" in weights and "backbone.body.layer1.0.conv1.weight" in own:
        weights = {f"backbone.body.{k}": v for k, v in weights.items() if not k.startswith("fc.")}
        own = {k: v for k, v in own.items() if k.startswith("backbone.body.")}
    weights = {k: v for k, v in weights.items() if not k.endswith("num_batches_tracked") or k in own}
    left = [k for k in own if k.startswith(HEADS) and k in weights and weights[k].shape != own[k].shape]
    if left:  # all head layers then: the numbers of its classes mean others here
        left = [k for k in own if k.startswith(HEADS)]
    wrong = [k for k, v in own.items() if k not in left and not k.endswith("num_batches_tracked")
             and (k not in weights or weights[k].shape != v.shape)]  # fmt: skip
    other = sorted(set(weights) - set(own))
    if wrong or other:
        name = (wrong or other)[0]
        fault = "is missing or of another shape" if wrong else "is not part of it"
        raise CheckpointError(
            f"{source}: not weights of this detector: '{name}' {fault} ({len(wrong)} of {len(own)} tensors differ); "
            "check the preset"
        )
    network.load_state_dict({k: v for k, v in weights.items() if k not in left}, strict=False)
    return left
