"""Detections as values, and files told apart by content."""

from __future__ import annotations

import gzip
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nsreason.errors import DataError
from nsreason.perception.detections.detections import Detections
from nsreason.perception.detections.readers import read_detections
from nsreason.perception.detections.rle import decode_masks, encode_masks
from tests.support.detection_files import make, write


def test_where_keeps_everything_together() -> None:
    masks = encode_masks(np.arange(3 * 30 * 40).reshape(3, 30, 40) % 7 == 0)
    detections = make(
        [[0, 0, 1, 1], [1, 1, 2, 2], [2, 2, 3, 3]],
        [0.1, 0.2, 0.3],
        [1, 2, 3],
        masks=masks,
        crowd=np.asarray([True, False, False]),
        areas=np.asarray([1.0, 2.0, 3.0]),
    )
    kept = detections.where(np.asarray([True, False, True]))
    assert (len(kept), kept.image, kept.size, kept.labels.tolist()) == (2, "a.png", (40, 30), [1, 3])
    assert kept.masks == [masks[0], masks[2]] and kept.boxes.tolist() == [[0, 0, 1, 1], [2, 2, 3, 3]]
    assert kept.crowd is not None and kept.crowd.tolist() == [True, False]
    assert kept.areas is not None and kept.areas.tolist() == [1, 3]
    with pytest.raises(ValueError, match=r"keep is \(3,\) bool"):
        detections.where(np.asarray([0, 2, 1]))
    with pytest.raises(ValueError, match="3 boxes and 2 labels"):
        Detections("a.png", (40, 30), detections.boxes, detections.scores, detections.labels[:2])


def test_above_keeps_the_score_itself() -> None:
    detections = make([[0, 0, 1, 1]] * 4, [0.1, 0.9, 0.89, 1.0])
    assert detections.above(0.9).scores.tolist() == [np.float32(0.9), 1.0]  # although float32's 0.9 is a little less
    assert len(detections.above(0)) == 4 and len(make([]).above(0.5)) == 0


def test_suppression_is_greedy_and_of_one_label() -> None:
    boxes = [[0, 0, 10, 10], [1, 0, 11, 10], [2, 0, 12, 10], [0, 0, 10, 10], [20, 0, 30, 10]]
    detections = make(boxes, [0.8, 0.9, 0.7, 0.5, 0.1], [1, 1, 1, 2, 1])
    # 0 and 1 overlap by 9/11, 1 and 2 as well, 0 and 2 by 8/12; the third box is of another label.
    assert detections.suppressed(0.5).scores.tolist() == pytest.approx([0.9, 0.5, 0.1])
    # At .7 only neighbours suppress each other: 1 removes 0 and 2.
    assert detections.suppressed(0.7).scores.tolist() == pytest.approx([0.9, 0.5, 0.1])
    assert len(detections.suppressed(0.82)) == 5
    assert len(make([]).suppressed(0.5)) == 0


BOXES = st.lists(st.tuples(*[st.integers(0, 20)] * 2, *[st.integers(1, 20)] * 2), max_size=8)


@settings(max_examples=50, deadline=None)  # the first one imports torch
@given(BOXES, st.data())
def test_suppression_is_torchvisions(boxes: list[tuple[int, ...]], data: st.DataObject) -> None:
    import torch
    from torchvision.ops import batched_nms

    n = len(boxes)
    scores = data.draw(st.lists(st.integers(0, 100), min_size=n, max_size=n, unique=True))
    labels = data.draw(st.lists(st.integers(1, 2), min_size=n, max_size=n))
    detections = make([[x, y, x + w, y + h] for x, y, w, h in boxes], [s / 100 for s in scores], labels)
    kept = batched_nms(*map(torch.from_numpy, (detections.boxes, detections.scores, detections.labels)), 0.43)
    assert detections.suppressed(0.43).scores.tolist() == detections.scores[sorted(kept.tolist())].tolist()


def test_boxes_are_clipped_on_request() -> None:
    detections = make([[-5, -5, 5, 5], [30, 20, 50, 50], [41, 0, 50, 10], [1, 2, 3, 4]], [0.1, 0.2, 0.3, 0.4])
    cut = detections.clipped()
    assert cut.boxes.tolist() == [[0, 0, 5, 5], [30, 20, 40, 30], [1, 2, 3, 4]]
    assert cut.scores.tolist() == detections.scores[[0, 1, 3]].tolist()


def test_decoded() -> None:
    masks = np.zeros((2, 30, 40), bool)
    masks[0, 3:5, 7:20] = masks[1, 0, 0] = True
    assert np.array_equal(make([[0, 0, 1, 1]] * 2, masks=encode_masks(masks)).decoded(), masks)
    assert make([]).decoded().shape == make([], masks=[]).decoded().shape == (0, 30, 40)
    with pytest.raises(ValueError, match=r"a\.png: there are boxes only"):
        make([[0, 0, 1, 1]]).decoded()
    with pytest.raises(DataError, match="mask 0"):
        make([[0, 0, 1, 1]], masks=encode_masks(np.ones((1, 40, 30), bool))).decoded()


# Files


INSTANCES = {
    "images": [{"id": 7, "file_name": "some/folder/b.png", "width": 40, "height": 30}],
    "annotations": [{"id": 1, "image_id": 7, "category_id": 3, "bbox": [1, 2, 3, 4]}],
    "categories": [{"id": 3, "name": "cube"}],
}
RESULTS = [{"image_id": 7, "category_id": 3, "bbox": [1, 2, 3, 4], "score": 0.5}]


def test_files_are_told_apart_by_content(tmp_path: Path) -> None:
    rle = encode_masks(np.eye(6, dtype=bool)[None])[0]
    listed = write(tmp_path, INSTANCES, "listed.txt")
    scenes = {"scenes": [{"image_filename": "b.png", "objects": [], "objects_detection": [{"mask": rle}]}]}
    columns = {"object_masks": [rle], "image_idxs": [0], "category_idxs": [1], "feature_vectors": [], "scores": [0.5]}
    proposals = [{"image_idx": 0, "mask": rle, "score": 0.5, "category_idx": 1, "feature_vector": None}]
    assert read_detections(listed).layout == "instances"
    assert read_detections(write(tmp_path, RESULTS), instances=listed).layout == "results"
    assert read_detections(write(tmp_path, []), instances=listed).layout == "results"
    assert read_detections(write(tmp_path, scenes)).layout == "nscl"
    assert read_detections(write(tmp_path, columns), names="{}.png").layout == "nsvqa"
    assert read_detections(write(tmp_path, proposals), names="{}.png").layout == "nsvqa"
    lines = "\n".join([json.dumps(proposals[0])] * 3).encode()
    assert [len(d) for d in read_detections(write(tmp_path, lines), names="{}.png")] == [3]
    assert [len(d) for d in read_detections(write(tmp_path, proposals[0]), names="{}.png")] == [1]


@pytest.mark.parametrize("label", [-1, 2**31, 2**63, 10**30, 10**400])
def test_a_category_number_that_no_array_holds_costs_its_object_alone(tmp_path: Path, label: int) -> None:
    mask = {"size": [6, 8], "counts": [10, 5, 33]}
    proposals = [{"image_idx": 0, "mask": mask, "category_idx": number} for number in (label, 2)]
    columns = {"object_masks": [mask] * 2, "image_idxs": [0, 0], "category_idxs": [label, 2]}
    scenes = [{"image_filename": "0.png", "objects_detection": [{"mask": mask, "category_id": n} for n in (label, 2)]}]
    for data, how in ((proposals, {"names": "{}.png"}), (columns, {"names": "{}.png"}), ({"scenes": scenes}, {})):
        file = read_detections(write(tmp_path, data), **how)
        assert [d.labels.tolist() for d in file] == [[2]]
        assert "a category number is a whole number from 0" in str(file.bad[0].error)


def test_packed_files_and_byte_order_marks(tmp_path: Path) -> None:
    packed = write(tmp_path, gzip.compress(json.dumps(INSTANCES).encode()))
    assert len(read_detections(packed)) == 1
    marked = write(tmp_path, b"\xef\xbb\xbf \n" + json.dumps(INSTANCES).encode())
    assert len(read_detections(marked).detections[0]) == 1


def test_images_are_found_by_name(tmp_path: Path) -> None:
    file = read_detections(write(tmp_path, INSTANCES))
    assert file.by_image("b.png") is file.by_image("/elsewhere/b.png") is file.detections[0] is next(iter(file))
    assert (file.by_image("b.png").image, file.by_image("b.png").size) == ("some/folder/b.png", (40, 30))
    with pytest.raises(DataError, match=r"no image 'bb\.png'; did you mean 'b\.png'\?"):
        file.by_image("bb.png")
    twice = INSTANCES | {"images": [{"id": i, "file_name": f"{i}/b.png", "width": 4, "height": 3} for i in (1, 2)]}
    file = read_detections(write(tmp_path, twice))
    with pytest.raises(DataError, match=r"several images are called 'b\.png': '1/b\.png', '2/b\.png'; name one by its"):
        file.by_image("b.png")
    assert file.by_image("2/b.png") is file.by_image("data/2/b.png") is file.detections[1]
    with pytest.raises(DataError, match="several images"):
        file.by_image("3/b.png")


def test_the_documentation_does_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (Path(__file__).parents[3] / "docs" / "detections.md").read_text(encoding="utf-8")
    code = text.split("```python\n")[1].split("```")[0]
    write(tmp_path, INSTANCES, "instances_val.json")
    write(tmp_path, RESULTS, "results.json")
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {}
    exec(compile(code, "docs/detections.md", "exec"), namespace)
    assert capsys.readouterr().out == "1.0\n" and namespace["pairs"] == [(0, 0)]
    assert len(read_detections("kept.json").by_image("b.png")) == 1


REFUSED: list[tuple[Any, str]] = [
    (b"", "the file is empty"),
    (b" \n ", "the file is empty"),
    (b"\x89HDF\r\n", "not JSON: it starts with"),
    (b"image,box\n", "not JSON: it starts with"),
    (pickle.dumps({"all_boxes": [], "all_segms": []}), "(?s)a pickle, which is not read.*process_proposals"),
    (pickle.dumps({"all_boxes": []}, protocol=0), "a pickle, which is not read"),
    (b'{"images": [', "ends in the middle of its JSON"),
    (b'[{"image_id": 1,}]', "not valid JSON at byte 16"),
    (b"[" * 100_000, "nested too deeply|ends in the middle"),
    (b"{}", "found an empty object; COCO instances have images and annotations"),
    ({"boxes": [], "labels": []}, "no detections in it, found the keys 'boxes', 'labels'"),
    ({"images": [], "annotations": 3}, r"Expected `array`, got `int` - at `\$\.annotations`"),
    ({"object_masks": [], "image_idxs": 3}, r"Expected `array`, got `int` - at `\$\.image_idxs`"),
    ({"scenes": [{"image_filename": "b.png", "objects": [{"color": "red"}]}]}, "a scene file without detections"),
    (RESULTS, r"COCO results number their images; give the instances file .*instances="),
    ([{"image_idx": 3, "mask": {}}], r"NS-VQA's proposals number their images.*names="),
]


@pytest.mark.parametrize(("content", "message"), REFUSED)
def test_what_is_no_file_of_detections_is_refused(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_detections(write(tmp_path, content))
    assert "file.json" in str(caught.value)


class _Trap:
    """Unpickled, it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.mkdir, (self.folder,)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_nothing_of_a_pickle_is_run(tmp_path: Path, protocol: int) -> None:
    with pytest.raises(DataError, match=r"file\.json: (a pickle|not JSON)"):
        read_detections(write(tmp_path, pickle.dumps(_Trap(tmp_path / "made"), protocol)))
    assert not (tmp_path / "made").exists()


def test_files_that_are_not_there_or_not_instances(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_detections(tmp_path / "none.json")
    results = write(tmp_path, RESULTS)
    with pytest.raises(DataError, match="COCO results number their images"):
        read_detections(results, instances=results)


@settings(max_examples=150)
@given(st.data())
def test_a_damaged_file_is_refused_or_read_never_worse(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    rle = encode_masks(np.eye(30, 40, dtype=bool)[None])[0]
    content = INSTANCES | {
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 3, "bbox": [1, 2, 3, 4], "segmentation": rle, "score": 0.5},
            {"id": 2, "image_id": 7, "category_id": 3, "segmentation": [[1, 1, 9, 1, 9, 9]], "iscrowd": 1},
        ]
    }
    text = bytearray(json.dumps(content).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text) - 1))
        text[at] = data.draw(st.sampled_from(b'0919-"[]{},:.eNa\xff\x00\\'))
    path = write(tmp_path_factory.mktemp("damaged"), bytes(text))
    try:
        file = read_detections(path)
    except DataError:
        return
    for detections in file:
        if detections.masks is not None and detections.size[0] * detections.size[1] < 10_000:
            decode_masks(detections.masks, (detections.size[1], detections.size[0]))
