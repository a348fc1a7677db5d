"""A question parser of one's own beside the grammar: it takes the program of the most similar example.

python examples/own_parser.py
"""

from __future__ import annotations

import math
import tempfile

from nsreason import Domain, Program, QuestionError, Scene, ask, load_domain, parse_program
from nsreason.comparison.comparer import compare
from nsreason.generators import write_dataset
from nsreason.reasoners.annotated_scenes import AnnotatedScenes
from nsreason.reasoners.executing import Executing
from nsreason.reasoners.reasoner import FitRequest, Reasoner

# A template has a place for one concept, which a word of the question fills.
TEMPLATES = {
    "how many things are there": "count(filter[{concept}](scene()))",
    "is there a are there any things": "exist(filter[{concept}](scene()))",
    "what color is the thing": "query[color](unique(filter[{concept}](scene())))",
    "what size is the thing": "query[size](unique(filter[{concept}](scene())))",
}


class NearestTemplate:
    """Scores each template by the words that it shares with a question."""

    def __init__(self, domain: Domain) -> None:
        self.domain = load_domain(domain)

    def parse(self, text: str) -> Program:
        return self.candidates(text, 1)[0][0]

    def candidates(self, text: str, most: int) -> list[tuple[Program, float]]:
        if most < 1:
            raise ValueError(f"at least 1 candidate, got {most}")
        words = text.lower().rstrip("?").split()
        concept = next((word for word in words if word in self.domain.concepts), None)
        if concept is None:
            raise QuestionError("no word of the question is a concept", text=text, position=0)
        shared = {program: len(set(words) & set(template.split())) for template, program in TEMPLATES.items()}
        total = sum(math.exp(n) for n in shared.values())
        likeliest = sorted(shared, key=lambda program: -shared[program])[:most]
        return [
            (parse_program(program.format(concept=concept), self.domain), shared[program] - math.log(total))
            for program in likeliest
        ]


class ByTemplates:
    """A reasoner for `compare`: the parser's programs, executed on annotated scenes."""

    learns, kind = False, "symbolic"

    @classmethod
    def build(cls, name: str, request: FitRequest) -> Reasoner:
        return Executing(AnnotatedScenes(), "__main__:NearestTemplate", request.domain)


def main() -> None:
    ball = {"size": "large", "color": "red", "material": "metal", "shape": "sphere"}
    scene = Scene.of("clevr", [ball, {**ball, "color": "blue"}])
    for question in ("How many red things are there?", "What size is the blue thing, please?"):
        print(question, ask(question, scene, parser="__main__:NearestTemplate"))
    for program, score in NearestTemplate(scene.domain).candidates("Are there any red things?", 2):
        print(f"{math.exp(score):.2f}  {program}")
    with tempfile.TemporaryDirectory() as folder:
        write_dataset(f"{folder}/clevr", scenes=30, questions_per_scene=10, seed=1)
        names = ["exact-parsed", "__main__:ByTemplates"]
        results = compare("clevr", f"{folder}/clevr", names, f"{folder}/report", task_settings={"test": 0.5})
        for run in results.runs:
            print(f"{run.reasoner:22}{100 * sum(results.right(run)) / len(results.queries):6.1f} %")


if __name__ == "__main__":
    main()
