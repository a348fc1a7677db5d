"""bAbI: small files written here in the official layout, with its surprises and with damage; arrays; scores."""

from __future__ import annotations

import bz2
import io
import lzma
import re
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsreason.data.babi import (
    NAMES,
    TASKS,
    BadLine,
    Story,
    hold_out,
    load_babi,
    read_stories,
    score_tasks,
    task_files,
    words,
)
from nsreason.data.splits import HoldOut
from nsreason.errors import DataError

TEXT = """1 Ann took the lamp.
2 Bob went to the attic.
3 Where is Bob? \tattic\t2
4 Ann went to the cellar.
5 Where is the lamp?\tcellar\t4 1
1 The cellar is north of the barn.
2 The barn is west of the attic.
3 How do you go from the attic to the cellar?\tw,n\t2 1
"""


def read(text: str | bytes, task: int = 1) -> tuple[list[Story], list[BadLine]]:
    stories = list(read_stories(text if isinstance(text, bytes) else text.encode(), task, "qa.txt"))
    return [s for s in stories if isinstance(s, Story)], [s for s in stories if isinstance(s, BadLine)]


# --- the format -------------------------------------------------------------------------------------------------------


def test_a_question_has_the_sentences_before_it_without_the_questions() -> None:
    stories, bad = read(TEXT)
    assert not bad and [s.line for s in stories] == [3, 5, 8] and [s.story for s in stories] == [0, 0, 1]
    first, second, third = stories
    assert first.sentences == (("ann", "took", "the", "lamp"), ("bob", "went", "to", "the", "attic"))
    assert first.question == ("where", "is", "bob") and first.answer == "attic" and first.supports == (1,)
    assert len(second.sentences) == 3 and second.sentences[2] == ("ann", "went", "to", "the", "cellar")
    assert second.supports == (2, 0)  # out of order, and line 4 is the third sentence
    assert third.answer == "w,n" and third.supports == (1, 0) and len(third.sentences) == 2
    assert str(third).splitlines()[-1] == "= w,n" and str(third).startswith("* the cellar")


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.replace("\n", "\r\n"),
        lambda t: "\ufeff" + t,
        lambda t: t + "\n\n",
        lambda t: t.rstrip("\n"),
        lambda t: t.replace("? \t", "?\t"),
        lambda t: t.replace("?\t", "?  \t").replace("\t4 1", "\t 4  1 "),
        lambda t: t.replace("w,n", "w, n"),
        lambda t: t.replace("cellar\t", "Cellar\t"),
    ],
)
def test_spaces_ends_of_lines_and_marks_do_not_matter(change: Any) -> None:
    assert read(change(TEXT)) == read(TEXT)


def test_words() -> None:
    assert words("The Box, I think: is bigger?") == ("the", "box", "i", "think", "is", "bigger")
    assert words("...") == ()


# --- damage -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "becomes", "says"),
    [
        (2, "Bob went to the attic.", "line 2: a line begins with its number, from 1, and a space; got 'Bob"),
        (2, "2", "line 2: there is nothing behind the number"),
        (2, "2 ...", "line 2: '...' has no word"),
        (2, "4 Bob went to the attic.", "line 2: the number 4 comes after line 1 of the story; a line is missing"),
        (2, b"2 B\xf6b went off.", "line 2: not UTF-8: byte 0xf6 at column 4"),
        (3, "3 Where is Bob?\tattic", "line 3: a question is question, answer and supporting lines between tabs; got"),
        (3, "3 Where is Bob?\t\t2", "line 3: the answer is empty"),
        (3, "3 ?\tattic\t2", "line 3: the question is empty"),
        (3, "3 Where is Bob?\tattic\t7", "line 3: the supporting line '7' is no sentence before the question"),
        (3, "3 Where is Bob?\tattic\ttwo", "the supporting line 'two' is no sentence"),
        (3, "3 Where is Bob?    attic    2", "line 3: a question without a tab before its answer; did its tabs become"),
        (5, "5 Where is the lamp?\tcellar\t3", "line 5: the supporting line '3' is no sentence"),  # a question's line
    ],
)
def test_a_bad_line_costs_the_rest_of_its_story_alone(line: int, becomes: str | bytes, says: str) -> None:
    rows: list[bytes] = TEXT.encode().split(b"\n")
    rows[line - 1] = becomes if isinstance(becomes, bytes) else becomes.encode()
    stories, bad = read(b"\n".join(rows))
    assert [s.line for s in stories] == [n for n in (3, 5, 8) if n < line or n > 5]
    (one,) = bad
    assert one.line == line and one.questions == sum(n >= line for n in (3, 5)) and isinstance(one.error, DataError)
    assert says in str(one) and str(one).startswith("qa.txt: line ") and "the rest of its story is left out" in str(one)


def test_a_file_that_begins_in_the_middle_or_ends_badly() -> None:
    stories, bad = read("4 Ann left.\n5 Who left?\tann\t4\n" + TEXT)
    assert len(stories) == 3 and bad[0].line == 1 and "comes after the beginning" in str(bad[0])
    stories, bad = read(TEXT + "4 Bo")
    assert len(stories) == 3 and not bad  # a sentence without a question after it harms nobody
    assert len(read(TEXT + "x")[1]) == 1
    assert read("") == ([], [])


@given(st.binary(max_size=200))
def test_any_bytes_are_read_to_stories_and_bad_lines(data: bytes) -> None:
    read(data)
    read(TEXT.encode() + data)
    assert len(read(data + b"\n" + TEXT.encode())[0]) >= 3


def test_a_file_whose_tabs_became_spaces_is_told(tmp_path: Path) -> None:
    spaces = TEXT.replace("\t", "    ")
    stories, (bad,) = read(spaces)
    assert not stories and "no line is a question" in str(bad) and "if they became spaces" in str(bad)
    lay_out(tmp_path / "en", {file_name(1, "train"): spaces, file_name(2, "train"): TEXT, file_name(3, "train"): " \n"})
    stories = load_babi(tmp_path, size="1k", tasks=[1, 2, 3])
    assert len(stories) == 3 and [file_name(t, "train") in str(b) for t, b in zip((1, 3), stories.bad, strict=True)]
    assert "the file is empty" in str(stories.bad[1])


def test_supporting_lines_may_have_commas_between_them() -> None:
    stories, bad = read(TEXT.replace("\t4 1", "\t4,1").replace("\t2 1", "\t2, 1"))
    assert not bad and [s.supports for s in stories] == [(1,), (2, 0), (1, 0)]


def test_a_file_without_supporting_lines() -> None:
    stories, bad = read("\n".join(line.rpartition("\t")[0] or line for line in TEXT.splitlines()))
    assert not bad and [s.supports for s in stories] == [()] * 3
    assert [(s.question, s.answer) for s in stories] == [(s.question, s.answer) for s in read(TEXT)[0]]


# --- sources ----------------------------------------------------------------------------------------------------------


def file_name(task: int, split: str) -> str:
    return f"qa{task}_{NAMES[task - 1]}_{split}.txt"


def pack_zip(path: Path, files: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def pack_tar(path: Path, files: dict[str, str]) -> Path:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    packed = {".xz": lzma.compress, ".bz2": bz2.compress}.get(path.suffix, bytes)(raw.getvalue())
    path.write_bytes(packed)
    return path


def lay_out(path: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text)
    return path


SHORT = "1 Ann left.\n2 Who left?\tann\t1\n"
BOTH = {
    **{f"tasks_1-20_v1-2/en/{file_name(t, s)}": SHORT for t in TASKS for s in ("train", "test")},
    **{f"tasks_1-20_v1-2/en-10k/{file_name(t, s)}": SHORT * 3 for t in TASKS for s in ("train", "test")},
    **{f"tasks_1-20_v1-2/hn/{file_name(t, s)}": SHORT * 7 for t in TASKS for s in ("train", "test")},
    **{f"tasks_1-20_v1-2/shuffled-10k/{file_name(t, s)}": SHORT * 9 for t in TASKS for s in ("train", "test")},
    "tasks_1-20_v1-2/en/qa21_of-mine_train.txt": SHORT,
    "tasks_1-20_v1-2/README.txt": "about",
}


@pytest.mark.parametrize(
    ("name", "make"),
    [("v.zip", pack_zip), ("v.tar", pack_tar), ("v.tar.xz", pack_tar), ("v.tar.bz2", pack_tar), ("v", lay_out)],
)
def test_every_kind_of_source_gives_the_same(tmp_path: Path, name: str, make: Any) -> None:
    source = make(tmp_path / name, BOTH)
    small, large = load_babi(source, size="1k"), load_babi(source)
    assert (len(small), len(large), len(load_babi(source, "test"))) == (20, 60, 60)
    assert [s.task for s in small] == list(TASKS)
    assert [s.task for s in load_babi(source, "test", size="1k", tasks=[7, 2])] == [2, 7]
    assert {f.size for f in task_files(source)} == {"1k", "10k"}


def test_a_folder_of_archives_that_are_named_by_size(tmp_path: Path) -> None:
    pack_zip(tmp_path / "tasks_v1-2_en.zip", {file_name(t, "train"): SHORT for t in TASKS})
    pack_tar(tmp_path / "tasks_v1-2_en-10k.tar.xz", {file_name(t, "train"): SHORT * 3 for t in TASKS if t != 3})
    assert len(load_babi(tmp_path, size="1k")) == 20
    with pytest.raises(DataError) as refused:
        load_babi(tmp_path)
    assert f"no {file_name(3, 'train')} of the size 10k (en-10k); the other size has it" in str(refused.value)
    assert len(load_babi(tmp_path, otherwise="other size")) == 3 * 19 + 1
    assert len(load_babi(tmp_path, otherwise="leave out")) == 3 * 19
    assert len(load_babi(tmp_path, tasks=[1, 2])) == 6
    with pytest.raises(DataError, match="and 17 more of the size"):
        load_babi(tmp_path, "test")


def test_files_that_tell_no_size_serve_either(tmp_path: Path) -> None:
    lay_out(tmp_path / "mine", {file_name(5, "train"): SHORT})
    assert len(load_babi(tmp_path / "mine", size="1k", tasks=[5])) == len(load_babi(tmp_path / "mine", tasks=[5])) == 1


BARE = "1 Ann left.\n2 Who left?\tann\n"


@pytest.mark.parametrize("make", [pack_zip, lay_out])
def test_the_folders_with_valid_and_without_supports(tmp_path: Path, make: Any) -> None:
    """The names of the official archive; what has everything is taken first, whatever the order of the files."""
    folders = {"en-valid-nosf": BARE * 5, "en-valid": SHORT * 2, "en-valid-10k": SHORT * 4, "hn-valid": SHORT * 9}
    files = {
        f"tasks_1-20_v1-2/{f}/qa{t}_{s}.txt": text
        for f, text in folders.items()
        for t in TASKS
        for s in ("train", "valid", "test")
    }
    source = make(tmp_path / "v.zip", files | {"tasks_1-20_v1-2/hn/qa1_train.txt": SHORT * 9})
    assert [len(load_babi(source, "valid", size=size)) for size in ("1k", "10k")] == [40, 80]
    assert len(load_babi(source, "train", size="1k")) == 40
    whole = make(tmp_path / "w.zip", files | BOTH)
    assert [len(load_babi(whole, s, size="1k")) for s in ("train", "valid", "test")] == [20, 40, 20]
    only = make(tmp_path / "n.zip", {n: text for n, text in files.items() if "nosf" in n})
    assert [s.supports for s in load_babi(only, "valid", size="1k", tasks=[7])] == [()] * 5
    alone = lay_out(tmp_path / "en-valid", {"qa1_valid.txt": SHORT, "qa21_valid.txt": SHORT})
    assert len(load_babi(alone, "valid", size="1k", tasks=[1])) == 1


def test_bad_lines_of_a_source_name_archive_file_and_line(tmp_path: Path) -> None:
    source = pack_zip(tmp_path / "v.zip", {file_name(1, "train"): TEXT.replace("2 Bob", "Bob", 1)})
    stories = load_babi(source, tasks=[1])
    assert len(stories) == 1 and len(stories.bad) == 1
    assert f"v.zip:{file_name(1, 'train')}: line 2: " in str(stories.bad[0])


def test_sources_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        load_babi(tmp_path / "none.zip")
    with pytest.raises(DataError, match=re.escape(f"{tmp_path}: no qa1_")):
        load_babi(tmp_path)
    (tmp_path / "plain.txt").write_text("text")
    with pytest.raises(DataError, match="not a sound zip or tar file"):
        load_babi(tmp_path / "plain.txt")
    whole = pack_tar(tmp_path / "v.tar.xz", {file_name(t, "train"): TEXT * 50 for t in TASKS}).read_bytes()
    (tmp_path / "v.tar.xz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"v\.tar\.xz: .*download it again"):
        load_babi(tmp_path / "v.tar.xz")
    whole = pack_zip(tmp_path / "v.zip", {file_name(1, "train"): TEXT}).read_bytes()
    (tmp_path / "v.zip").write_bytes(whole.replace(b"lamp", b"lump", 1))
    with pytest.raises(DataError, match=r"v\.zip: .*damaged.*CRC"):
        load_babi(tmp_path / "v.zip", tasks=[1])
    with pytest.raises(ValueError, match="tasks are 1 to 20"):
        load_babi(tmp_path, tasks=[0])


# --- held-out stories -------------------------------------------------------------------------------------------------


def test_stories_are_held_out_whole_and_of_each_task_alike() -> None:
    stories = [s for task in (1, 4) for s in read(TEXT * 10, task)[0]]
    rule = HoldOut(0.1, seed="babi:1")
    kept, held_out = hold_out(stories, rule)
    assert len(kept) + len(held_out) == len(stories) == 60
    sides = [{(s.task, s.story) for s in side} for side in (kept, held_out)]
    assert not sides[0] & sides[1] and [sum(t == task for t, _ in sides[1]) for task in (1, 4)] == [2, 2]
    assert hold_out(stories, rule) == (kept, held_out) != hold_out(stories, HoldOut(0.1, seed="babi:2"))
    alone = hold_out([s for s in stories if s.task == 4], rule)[1]
    assert alone == [s for s in held_out if s.task == 4]  # other tasks do not matter
    assert hold_out(stories, HoldOut(0, seed="a"))[1] == [] and hold_out(stories, HoldOut(1, seed="a"))[0] == []
    last = hold_out(stories, HoldOut(0.1))[1]
    assert last == stories[-len(last) :] and len({(s.task, s.story) for s in last}) == 4
    assert hold_out([], rule) == ([], [])


# --- the pass rule ----------------------------------------------------------------------------------------------------


def test_ninety_five_percent_pass() -> None:
    tasks = [2] * 1000 + [1] * 1000 + [20] * 3
    right = [True] * 950 + [False] * 50 + [True] * 949 + [False] * 51 + [True] * 3
    one, two, last = score_tasks(tasks, right)
    assert (one.task, one.correct, one.passed) == (1, 949, False)
    assert (two.accuracy, two.passed, two.name) == (0.95, True, "two-supporting-facts")
    record = {"task": 20, "name": "agents-motivations", "questions": 3, "correct": 3}
    assert last.to_dict() == record | {"accuracy": 1.0, "passed": True}
    assert score_tasks(np.array(tasks), np.array(right)) == [one, two, last]
    with pytest.raises(ValueError, match="shorter"):
        score_tasks([1, 2], [True])
