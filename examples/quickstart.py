"""A question, its program, its answer, and the trace that shows how one led to the other.

python examples/quickstart.py
"""

from nsreason.dsl.domain import load_domain
from nsreason.executors import execute, trace
from nsreason.language.question_parser import parse_question
from nsreason.scenes.scene import Scene

# Four objects on a table, seen from the front: x grows to the right, y away from the viewer.
SCENE = Scene.of(
    load_domain("clevr"),
    [
        {"size": "large", "color": "red", "material": "metal", "shape": "cube", "3d_coords": [-2, 0, 0.7]},
        {
            "size": "small",
            "color": "blue",
            "material": "rubber",
            "shape": "sphere",
            "3d_coords": [0, 1, 0.35],
        },
        {
            "size": "small",
            "color": "red",
            "material": "rubber",
            "shape": "cylinder",
            "3d_coords": [1, -1, 0.35],
        },
        {
            "size": "large",
            "color": "green",
            "material": "rubber",
            "shape": "sphere",
            "3d_coords": [2, 2, 0.7],
        },
    ],
    directions={"left": [-1, 0, 0], "right": [1, 0, 0], "front": [0, -1, 0], "behind": [0, 1, 0]},
)

QUESTIONS = [
    "How many red things are there?",
    "What color is the large ball behind the small sphere?",
    "Is there anything left of the big metallic block?",
]

if __name__ == "__main__":
    for question in QUESTIONS:
        program = parse_question(question, "clevr")
        print(question)
        print("  program:", program)
        print("  answer: ", execute(program, SCENE))
        print()
    print(trace(parse_question(QUESTIONS[1], "clevr"), SCENE, QUESTIONS[1]).to_text())
