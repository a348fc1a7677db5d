"""Comparisons: questions asked, results kept and reused, and failures of one reasoner that do not stop the others."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from nsreason.comparison.comparer import ComparisonSettings, compare
from nsreason.comparison.results import Comparison
from nsreason.errors import DataError, RecipeError
from nsreason.queries.query import accuracy
from nsreason.tasks.task import make_task
from nsreason.training.budget import Budget, read_budget

TOYS = "tests.support.toy_reasoners"
TASK = f"{TOYS}:Sums"
DEEP = "deep"  # stands for a nest that Python's writer cannot make


def toy(*names: str) -> list[str]:
    return [f"{TOYS}:{name}" for name in names]


def builds(folder: Path) -> int:
    """Return how many reasoners were built in a comparison's folder."""
    return sum(len(path.read_text().splitlines()) for path in folder.glob("runs/*/made.txt"))


def run(folder: Path, *names: str, failing: Sequence[str] = (), **plan: Any) -> Comparison:
    """Compare without examples, whose traces would build reasoners again; check that only `failing` fail."""
    comparison = compare(TASK, folder.parent, toy(*names), folder, **{"examples": 0, **plan})
    assert [(r.reasoner, r.failure) for r in comparison.failed if r.reasoner not in toy(*failing)] == []
    assert {r.reasoner for r in comparison.failed} == set(toy(*failing))
    return comparison


def test_all_answer_the_same_questions(tmp_path: Path) -> None:
    comparison = run(tmp_path / "out", "Knows", "AlwaysYes")
    knows, yes = comparison.runs
    assert all(comparison.right(knows)) and len(knows.answers) == len(comparison.queries) == 24
    assert sum(comparison.right(yes)) == 6  # of the twelve numbers from 20 on, half are even
    assert [q.text for q in comparison.queries[:2]] == ["Is 20 even?", "20 and 21?"]
    assert (knows.size, knows.kind, yes.kind, knows.scores[0]) == (None, "symbolic", "neural", 0.5)
    assert (comparison.bad, comparison.bad_first) == (1, "a bad record")
    assert comparison.trained == {"digits": (1, 2)}
    assert comparison.settings["task"] == TASK and comparison.settings["reasoners"] == toy("Knows", "AlwaysYes")


def test_those_that_learn_do_so_at_each_size_and_from_the_first_questions(tmp_path: Path) -> None:
    comparison = run(tmp_path / "out", "Knows", "Learner", sizes=[30, 25, 10**6])
    assert [(r.reasoner.partition(":")[2], r.size) for r in comparison.runs] == [
        ("Knows", None),
        ("Learner", 25),
        ("Learner", 30),
        ("Learner", 36),  # all there are: 40 without four to validate on
    ]
    right = [sum(comparison.right(r)) for r in comparison.runs]
    assert right == [24, 2 * 6, 2 * 11, 24]
    few = comparison.runs[1]
    assert few.answers[-1] is None and few.errors[23] == "no idea" and few.scores[-1] is None
    assert [r.size for r in comparison.best()] == [None, 36]


def test_what_is_there_is_not_done_again_and_more_may_be_added(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    first = run(folder, "Knows", "Learner", sizes=[25])
    assert builds(folder) == 2
    again = run(folder, "Knows", "Learner", sizes=[25])
    assert builds(folder) == 2 and again.runs == first.runs and again.settings == first.settings
    more = run(folder, "Knows", "Learner", "AlwaysYes", sizes=[25, 30])
    assert builds(folder) == 4 and len(more.runs) == 4
    record = json.loads((folder / "comparison.json").read_text())
    assert Comparison.from_dict(record) == more


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    run(folder, "Knows")
    with pytest.raises(DataError, match=r"holds a comparison of something else .*seed 0"):
        run(folder, "Knows", seed=1)
    with pytest.raises(DataError, match="another folder"):
        run(folder, "Knows", task_settings={"test": 3})
    with pytest.raises(DataError, match="budget '60 s'"):
        run(folder, "Knows", budget=Budget(seconds=5))


def test_failures_are_told_and_the_others_go_on(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    comparison = run(folder, "Broken", "Mute", "Short", "Knows", failing=["Broken", "Mute", "Short"])
    failures = [r.failure for r in comparison.runs]
    kept = f"failures/{TOYS.replace('.', '-')}-Broken.txt"
    assert failures[0] == f"it broke off with an unexpected ZeroDivisionError: by zero; {kept} has the traceback"
    assert "in build" in (folder / kept).read_text() and "ZeroDivisionError: by zero" in (folder / kept).read_text()
    assert [p.name for p in (folder / "failures").iterdir()] == [
        f"{TOYS.replace('.', '-')}-Broken.txt"
    ]  # the others have words
    assert failures[1] == "it answers none of 24 questions; the first: no idea"
    assert failures[2] is not None and failures[2].endswith("gave 23 replies to 24 questions")
    assert failures[3] is None and all(comparison.right(comparison.runs[3]))
    assert comparison.runs[0].answers == () and comparison.right(comparison.runs[0]) == []
    before = builds(folder)
    run(folder, "Broken", "Mute", "Knows", failing=["Broken", "Mute"])  # they are tried again
    assert builds(folder) == before + 1


def test_an_interrupted_comparison_goes_on_where_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        run(folder, "Knows", "Interrupted", "AlwaysYes")
    assert builds(folder) == 2 and not (folder / "comparison.json").exists()
    run(folder, "Knows", "AlwaysYes")
    assert builds(folder) == 3


def test_nothing_learns_unless_it_may(tmp_path: Path) -> None:
    comparison = run(tmp_path / "out", "Learner", "Knows", train=False, failing=["Learner"])
    assert comparison.runs[0].failure is not None and "let it learn (--train)" in comparison.runs[0].failure
    assert comparison.runs[1].failure is None


def test_training_within_limits_tests_beyond_them(tmp_path: Path) -> None:
    comparison = run(tmp_path / "out", "Learner", within={"digits": 1})
    assert comparison.runs[0].size == 20 and comparison.trained == {"digits": (1, 1)}
    assert {q.facts["digits"] for q in comparison.queries} == {2}
    with pytest.raises(DataError, match="no question has the fact 'digit'; did you mean 'digits'"):
        run(tmp_path / "other", "Learner", within={"digit": 1})


def test_questions_that_reasoners_differ_on_are_told(tmp_path: Path) -> None:
    comparison = run(tmp_path / "out", "Knows", "AlwaysYes", examples=3)
    assert len(comparison.examples) == 3
    for example in comparison.examples:
        answers = {r.answers[example.place] for r in comparison.runs}
        assert len(answers) > 1
    assert [comparison.queries[e.place].type for e in comparison.examples] == ["even", "sum", "even"]  # by turns
    assert run(tmp_path / "none", "Knows", "AlwaysYes").examples == ()


def test_limit_takes_the_first(tmp_path: Path) -> None:
    assert len(run(tmp_path / "out", "Knows", limit=5).queries) == 5


@pytest.mark.parametrize(
    ("names", "plan", "says"),
    [
        ([], {}, "no reasoner to compare"),
        (["Knows"], {"sizes": [0]}, "1 question or more"),
        (["Knows"], {"recipes": {"lstm": "x"}}, "a recipe of 'lstm', which is not compared"),
        (["Knows"], {"overrides": ["lstm:training.lr=1"]}, "a setting of 'lstm', which is not compared"),
        (["Knows"], {"task_settings": {"tset": 3}}, "no key 'tset'; did you mean 'test'"),
    ],
)
def test_what_makes_no_sense_is_refused_first(
    tmp_path: Path, names: list[str], plan: dict[str, Any], says: str
) -> None:
    with pytest.raises(RecipeError, match=says):
        run(tmp_path / "out", *names, **plan)
    assert builds(tmp_path / "out") == 0


def test_unknown_names_have_a_hint(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no reasoner 'exat'; did you mean 'exact'"):
        compare(TASK, tmp_path, ["exat"], tmp_path / "out")
    with pytest.raises(RecipeError, match=f"{TOYS} has no class Nobody"):
        run(tmp_path / "out", "Nobody")
    with pytest.raises(RecipeError, match="no task 'clever'; did you mean 'clevr'"):
        make_task("clever")
    with pytest.raises(DataError, match="no such folder"):
        compare(TASK, tmp_path / "gone", toy("Knows"), tmp_path / "out")


@pytest.mark.parametrize("plan", [{"seed": 10**30}, {"seed": -1}, {"limit": 2**40}, {"within": {"digits": 10**30}}])
def test_numbers_that_no_seed_and_no_count_can_be(tmp_path: Path, plan: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=r"(seed|limit|digits): a whole number from 0 to 4294967295, got"):
        run(tmp_path / "out", "Knows", **plan)
    assert not (tmp_path / "out").exists()


def test_a_folder_whose_name_is_no_unicode_is_taken_up_again(tmp_path: Path) -> None:
    data = tmp_path / "caf\udce9"
    data.mkdir()
    for _ in range(2):
        comparison = compare(TASK, data, toy("Knows"), tmp_path / "out", examples=0)
        assert comparison.settings["source"].endswith(r"caf\udce9")


DAMAGE: dict[str, tuple[Any, str]] = {
    "text": (None, "damaged JSON: Input data was truncated"),
    "kind": ([], "Expected `object`, got `array`"),
    "deep": ({"settings": {"a": DEEP}}, "maximum recursion depth"),
    "too few": ({"answers": ["yes"]}, "1 answers to 24 questions"),
    "too many": ({"answers": ["yes"] * 25, "scores": [None] * 25}, "25 answers to 24 questions"),
    "no scores": ({"scores": []}, "0 scores to 24 questions"),
    "a number": ({"answers": [1] * 24}, r"Expected `str \| null`, got `int` - at `\$.answers"),
    "outside": ({"errors": {"24": "why"}}, "an error of question 24, of 24"),
    "no place": ({"errors": {"x": "why"}}, "Expected `int`, got `str`"),
    "renamed": (
        {"reasoner": f"{TOYS}:AlwaysYes"},
        f"it is of {TOYS}:AlwaysYes, symbolic",
    ),
    "another kind": ({"kind": "neural"}, f"it is of {TOYS}:Knows, neural"),
    "no kind": ({"kind": "psychic"}, "Invalid enum value 'psychic'"),
    "a size": ({"size": 5}, f"it is of {TOYS}:Knows, 5 questions"),
    "a failure": ({"failure": "out of memory", "answers": [], "scores": []}, "a failure"),
    "huge": ({"parameters": 10**30}, r"Expected `int` <= \d+ - at `\$.parameters"),
    "endless": ({"seconds": 1e300}, "Expected `float` <= 1"),
    "negative": ({"answering": -1}, "Expected `float` >= 0"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_answers_are_told_with_their_file_and_what_to_do(tmp_path: Path, name: str) -> None:
    folder, (change, message) = tmp_path / "out", DAMAGE[name]
    first = run(folder, "Knows")
    [path] = (folder / "answers").iterdir()
    whole = json.loads(path.read_text())
    changed = json.dumps(whole | change if isinstance(change, dict) else change).replace(f'"{DEEP}"', "[" * 100_000)
    path.write_text("{" if change is None else changed)
    with pytest.raises(DataError, match=rf"answers/{TOYS}-Knows.json: not what .*{message}.*; remove it"):
        run(folder, "Knows")
    path.unlink()
    assert run(folder, "Knows").runs[0].answers == first.runs[0].answers


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (None, "damaged JSON"),
        ({"seed": "0"}, r"Expected `int`, got `str` - at `\$.seed`"),
        ({"within": {"objects": []}}, "Expected `int`, got `array`"),
        ({"questions": None}, "Expected `str`, got `null`"),
        ({"task_settings": {"limit": 10**30}}, "task_settings.limit: a whole number of at most 64 bits"),
        ({"overrides": {}}, "Expected `array`, got `object`"),
        ({"task_settings": {"a": DEEP}}, "maximum recursion depth"),
    ],
)
def test_a_damaged_plan_is_told(tmp_path: Path, change: Any, message: str) -> None:
    folder = tmp_path / "out"
    run(folder, "Knows")
    path = folder / "plan.json"
    whole = json.loads(path.read_text())
    path.write_text("{" if change is None else json.dumps(whole | change).replace(f'"{DEEP}"', "[" * 100_000))
    with pytest.raises(DataError, match=rf"plan.json: not the plan of a comparison: .*{message}.*; give another"):
        run(folder, "Knows")
    whole.pop("source")
    path.write_text(json.dumps(whole))
    with pytest.raises(DataError, match="missing required field `source`; give another folder"):
        run(folder, "Knows")


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("90s", Budget(seconds=90)),
        ("10m", Budget(seconds=600)),
        ("1.5h", Budget(seconds=5400)),
        ("50_000q", Budget(examples=50_000)),
        ("2,000q", Budget(examples=2000)),
    ],
)
def test_budgets_are_read(text: str, budget: Budget) -> None:
    assert read_budget(text) == budget


@pytest.mark.parametrize("text", ["", "10", "m", "0s", "-3s", "1d", "infq", "nan", "xs", "1e999q"])
def test_what_is_no_budget_is_refused(text: str) -> None:
    with pytest.raises(RecipeError, match="budget"):
        read_budget(text)


def test_accuracy_of_nothing_is_nothing() -> None:
    assert accuracy([], []) == 0.0


def test_clevr_by_exact_and_parsed_programs_and_by_type(tmp_path: Path) -> None:
    from nsreason.generators import write_dataset

    write_dataset(tmp_path / "data", scenes=12, questions_per_scene=5, seed=3)
    comparison = compare(
        "clevr",
        tmp_path / "data",
        ["exact", "exact-parsed", "question-type"],
        tmp_path / "out",
        task_settings={"test": 0.5},
        budget=Budget(examples=30),
        sizes=[20],
    )
    exact, parsed, mode = comparison.runs
    assert comparison.failed == () and all(comparison.right(exact)) and all(comparison.right(parsed))
    assert mode.learned and mode.examples == 20 and mode.epochs == 1
    assert 0 < sum(comparison.right(mode)) < len(comparison.queries)
    assert comparison.trained["objects"][1] <= 10 and "program length" in comparison.trained
    first = comparison.examples[0]
    assert first.of == "exact" and first.trace is not None and "scene" in first.trace
    assert first.scene is not None and first.scene.startswith("<svg")


def test_trained_models_are_taken_instead_of_training(tmp_path: Path) -> None:
    from nsreason.generators import write_dataset

    write_dataset(tmp_path / "data", scenes=12, questions_per_scene=5, seed=3)
    plan: dict[str, Any] = {"task_settings": {"test": 0.5}, "budget": Budget(examples=30)}
    learned = compare("clevr", tmp_path / "data", ["lstm"], tmp_path / "first", **plan)
    assert learned.failed == () and learned.runs[0].learned
    [run_folder] = (tmp_path / "first" / "runs").iterdir()
    taken = {
        "lstm": str(
            run_folder / "best.safetensors"
            if (run_folder / "best.safetensors").exists()
            else run_folder / "last.safetensors"
        )
    }
    again = compare("clevr", tmp_path / "data", ["lstm"], tmp_path / "again", checkpoints=taken, train=False, **plan)
    assert again.failed == ()
    assert again.runs[0].answers == learned.runs[0].answers and not again.runs[0].learned
    assert again.runs[0].size is None and again.runs[0].parameters == learned.runs[0].parameters
    assert len(learned.runs[0].answers) == len(learned.queries) > 0
    wrong = {"mlp": taken["lstm"]}
    other = compare("clevr", tmp_path / "data", ["mlp"], tmp_path / "other", checkpoints=wrong, **plan)
    assert other.failed == other.runs and "of the model 'lstm', not of 'mlp'" in str(other.runs[0].failure)


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")])
def test_memory_that_ran_out_is_told_in_words(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(*_: object) -> None:
        raise error

    monkeypatch.setattr(f"{TOYS}.Toy.answer", answer)
    [failure] = [r.failure for r in run(tmp_path / "out", "Knows", failing=["Knows"]).runs]
    assert failure is not None and failure.startswith("it ran out of memory; a smaller training.batch_size needs less")


@pytest.mark.parametrize("bf16", [False, True])
def test_networks_that_read_learn_on_machines_of_either_kind(
    bf16: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from nsreason.generators import write_dataset

    monkeypatch.setattr("nsreason.training.devices.native_bf16", lambda kind: bf16)
    caplog.set_level("INFO", "nsreason")
    write_dataset(tmp_path / "data", scenes=8, questions_per_scene=5, seed=3)
    comparison = compare(
        "clevr",
        tmp_path / "data",
        ["lstm", "relation-network"],
        tmp_path / "out",
        task_settings={"test": 0.5},
        budget=Budget(examples=20),
    )
    assert comparison.failed == ()
    precision = "bf16-mixed" if bf16 else "32"
    assert [r.settings["precision"] for r in comparison.runs] == [precision] * 2
    messages = [r.getMessage() for r in caplog.records if r.name.startswith("nsreason")]
    assert len(messages) == 2  # once for each that learns
    assert all(t.startswith(f"precision: {precision}, ") for t in messages)


def test_settings_of_recipes_for_all_or_for_one() -> None:
    plan = ComparisonSettings("clevr", "data", overrides=("training.lr=1", "lstm:training.lr=2", "data.note=a:b"))
    assert plan.overrides_of("lstm") == ("training.lr=1", "training.lr=2", "data.note=a:b")
    assert plan.overrides_of("mlp") == ("training.lr=1", "data.note=a:b")
