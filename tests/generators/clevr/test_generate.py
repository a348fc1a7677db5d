"""Synthetic CLEVR: scenes by the rules, questions in which every word matters, files that all readers read."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from nsreason.cli.app import app
from nsreason.data import QuestionRecord, load_scenes, read_questions
from nsreason.dsl.domain import Domain, load_domain, parse_domain
from nsreason.errors import ConversionError, DataError, DomainError, NotUnique
from nsreason.evaluation.question_files import Programs, evaluate_files
from nsreason.executors import execute, spell
from nsreason.generators import (
    SHAPES,
    Balance,
    choose_families,
    draw_questions,
    families_of,
    generate_questions,
    generate_scenes,
    idle_calls,
    probe_questions,
    read_families,
    write_dataset,
)
from nsreason.generators.clevr.placement import SceneCamera, clevr_rules, directions
from nsreason.language.question_parser import parse_question
from nsreason.programs.canonical import equivalent
from nsreason.programs.program import Call, Program
from nsreason.programs.text_reader import parse_program
from nsreason.scenes.scene import Scene
from tests.support import brute_force

CLEVR = load_domain("clevr")
RULES = clevr_rules()
SCENES, EACH = 160, 10  # three blocks, the last one short


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("synthetic")
    write_dataset(out, scenes=SCENES, questions_per_scene=EACH, seed=5)
    return out


@pytest.fixture(scope="module")
def scenes(folder: Path) -> list[Scene]:
    return load_scenes(folder / "scenes.json").scenes


@pytest.fixture(scope="module")
def questions(folder: Path) -> list[QuestionRecord]:
    records = list(read_questions(folder / "questions.json"))
    kept = [q for q in records if isinstance(q, QuestionRecord)]
    assert len(kept) == len(records)
    return kept


@pytest.fixture(scope="module")
def asked(scenes: list[Scene], questions: list[QuestionRecord]) -> list[tuple[QuestionRecord, Program, Scene]]:
    pairs = []
    for question in questions:
        program = question.given_program()
        assert program is not None and question.image_index is not None
        pairs.append((question, program, scenes[question.image_index]))
    return pairs


def raw(path: Path, key: str) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = json.loads(path.read_bytes())[key]
    return records


# --- scenes -----------------------------------------------------------------------------------------------------------


def test_objects_keep_clevrs_distances_and_margins(scenes: list[Scene]) -> None:
    along = directions(RULES)
    for scene in scenes:
        for one, other in itertools.combinations(scene.places, 2):
            assert one.coords is not None and other.coords is not None
            apart = math.dist(one.coords[:2], other.coords[:2])
            assert apart - one.coords[2] - other.coords[2] >= 0.25  # the centre is as high as its circle is wide
            for name in CLEVR.relations:
                shift = sum(v * (a - b) for v, a, b in zip(along[name], one.coords, other.coords, strict=True))
                assert abs(shift) >= 0.4


def test_sizes_counts_and_places_are_clevrs(scenes: list[Scene]) -> None:
    assert {len(scene) for scene in scenes} == set(range(3, 11))
    for scene in scenes:
        for i, place in enumerate(scene.places):
            assert place.coords is not None and place.pixel_coords is not None and place.rotation is not None
            x, y, z = place.coords
            assert max(abs(x), abs(y)) <= 3 and z == {"large": 0.7, "small": 0.35}[scene.value(i, "size")]
            assert 0 <= place.pixel_coords[0] < 480 and 0 <= place.pixel_coords[1] < 320
            assert 0 <= place.rotation < 360


def test_every_value_occurs_about_as_often_as_any_other() -> None:
    given = Counter(s.value(i, a) for s in generate_scenes(400, 1) for a in CLEVR.attributes for i in range(len(s)))
    for attribute in CLEVR.attributes:
        counts = [given[v] for v in CLEVR.values(attribute)]
        # Large objects find room less often, so a scene that is begun anew has fewer of them, as in CLEVR itself.
        assert min(counts) > 0.75 * sum(counts) / len(counts)


def test_relationships_are_those_of_the_annotated_rule(folder: Path) -> None:
    for record in raw(folder / "scenes.json", "scenes"):
        assert set(record["directions"]) == {"left", "right", "front", "behind", "above", "below"}
        for name, rows in record["relationships"].items():
            vector = record["directions"][name]
            coords = [o["3d_coords"] for o in record["objects"]]
            for i, row in enumerate(rows):
                shifts = [sum(v * (b - a) for v, a, b in zip(vector, coords[i], c, strict=True)) for c in coords]
                assert row == [j for j, shift in enumerate(shifts) if j != i and shift > 0.2]


def test_a_scene_hangs_on_its_seed_and_number_alone() -> None:
    many = [s.to_dict() for s in generate_scenes(6, 3)]
    assert [s.to_dict() for s in generate_scenes(2, 3, start=4)] == many[4:]
    assert [s.to_dict() for s in generate_scenes(6, 4)] != many
    assert len({json.dumps(s["objects"]) for s in many}) == 6


@pytest.mark.parametrize("condition", ["A", "B"])
def test_cogent_conditions(condition: str) -> None:
    some, others = {"gray", "blue", "brown", "yellow"}, {"red", "green", "purple", "cyan"}
    colors = defaultdict(set)
    for scene in generate_scenes(80, 0, condition=condition):
        for i in range(len(scene)):
            colors[scene.value(i, "shape")].add(scene.value(i, "color"))
    cubes, cylinders = (some, others) if condition == "A" else (others, some)
    assert colors == {"cube": cubes, "cylinder": cylinders, "sphere": some | others}


def test_numbers_of_objects_may_be_chosen() -> None:
    assert {len(s) for s in generate_scenes(30, 0, objects=(1, 2))} == {1, 2}
    assert {len(s) for s in generate_scenes(2, 0, objects=(12, 12))} == {12}


def test_scene_options_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="1 object or more"):
        generate_scenes(1, 0, objects=(4, 3))
    with pytest.raises(ValueError, match="0 or more"):
        generate_scenes(-1, 0)
    with pytest.raises(DomainError, match="no condition 'C'"):
        generate_scenes(1, 0, condition="C")


def test_a_crowd_that_finds_no_room_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nsreason.generators.clevr.scenes.TRIES", 20)
    with pytest.raises(DomainError, match="scene 7: 30 objects found no room"):
        next(generate_scenes(1, 0, start=7, objects=(30, 30)))


def test_the_camera_sees_the_directions_as_they_are_named() -> None:
    camera_rules = RULES.camera
    camera = SceneCamera.at(camera_rules.location, camera_rules)
    assert camera.project((0.0, 0.0, 0.0))[:2] == pytest.approx((240, 160))
    for (a, b), same in zip(itertools.product(camera.axes, repeat=2), [1, 0, 0, 0, 1, 0, 0, 0, 1], strict=True):
        assert sum(p * q for p, q in zip(a, b, strict=True)) == pytest.approx(same)
    column, row, depth = camera.project((0.0, 0.0, 0.0))
    moved = {name: camera.project(vector) for name, vector in camera.directions().items()}
    assert moved["left"][0] < column < moved["right"][0]
    assert moved["front"][1] > row > moved["behind"][1] and moved["front"][2] < depth < moved["behind"][2]
    assert moved["above"][1] < row < moved["below"][1]


# --- families ---------------------------------------------------------------------------------------------------------


def test_clevr_has_a_family_for_each_official_template() -> None:
    groups = Counter(f.name.partition("/")[0] for f in families_of(CLEVR))
    assert groups == {
        "zero_hop": 6,
        "one_hop": 6,
        "two_hop": 6,
        "three_hop": 6,
        "compare_integer": 9,
        "comparison": 16,
        "same_relate": 28,
        "single_and": 5,
        "single_or": 8,
    }
    names = [f.name for f in families_of(CLEVR)]
    assert len(set(names)) == 90 and [f.number for f in families_of(CLEVR)] == list(range(90))
    assert {"same_relate/query[color][size]", "one_hop/exist"} <= set(names)


def test_families_are_chosen_by_name_or_group() -> None:
    assert len(choose_families(CLEVR, ["single_and", "zero_hop/count"])) == 6
    with pytest.raises(DomainError, match="no question family 'one_hop/coutn'; did you mean 'one_hop/count'"):
        choose_families(CLEVR, ["one_hop/coutn"])
    with pytest.raises(DomainError, match="known: zero_hop, one_hop"):
        choose_families(CLEVR, ["xyz"])


def test_a_shape_with_an_unknown_word_is_refused() -> None:
    with pytest.raises(DomainError, match="family 'mine': 'uniqeu' is neither an op nor a wildcard"):
        read_families(CLEVR, (("mine", "scene * uniqeu query[A]"),))


def small_domain(more: str = "") -> Domain:
    return parse_domain(
        'name = "small"\nquestions = "clevr_questions.lark"\n'
        '[attributes.color]\nwords = ["color"]\n[attributes.color.values]\nred = {adjectives = ["red"]}\n'
        'blue = {adjectives = ["blue"]}\n[attributes.kind.values]\nball = {nouns = ["ball"]}\n' + more
    )


def test_families_suit_the_domain() -> None:
    """Without relations there is no `relate`; an attribute of one value is not asked for; ops may be fewer."""
    names = {f.name for f in families_of(small_domain())}
    assert {"zero_hop/query[color]", "same_relate/count[color]", "single_or/count"} <= names
    assert not any("kind" in n or ("hop/" in n and "zero" not in n) for n in names)
    few = Domain(msgspec.structs.replace(CLEVR.file, ops=("scene", "filter", "count")))
    assert [f.name for f in families_of(few)] == ["zero_hop/count"]


# --- necessity --------------------------------------------------------------------------------------------------------


def line(*objects: str) -> Scene:
    """Objects in a row from left to right, each as `small red metal cube`."""
    values = [dict(zip(("size", "color", "material", "shape"), o.split(), strict=True)) for o in objects]
    along = directions(RULES)["right"]
    data: list[dict[str, object]] = [{**o, "3d_coords": [i * v for v in along]} for i, o in enumerate(values)]
    return Scene.of("clevr", data, directions=directions(RULES))


@pytest.mark.parametrize(
    ("text", "idle"),
    [
        ("count(filter[red](filter[cube](scene())))", ["red", "cube"]),  # the red things are the cubes
        ("count(filter[metal](filter[cube](scene())))", []),
        ("count(filter[red](filter[metal](filter[cube](scene()))))", ["red", "cube"]),  # one of them will do
        ("exist(filter[green](scene()))", []),  # there is none, and there is something
        ("exist(filter[green](filter[cube](scene())))", ["cube"]),  # nothing is green anyway
        ("exist(filter[blue](filter[cube](scene())))", []),
        ("count(filter[sphere](relate[left](unique(filter[sphere](scene())))))", []),
        ("query[color](unique(filter[sphere](scene())))", []),
        ("query[material](unique(filter[blue](filter[sphere](scene()))))", ["blue", "sphere"]),
        ("count(filter[cube](relate[left](unique(filter[sphere](scene())))))", ["left", "cube"]),
        ("count(filter[metal](relate[left](unique(filter[sphere](scene())))))", []),
        ("count(filter[rubber](relate[left](unique(filter[sphere](scene())))))", ["left"]),
        ("count(same[material](unique(filter[sphere](scene()))))", []),
        ("count(filter[cube](same[size](unique(filter[sphere](scene())))))", ["size", "cube"]),
        ("count(union(filter[red](scene()), filter[cube](scene())))", ["union"]),
        ("count(union(filter[rubber](scene()), filter[sphere](scene())))", []),
        ("count(filter[red](union(filter[cube](scene()), filter[sphere](scene()))))", ["cube", "sphere", "union"]),
        ("filter[small](scene())", ["small"]),
    ],
)
def test_a_call_without_which_the_phrase_means_the_same_is_idle(text: str, idle: list[str]) -> None:
    scene = line("small red metal cube", "small red rubber cube", "small blue metal sphere")
    program = parse_program(text)
    calls = [program.calls[n] for n in idle_calls(program, scene)]
    assert {c.literals[0] if c.literals else c.op for c in calls} == set(idle)


def test_a_program_without_an_answer_has_no_idle_calls() -> None:
    with pytest.raises(NotUnique):
        idle_calls(parse_program("query[color](unique(filter[cube](scene())))"), line("small red metal sphere"))


def without(program: Program, node: int, instead: int | None) -> Program:
    """The program up to its end with call `node` replaced by its input `instead`, or by the scene."""
    calls: list[Call] = []
    place: dict[int, int] = {}

    def emit(n: int) -> int:
        if n == node and instead is not None:
            return emit(program.inputs[n][instead])
        call = Call("scene") if n == node else program.calls[n]
        inputs = tuple(emit(i) for i in call.inputs)
        calls.append(Call(call.op, call.literals, inputs))
        place[n] = len(calls) - 1
        return len(calls) - 1

    emit(len(program) - 1)
    return Program(calls, program.domain)


def part(program: Program, node: int) -> Program:
    """The program of one call and all under it."""
    kept: list[int] = []
    stack = [node]
    while stack:
        n = stack.pop()
        kept.append(n)
        stack.extend(program.inputs[n])
    place = {n: i for i, n in enumerate(sorted(kept))}
    calls = [program.calls[n]._replace(inputs=tuple(place[i] for i in program.inputs[n])) for n in place]
    return Program(calls, program.domain)


DROPPED = {"filter": (0,), "intersect": (0, 1), "union": (0, 1), "relate": (None,), "same": (None,)}


def test_no_word_of_a_generated_question_could_be_left_out(asked: list[tuple[QuestionRecord, Program, Scene]]) -> None:
    """The same as `idle_calls`, said plainly: shorten each noun phrase in every way and execute it."""
    dropped = 0
    for _, program, scene in asked[::4]:
        for head, call in enumerate(program.calls):
            if call.op not in ("unique", "count", "exist"):
                continue
            phrase = part(program, call.inputs[0])
            meant = execute(phrase, scene)
            inner = set(itertools.chain.from_iterable(_under_unique(phrase)))
            for node, inside in enumerate(phrase.calls):
                for instead in DROPPED.get(inside.op, ()) if node not in inner else ():
                    assert execute(without(phrase, node, instead), scene) != meant, (str(program), head, node)
                    dropped += 1
        assert idle_calls(program, scene) == ()
    assert dropped > 1000


def _under_unique(phrase: Program) -> list[list[int]]:
    """The calls of the noun phrases inside a noun phrase, which are looked at by themselves."""
    calls = []
    for node, call in enumerate(phrase.calls):
        if call.op == "unique":
            stack, inside = [node], []
            while stack:
                n = stack.pop()
                inside.append(n)
                stack.extend(phrase.inputs[n])
            calls.append(inside)
    return calls


# --- questions --------------------------------------------------------------------------------------------------------


def test_answers_are_those_of_execution(asked: list[tuple[QuestionRecord, Program, Scene]]) -> None:
    for question, program, scene in asked:
        assert question.answer == spell(execute(program, scene))
        assert question.answer == spell(brute_force.evaluate(program, scene.to_dict()))


def test_texts_mean_the_programs_in_many_wordings(asked: list[tuple[QuestionRecord, Program, Scene]]) -> None:
    openings, words = set(), set()
    for question, program, _ in asked[::3]:
        assert question.question is not None
        assert equivalent(parse_question(question.question), program)
        openings.add(" ".join(question.question.split()[:2]))
        words.update(question.question.rstrip("?").split())
    assert len(openings) >= 10
    assert {"large", "big", "rubber", "matte", "cubes", "blocks", "thing", "object"} <= words


def test_no_question_is_asked_twice_of_a_scene(asked: list[tuple[QuestionRecord, Program, Scene]]) -> None:
    assert len({(question.image_index, program) for question, program, _ in asked}) == len(asked)


def top_filters(program: Program, node: int) -> tuple[int, set[str]]:
    """The call under the filters on top of a set, and their values."""
    concepts = set()
    while program.calls[node].op == "filter":
        concepts.add(program.calls[node].literals[0])
        node = program.inputs[node][0]
    return node, concepts


def test_a_question_does_not_say_what_it_asks_for(asked: list[tuple[QuestionRecord, Program, Scene]]) -> None:
    checked = 0
    for _, program, _ in asked:
        for node, call in enumerate(program.calls):
            if call.op in ("query", "same"):
                unique = program.inputs[node][0]
                _, said = top_filters(program, program.inputs[unique][0])
                assert not said & set(CLEVR.values(call.literals[0]))
                checked += 1
            base, said = top_filters(program, node)
            if program.calls[base].op == "same":
                assert not said & set(CLEVR.values(program.calls[base].literals[0]))
    assert checked > 500


def test_chains_do_not_lead_back_and_sides_differ(asked: list[tuple[QuestionRecord, Program, Scene]]) -> None:
    for _, program, scene in asked:
        named: list[list[object]] = []  # per call, the objects that its chain names
        for node, call in enumerate(program.calls):
            below = [named[i] for i in program.inputs[node]]
            chain = [o for b in below for o in b] if len(below) < 2 else []
            if call.op == "unique":
                chosen = execute(part(program, node), scene)
                assert chosen not in chain
                chain = [*chain, chosen]
            if len(below) == 2 and all(below):
                assert below[0][-1] != below[1][-1]
            named.append(chain)


def test_compared_numbers_are_not_told_by_the_words_alone(asked: list[tuple[QuestionRecord, Program, Scene]]) -> None:
    compared = 0
    for question, program, _ in asked:
        if question.template_filename in ("compare_integer/equal", "compare_integer/less", "compare_integer/greater"):
            (_, few), (_, many) = (top_filters(program, program.inputs[i][0]) for i in program.inputs[-1])
            assert few and many and not few <= many and not many <= few
            compared += 1
    assert compared > 20


def test_all_families_occur(questions: list[QuestionRecord]) -> None:
    assert {q.template_filename for q in questions} == {f.name for f in families_of(CLEVR)}
    numbers = {f.name: f.number for f in families_of(CLEVR)}
    assert all(q.question_family_index == numbers[q.template_filename or ""] for q in questions)


def test_answers_are_balanced(asked: list[tuple[QuestionRecord, Program, Scene]]) -> None:
    given: dict[str, Counter[str]] = defaultdict(Counter)
    for question, program, _ in asked:
        last = program.calls[-1]
        unit = program.calls[program.inputs[-1][0]].literals if last.op == "equal" else last.literals
        given[" ".join((last.op, *unit))][question.answer or ""] += 1
    assert len(given) == 13
    for kind, answers in given.items():
        total = answers.total()
        if set(answers) == {"yes", "no"}:
            assert 0.4 <= answers["yes"] / total <= 0.6, kind
        elif kind.startswith("query"):
            values = CLEVR.values(kind.split()[1])
            assert all(0.6 <= answers[v] * len(values) / total <= 1.4 for v in values), (kind, answers)
        else:
            assert set("0123456") <= set(answers) and max(answers.values()) < 0.35 * total, answers


def test_a_balance_refuses_what_was_given_too_often() -> None:
    family, balance = families_of(CLEVR)[1], Balance()
    assert balance.admits(family, "yes", 0.5)
    balance.add(family, "yes")
    assert not balance.admits(family, "yes", 0.5) and balance.admits(family, "no", 0.5)
    balance.add(family, "no")
    assert balance.admits(family, "yes", 0.5) and balance.admits(family, "no", 0.5)


@pytest.mark.parametrize("answers", range(2, 12))
def test_answers_that_were_given_alike_often_are_all_admitted(answers: int) -> None:
    """A tie that rounding turned into a refusal of every answer would silence the family for good."""
    family, balance = families_of(CLEVR)[0], Balance()
    for _ in range(200):
        for answer in map(str, range(answers)):
            assert balance.admits(family, answer, 1 / answers)
            balance.add(family, answer)
            assert not balance.admits(family, answer, 1 / answers) or answer == str(answers - 1)


def test_questions_hang_on_seed_and_scene() -> None:
    first, second = generate_scenes(2, 0)
    assert generate_questions(first, 5, 1) == generate_questions(first, 5, 1)
    assert generate_questions(first, 5, 1) != generate_questions(first, 5, 2)
    assert generate_questions(first, 5, 1) != generate_questions(second, 5, 1)
    assert [q.index for q in generate_questions(second, 5, 1)] == [5, 6, 7, 8, 9]


def test_a_scene_gives_the_questions_that_it_has() -> None:
    (zero,) = choose_families(CLEVR, ["zero_hop/query[shape]"])
    alone = line("small red metal cube")
    assert [str(q.program) for q in draw_questions(alone, 10, 0, families=[zero])] == ["query[shape](unique(scene()))"]
    assert draw_questions(Scene.of("clevr", []), 10, 0) == []
    two = line("small red metal cube", "small blue metal sphere")
    drawn = draw_questions(two, 10, 0, families=[zero])
    assert {str(q.program) for q in drawn} == {
        "query[shape](unique(filter[red](scene())))",
        "query[shape](unique(filter[blue](scene())))",
    }


def test_probes_count_every_concept(scenes: list[Scene]) -> None:
    for scene in scenes[:3]:
        probes = probe_questions(scene)
        assert [p.template_filename for p in probes] == [f"probe/{c}" for c in CLEVR.concepts]
        for concept, probe in zip(CLEVR.concepts, probes, strict=True):
            attribute = CLEVR.attribute_of[concept]
            assert probe.answer == str(sum(scene.value(i, attribute) == concept for i in range(len(scene))))
            assert probe.question is not None and probe.image_index == scene.index
            assert spell(execute(parse_question(probe.question), scene)) == probe.answer
    indices = [p.index for scene in scenes[:3] for p in probe_questions(scene)]
    assert indices == list(range(3 * len(CLEVR.concepts)))


def test_other_domains_have_questions_too() -> None:
    """The kitchen has five attributes, and relations that no coordinates give."""
    domain = load_domain("kitchen")
    listed = [(attribute, domain.values(attribute)) for attribute in domain.attributes]
    objects = [{a: v[i * (k + 1) % len(v)] for k, (a, v) in enumerate(listed)} for i in range(6)]
    later = [[j for j in range(6) if j > i] for i in range(6)]
    others = [[j for j in range(6) if j != i] for i in range(6)]
    relationships: dict[str, list[list[int]]] = {}
    for relation in domain.relations:
        inverse = domain.inverse(relation)
        if inverse is None or inverse not in relationships:
            relationships[relation] = others if inverse == relation else later
    scene = Scene.of(domain, objects, relationships=relationships, index=3)
    drawn = draw_questions(scene, 30, 0)
    assert len(drawn) == 30
    for question in drawn:
        assert spell(execute(question.program, scene)) == question.answer
        assert equivalent(parse_question(question.text, domain), question.program)
        assert idle_calls(question.program, scene) == ()
    assert any(call.op == "relate" for question in drawn for call in question.program.calls)
    with pytest.raises(ConversionError, match="no \\[native\\] table"):
        generate_questions(scene, 1, 0)


def test_a_domain_of_one_attribute_and_no_relations_has_questions() -> None:
    domain = parse_domain(
        'name = "bare"\nquestions = "clevr_questions.lark"\n[attributes.color]\nwords = ["color"]\n'
        '[attributes.color.values]\nred = {adjectives = ["red"]}\nblue = {adjectives = ["blue"]}\n'
    )
    scene = Scene.of(domain, [{"color": "red"}, {"color": "blue"}, {"color": "blue"}])
    for seed in range(10):
        drawn = draw_questions(scene, 5, seed)
        assert drawn and all(spell(execute(q.program, scene)) == q.answer for q in drawn)


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("programs", ["given", "parsed"])
def test_every_answer_is_right_by_given_and_by_parsed_programs(folder: Path, programs: Programs) -> None:
    report = evaluate_files(folder / "questions.json", folder / "scenes.json", programs=programs, on_error="raise")
    assert report.questions == report.overall.right == SCENES * EACH
    assert report.bad.count == report.bad_scenes.count == 0
    assert report.match.right == (SCENES * EACH if programs == "parsed" else 0)


def test_records_have_the_official_keys(folder: Path) -> None:
    scene, question = raw(folder / "scenes.json", "scenes")[0], raw(folder / "questions.json", "questions")[0]
    keys = {"image_index", "image_filename", "split", "directions", "objects", "relationships"}
    assert set(scene) == keys and scene["image_filename"] == "CLEVR_new_000000.png"
    assert set(scene["objects"][0]) == {*CLEVR.attributes, "3d_coords", "pixel_coords", "rotation"}
    assert {"question", "answer", "program", "question_index", "question_family_index", "split"} <= set(question)
    assert set(question["program"][0]) == {"function", "inputs", "value_inputs"}
    info = json.loads((folder / "questions.json").read_bytes())["info"]
    assert (info["seed"], info["scenes"], info["objects"], info["split"]) == (5, SCENES, [3, 10], "new")


def test_fewer_scenes_are_the_beginning_of_more_and_processes_do_not_matter(folder: Path, tmp_path: Path) -> None:
    write_dataset(tmp_path, scenes=100, questions_per_scene=EACH, seed=5, jobs=2)
    for name, key, count in (("scenes.json", "scenes", 100), ("questions.json", "questions", 100 * EACH)):
        assert raw(tmp_path / name, key) == raw(folder / name, key)[:count]
    assert [q["question_index"] for q in raw(tmp_path / "questions.json", "questions")] == list(range(100 * EACH))


def test_the_same_options_make_the_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_dataset(tmp_path / name, scenes=3, questions_per_scene=4, seed=seed, condition="A", families=["one_hop"])
    for file in ("scenes.json", "questions.json", "dataset.json"):
        a, b, c = ((tmp_path / name / file).read_bytes() for name in "abc")
        assert a == b != c
    names = {q["template_filename"] for q in raw(tmp_path / "a" / "questions.json", "questions")}
    assert all(name.startswith("one_hop/") for name in names)


def test_a_run_that_fails_leaves_the_old_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_dataset(tmp_path, scenes=2, questions_per_scene=2)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    monkeypatch.setattr("nsreason.generators.clevr.scenes.TRIES", 5)
    with pytest.raises(DomainError, match="found no room"):
        write_dataset(tmp_path, scenes=2, questions_per_scene=2, objects=(40, 40), overwrite=True)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be made"):
        write_dataset(tmp_path / "file", scenes=1)


def test_a_summary_counts_what_was_written(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    summary = write_dataset(tmp_path, scenes=70, questions_per_scene=3, progress=lambda a, b: seen.append((a, b)))
    assert (summary.scenes, summary.questions, summary.asked_for) == (70, 210, 210) and seen == [(64, 70), (70, 70)]
    answers = Counter(q["answer"] for q in raw(tmp_path / "questions.json", "questions"))
    assert sum(summary.answers.values(), Counter()) == answers
    assert summary.families.total() == 210 and summary.objects.total() == 70
    few = write_dataset(tmp_path, scenes=1, questions_per_scene=50, families=["zero_hop/exist"], overwrite=True)
    assert few.questions < few.asked_for == 50


# --- the command line -------------------------------------------------------------------------------------------------


def run(*args: str) -> Any:
    return CliRunner().invoke(app, ["generate", *args], env={"COLUMNS": "100"})


def test_the_command_writes_files_and_prints_a_table(tmp_path: Path) -> None:
    out = tmp_path / "made"
    result = run("clevr", "--scenes", "8", "--questions-per-scene", "5", "--seed", "2", "--out", str(out))
    assert result.exit_code == 0, result.output
    assert "8 scenes, 40 questions" in result.stdout and "query_color" in result.stdout
    assert len(load_scenes(out / "scenes.json")) == 8 and len(list(read_questions(out / "questions.json"))) == 40


def test_the_command_as_json(tmp_path: Path) -> None:
    options = ["--min-objects", "4", "--max-objects", "5", "--condition", "B", "--split", "mine", "--json"]
    result = run("clevr", "--scenes", "6", "--out", str(tmp_path), "--family", "zero_hop", *options)
    summary = json.loads(result.stdout)
    assert (summary["dataset"], summary["scenes"]) == ("clevr", 6) and set(summary["objects"]) <= {"4", "5"}
    assert all(name.startswith("zero_hop/") for name in summary["families"])
    assert raw(tmp_path / "scenes.json", "scenes")[0]["image_filename"] == "CLEVR_mine_000000.png"


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--min-objects", "5", "--max-objects", "4"], "--max-objects 4 is less than --min-objects 5"),
        (["--family", "two_hops"], "no question family 'two_hops'; did you mean 'two_hop'"),
    ],
)
def test_wrong_options_end_in_a_message(tmp_path: Path, args: list[str], says: str) -> None:
    result = run("clevr", "--scenes", "2", "--out", str(tmp_path / "out"), *args)
    assert result.exit_code == 2 and says in result.stderr
    assert not (tmp_path / "out" / "scenes.json").exists()


def test_the_table_of_shapes_is_in_order() -> None:
    groups = [name.partition("/")[0] for name, _ in SHAPES]
    assert [g for g, _ in itertools.groupby(groups)] == list(dict.fromkeys(groups))
