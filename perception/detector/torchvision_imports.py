"""What detectors use of torchvision, imported six seconds faster.

Torchvision imports torch's compiler (and sympy with it) for one function, which says whether RoIAlign may be compiled;
it asks that on GPUs with deterministic algorithms only. The import takes longer than everything else that a detector
needs. Here it is put off until the function is called; if anything about this fails, torchvision is imported as it is.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import torch  # noqa: F401 - before the modules of it that stand in

_COMPILER = "torch._dynamo"
_UTILS = f"{_COMPILER}.utils"


def _is_compile_supported(device: Any) -> Any:
    """The compiler's own answer, imported when it is asked for."""
    from importlib import import_module

    return import_module(_UTILS).is_compile_supported(device)


@contextlib.contextmanager
def _without_compiler() -> Iterator[None]:
    """While torchvision is imported, a module with that one function stands for the compiler."""
    if _COMPILER in sys.modules or "torchvision" in sys.modules:
        yield
        return
    package, utils = ModuleType(_COMPILER), ModuleType(_UTILS)
    package.__path__ = []
    utils.is_compile_supported = _is_compile_supported  # type: ignore[attr-defined]
    package.utils = utils  # type: ignore[attr-defined]
    sys.modules |= {_COMPILER: package, _UTILS: utils}
    try:
        yield
    finally:
        for name, module in ((_COMPILER, package), (_UTILS, utils)):
            if sys.modules.get(name) is module:
                del sys.modules[name]


with _without_compiler(), contextlib.suppress(ImportError, AttributeError):
    import torchvision.ops.roi_align  # noqa: F401

from torchvision.models.detection.anchor_utils import AnchorGenerator  # noqa: E402
from torchvision.models.detection.faster_rcnn import TwoMLPHead  # noqa: E402
from torchvision.models.detection.mask_rcnn import (  # noqa: E402
    MaskRCNN,
    MaskRCNNHeads,
    MaskRCNNPredictor,
    maskrcnn_resnet50_fpn_v2,
)
from torchvision.models.detection.roi_heads import RoIHeads, fastrcnn_loss  # noqa: E402
from torchvision.models.detection.rpn import RegionProposalNetwork, RPNHead  # noqa: E402
from torchvision.models.detection.transform import GeneralizedRCNNTransform, resize_boxes  # noqa: E402
from torchvision.ops import MultiScaleRoIAlign, roi_align  # noqa: E402

__all__ = [
    "AnchorGenerator",
    "GeneralizedRCNNTransform",
    "MaskRCNN",
    "MaskRCNNHeads",
    "MaskRCNNPredictor",
    "MultiScaleRoIAlign",
    "RPNHead",
    "RegionProposalNetwork",
    "RoIHeads",
    "TwoMLPHead",
    "fastrcnn_loss",
    "maskrcnn_resnet50_fpn_v2",
    "resize_boxes",
    "roi_align",
]
