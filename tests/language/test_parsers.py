"""The contract of question parsers, over the grammar and a learnt one; and where programs come from."""

from __future__ import annotations

import itertools
import json
import math
import pickle
from pathlib import Path

import pytest

import nsreason
from nsreason.dsl.domain import load_domain
from nsreason.errors import DataError, DomainError, QuestionError, RecipeError
from nsreason.evaluation.question_files import evaluate_files
from nsreason.language.parsers import QuestionParser, parser_of, program_source
from nsreason.language.question_parser import GrammarParser, parse_question, question_parser, readings
from nsreason.programs.canonical import canonical
from nsreason.programs.text_reader import parse_program
from nsreason.queries.query import Query
from nsreason.reasoners.annotated_scenes import AnnotatedScenes
from nsreason.reasoners.executing import Executing, program_of
from nsreason.scenes.scene import Scene
from tests.support.toy_parser import CountingParser

CLEVR = load_domain("clevr")
TOY = "tests.support.toy_parser:CountingParser"
PARSERS = {"grammar": "grammar", "toy": TOY}
QUESTIONS = (
    "How many cubes are there?",
    "Is there a ball?",
    "What color is the ball?",
    "What color is the cube left of the ball behind the cylinder?",
    "Is a cube left of the ball behind the cylinder or in front of the cube?",
)


@pytest.fixture(params=PARSERS)
def parser(request: pytest.FixtureRequest) -> QuestionParser:
    return parser_of(PARSERS[request.param], CLEVR)


# --- the contract ---


@pytest.mark.parametrize("text", QUESTIONS)
def test_candidates_are_different_programs_by_probability(parser: QuestionParser, text: str) -> None:
    ranked = parser.candidates(text, 10)
    scores = [score for _, score in ranked]
    assert 1 <= len(ranked) <= 10
    assert scores == sorted(scores, reverse=True)
    assert all(score <= 0 for score in scores) and sum(map(math.exp, scores)) <= 1 + 1e-9
    assert len({canonical(program) for program, _ in ranked}) == len(ranked)
    assert all(program.domain == CLEVR for program, _ in ranked)
    assert parser.candidates(text, 10) == ranked, "the same each time"


@pytest.mark.parametrize("text", QUESTIONS)
def test_parse_gives_the_first_candidate(parser: QuestionParser, text: str) -> None:
    [(program, _)] = parser.candidates(text, 1)
    assert parser.parse(text) == program


def test_it_names_its_domain(parser: QuestionParser) -> None:
    assert parser.domain == CLEVR


def test_what_is_not_understood_is_a_question_error(parser: QuestionParser) -> None:
    with pytest.raises(QuestionError):
        parser.parse("Xyzzy plugh?")
    with pytest.raises(QuestionError):
        parser.candidates("Xyzzy plugh?", 3)
    with pytest.raises(ValueError, match="at least 1 candidate, got 0"):
        parser.candidates(QUESTIONS[0], 0)


def test_its_programs_are_executed(parser: QuestionParser) -> None:
    scene = Scene.of(CLEVR, [{"size": "large", "color": "red", "material": "metal", "shape": "sphere"}])
    query = Query(0, "What color is the ball?", "red", "query", {"scene": scene})
    [reply] = Executing(AnnotatedScenes(), parser, CLEVR).answer([query])
    assert (reply.answer, reply.error) == ("red", None)
    trace = Executing(AnnotatedScenes(), parser, CLEVR).trace(query)
    assert trace is not None and trace.answer == "red"


# --- the grammar's weights ---


def test_the_only_reading_is_certain() -> None:
    assert question_parser(CLEVR).candidates("How many cubes are there?", 5) == [
        (parse_question("How many cubes are there?"), 0.0)
    ]


def test_each_reading_has_half_the_weight_of_the_one_before() -> None:
    text = QUESTIONS[-1]
    ranked = question_parser(CLEVR).candidates(text, 1000)
    assert [program for program, _ in ranked] == readings(text)
    assert len(ranked) > 2
    assert math.isclose(sum(math.exp(score) for _, score in ranked), 1)
    assert all(math.isclose(a - b, math.log(2)) for (_, a), (_, b) in itertools.pairwise(ranked))
    assert question_parser(CLEVR).candidates(text, 2) == ranked[:2], "how many are wanted changes no probability"


def test_a_grammar_parser_goes_to_another_process() -> None:
    copy = pickle.loads(pickle.dumps(question_parser(CLEVR)))
    assert isinstance(copy, GrammarParser) and copy.parse(QUESTIONS[0]) == parse_question(QUESTIONS[0])


# --- where programs come from ---


def test_the_source_of_programs() -> None:
    program = parse_program("count(scene())")
    query = Query(7, "How many cubes are there?", "1", "count", {}, program)
    assert program_source("given", CLEVR) == "given"
    assert program_of(query, "given", CLEVR) == program
    grammar = program_of(query, "parsed", CLEVR)
    assert grammar == program_of(query, "grammar", "clevr") == program_of(query, question_parser(CLEVR), CLEVR)
    assert str(grammar) == "count(filter[cube](scene()))" == str(program_of(query, TOY, CLEVR))
    assert parser_of(TOY, "clevr") is parser_of(TOY, CLEVR), "built once"
    own = CountingParser(CLEVR, [("how many cubes", "count(filter[red](scene()))")])
    assert parser_of(own, CLEVR) is own
    assert str(program_of(query, own, CLEVR)) == "count(filter[red](scene()))"


DEMO = Path(nsreason.__file__).parent / "cli"


def test_a_question_file_is_answered_by_any_parser(tmp_path: Path) -> None:
    texts = ("How many cubes are there?", "Is there a ball?", "Is the ball left of the cube red?")
    records = [{"question": text, "image_index": 0, "answer": "no"} for text in texts]
    questions, scenes = tmp_path / "questions.json", DEMO / "demo_scene.json"
    questions.write_text(json.dumps({"questions": records}), encoding="utf-8")
    for programs in (TOY, CountingParser(CLEVR)):
        for jobs in (1, 2):
            report = evaluate_files(questions, scenes, programs=programs, jobs=jobs, out=tmp_path / "answers.jsonl")
            answers = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
            assert report.settings["programs"] == TOY
            assert [a["type"] for a in answers] == ["count", "exist", "query"], "it takes the likeliest it has seen"
    with pytest.raises(ValueError, match="resume needs the name of a parser"):
        evaluate_files(questions, scenes, programs=CountingParser(CLEVR), out=tmp_path / "a", resume=True)
    with pytest.raises(ValueError, match="programs is one of given, parsed, grammar, your own"):
        evaluate_files(questions, scenes, programs="guessed")
    with pytest.raises(RecipeError, match="cannot import no_such_module"):
        evaluate_files(questions, scenes, programs="no_such_module:Parser")


def test_no_program_and_no_text_are_bad_data() -> None:
    with pytest.raises(DataError, match="question 3 comes without a program"):
        program_of(Query(3, "How many cubes are there?", None, "count", {}), "given", CLEVR)
    with pytest.raises(DataError, match="question 3 has no text to parse"):
        program_of(Query(3, None, None, "count", {}), "parsed", CLEVR)


def test_a_name_that_is_no_parser() -> None:
    with pytest.raises(RecipeError, match="no parser 'gramar'; did you mean 'grammar'"):
        parser_of("gramar", CLEVR)
    with pytest.raises(RecipeError, match="is no question parser, it lacks candidates"):
        parser_of("tests.support.toy_parser:NoParser", CLEVR)
    with pytest.raises(DomainError, match="no domain 'clever'"):
        parser_of("grammar", "clever")
