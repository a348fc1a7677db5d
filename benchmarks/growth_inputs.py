"""Inputs whose size grows, in every shape that has once been slow: programs, scenes, questions and texts of programs.

Each is made by a function of n, which is about the number of calls, objects or words.
"""

from __future__ import annotations

from collections.abc import Callable

from nsreason import Call, Program, Scene

RELATIONS = ("left", "right", "front", "behind")
COLORS = ("gray", "red", "blue", "green", "brown", "purple", "cyan", "yellow")


# --- programs --------------------------------------------------------------------------------------------------------


class Builder:
    """Calls of a program, one after the other."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def __call__(self, op: str, *inputs: int, of: str | None = None) -> int:
        self.calls.append(Call(op, () if of is None else (of,), inputs))
        return len(self.calls) - 1

    def program(self) -> Program:
        return Program(self.calls, "clevr")


def filters(n: int) -> Program:
    """One filter over the other."""
    add = Builder()
    node = add("scene")
    for k in range(n - 2):
        node = add("filter", node, of=COLORS[k % 8])
    add("count", node)
    return add.program()


def relations(n: int) -> Program:
    """The objects left of some object that is right of some ..: no two calls are alike."""
    add = Builder()
    node = add("scene")
    for k in range(n - 2):
        node = add("relate_any", node, of=RELATIONS[(k * k // 3) % 4])
    add("count", node)
    return add.program()


def differences(n: int) -> Program:
    """From what is left, ever more is taken away."""
    add = Builder()
    node = taken = add("scene")
    while len(add.calls) < n - 1:
        taken = add("relate_any", taken, of="left")
        node = add("difference", node, taken)
    add("count", node)
    return add.program()


def taken_from(n: int) -> Program:
    """What is taken away is itself a difference, and so on."""
    add = Builder()
    node = start = add("scene")
    while len(add.calls) < n - 2:
        node = add("difference", add("relate_any", start, of="left"), add("filter", node, of="red"))
    add("count", node)
    return add.program()


def doubled(op: str) -> Callable[[int], Program]:
    """Each call takes the one before it twice over, once filtered: the tree has 2**n leaves."""

    def make(n: int) -> Program:
        add = Builder()
        node = add("scene")
        k = 0
        while len(add.calls) < n - 2:
            node = add(op, node, add("relate_any", node, of=RELATIONS[k % 4]))
            k += 1
        add("count", node)
        return add.program()

    return make


def fibonacci(op: str) -> Callable[[int], Program]:
    """Each call takes the two before it."""

    def make(n: int) -> Program:
        add = Builder()
        before = add("scene")
        node = add("relate_any", before, of="left")
        while len(add.calls) < n - 1:
            before, node = node, add(op, node, before)
        add("count", node)
        return add.program()

    return make


def wide(op: str) -> Callable[[int], Program]:
    """A union (or intersection) of ever more sets that differ."""

    def make(n: int) -> Program:
        add = Builder()
        node = other = add("scene")
        k = 0
        while len(add.calls) < n - 2:
            other = add("relate_any", other, of=RELATIONS[(k * k // 3) % 4])
            node = add(op, node, other)
            k += 1
        add("count", node)
        return add.program()

    return make


def kept_unions(n: int) -> Program:
    """Every union of a growing chain is used once more by a call of its own, so that all must be kept."""
    add = Builder()
    union = other = add("scene")
    truth = add("exist", union)
    while len(add.calls) < n - 5:
        other = add("relate_any", other, of="left")
        union = add("union", union, other)
        truth = add("both", truth, add("exist", add("relate_any", union, of="right")))
    return add.program()


def truths(op: str) -> Callable[[int], Program]:
    """A truth that joins ever more truths."""

    def make(n: int) -> Program:
        add = Builder()
        node = add("exist", add("scene"))
        other = 0
        while len(add.calls) < n - 3:
            other = add("relate_any", other, of="left")
            node = add(op, node, add("exist", other))
        return add.program()

    return make


def negations(n: int) -> Program:
    add = Builder()
    node = add("exist", add("scene"))
    for _ in range(n - 2):
        node = add("negate", node)
    return add.program()


def numbers(n: int) -> Program:
    """A number from which ever more is subtracted."""
    add = Builder()
    node = add("count", add("scene"))
    while len(add.calls) < n - 1:
        node = add("minus", node, add("number", of=str(len(add.calls) % 10)))
    return add.program()


def shared_truths(n: int) -> Program:
    """`both` of a truth and its negation, over and over: a text of it would be of 2**n words."""
    add = Builder()
    node = add("exist", add("scene"))
    while len(add.calls) < n - 1:
        node = add("both", node, add("negate", node))
    return add.program()


def anchors(n: int) -> Program:
    """The set around the only object of a set around the only object .."""
    add = Builder()
    node = add("scene")
    while len(add.calls) < n - 3:
        node = add("relate", add("unique", node), of=RELATIONS[len(add.calls) // 2 % 4])
    add("count", node)
    return add.program()


PROGRAMS: dict[str, Callable[[int], Program]] = {
    "chain of filters": filters,
    "chain of relations": relations,
    "chain of objects": anchors,
    "chain of differences": differences,
    "nested differences": taken_from,
    "doubled unions": doubled("union"),
    "doubled intersections": doubled("intersect"),
    "doubled differences": doubled("difference"),
    "fibonacci unions": fibonacci("union"),
    "fibonacci intersections": fibonacci("intersect"),
    "wide union": wide("union"),
    "wide intersection": wide("intersect"),
    "unions that are kept": kept_unions,
    "wide both": truths("both"),
    "wide either": truths("either"),
    "shared truths": shared_truths,
    "negations": negations,
    "subtractions": numbers,
}


def as_objects(n: int) -> str:
    """A program text that opens a bracket for each call."""
    return "count(" + "filter[red](" * (n - 2) + "scene()" + ")" * (n - 1)


# --- scenes ----------------------------------------------------------------------------------------------------------


def thing(i: int, n: int, **more: object) -> dict[str, object]:
    shape = ("cube", "sphere", "cylinder")[i % 3]
    size, material = ("small", "large")[i // 3 % 2], ("metal", "rubber")[i // 6 % 2]
    return {"size": size, "color": COLORS[i % 8], "material": material, "shape": shape, **more}


DIRECTIONS = {"left": [-1.0, 0, 0], "right": [1.0, 0, 0], "front": [0, -1.0, 0], "behind": [0, 1.0, 0]}


def placed(n: int) -> dict[str, object]:
    """Objects with coordinates, from which relations are computed."""
    objects = [thing(i, n, **{"3d_coords": [float(i * 7919 % n), float(i * 104729 % n), 0.7]}) for i in range(n)]
    return {"objects": objects, "directions": DIRECTIONS, "image_index": 0}


def related(n: int) -> dict[str, object]:
    """Objects with relationships: a few for each."""
    left = [[j for j in (i - 3, i - 2, i - 1) if j >= 0] for i in range(n)]
    right = [[j for j in (i + 1, i + 2, i + 3) if j < n] for i in range(n)]
    rows = {"left": left, "right": right, "front": left, "behind": right}
    return {"objects": [thing(i, n) for i in range(n)], "relationships": rows, "image_index": 0}


def spread(n: int) -> dict[str, object]:
    """One object that is left of all others."""
    left = [[]] + [[0] for _ in range(n - 1)]
    right = [list(range(1, n))] + [[] for _ in range(n - 1)]
    rows = {"left": left, "right": right, "front": left, "behind": right}
    return {"objects": [thing(i, n) for i in range(n)], "relationships": rows, "image_index": 0}


def boxed(n: int) -> dict[str, object]:
    """What a detector found: boxes and scores, no coordinates."""
    return {"objects": [thing(i, n, bbox=[i, i, i + 9, i + 9], score=0.5) for i in range(n)], "image_index": 0}


SCENES: dict[str, Callable[[int], dict[str, object]]] = {
    "coordinates": placed,
    "relationships": related,
    "one to all": spread,
    "boxes": boxed,
}

SMALL = Scene.from_dict(placed(8))
ASKED = (
    "count(filter[red](relate[left](unique(filter[sphere](scene())))))",
    "count(relate_any[left](scene()))",
    "query[color](unique(extreme[left](scene())))",
    "less(distinct[color](scene()), count(filter[cube](scene())))",
    "exist(difference(scene(), relate_any[behind](filter[red](scene()))))",
    "filter[cube](scene())",
)


# --- questions -------------------------------------------------------------------------------------------------------

QUESTIONS: dict[str, Callable[[int], str]] = {
    "adjectives": lambda n: "how many " + "red " * n + "cubes are there?",
    "clauses": lambda n: "what color is the cube " + "left of the ball " * (n // 4) + "?",
    "and": lambda n: "how many cubes " + "and balls " * (n // 2) + "are there?",
    "joined questions": lambda n: "is there a cube " + "and is there a ball " * (n // 5),
    "no end": lambda n: "is the cube that is " * (n // 5),
    "open brackets": lambda n: "is the cube " + "(" * n,
    "brackets alone": lambda n: "(" * n,
    "closed brackets": lambda n: "is the cube " + "(" * (n // 2) + "red" + ")" * (n // 2),
    "commas": lambda n: "are there cubes" + ", balls" * (n // 2) + " and cylinders?",
    "commas alone": lambda n: "are there " + "," * n + " cubes?",
    "separators": lambda n: "how many cubes are there " + ";" * n,
    "both": lambda n: "are " + "both " * n + "cubes red?",
    "neither": lambda n: "are " + "neither " * n + "cubes red?",
    "not": lambda n: "is the cube " + "not " * n + "red?",
    "one": lambda n: "is the " + "one " * n + "red?",
    "a late unknown word": lambda n: "is there a cube " + "and is there a ball " * (n // 5) + "xyzzy",
    "a late unknown word after nouns": lambda n: "how many " + "red cube " * (n // 2) + "purpel",
    "a late unknown word after clauses": lambda n: "what is left of " + "the cube left of " * (n // 4) + "purpel",
    "unknown words": lambda n: "xyzzy " * n,
    "one word": lambda n: "how many " + "c" * n,
    "one number": lambda n: "are there " + "9" * n + " cubes",
    "apostrophes": lambda n: "what's " + "'s " * n,
    "apostrophes alone": lambda n: "'" * n,
    "not, short": lambda n: "isn't " * n,
    "letters and n't": lambda n: "n't" * n,
    "spaces": lambda n: " " * n,
    "full width": lambda n: "how many cubes are there" + "？" * n,
    "letters that grow": lambda n: "İ" * n,
    "it": lambda n: "there is a cube; " * (n // 5) + "what color is it?",
    "other": lambda n: "there is a cube; " + "there is another ball; " * (n // 5) + "is the other one red?",
}

# Texts of 100 characters a unit: a megabyte at 10,000.
LONG_QUESTIONS = {"a megabyte of (": "(", "a megabyte of a": "a", "a megabyte of quotes": "'", "a megabyte of ;": ";"}

TEXTS: dict[str, Callable[[int], str]] = {
    "nested": as_objects,
    "open brackets": lambda n: "count(" * n,
    "brackets alone": lambda n: "(" * n,
    "closed brackets": lambda n: ")" * n,
    "square brackets": lambda n: "count" + "[" * n,
    "bindings": lambda n: "".join(f"a{k} = scene(); " for k in range(n)) + "count(a0)",
    "used bindings": lambda n: (
        "a0 = scene(); "
        + "".join(f"a{k} = union(a{k - 1}, a{k - 1}); " for k in range(1, n // 2))
        + f"count(a{n // 2 - 1})"
    ),
    "unknown op": lambda n: as_objects(n).replace("scene", "scnee"),
    "one name": lambda n: "count(" + "s" * n + "())",
    "unknown literal": lambda n: f"count(filter[{'r' * n}](scene()))",
    "commas": lambda n: "count(" + "," * n + ")",
    "arguments": lambda n: "count(" + "scene(), " * n + "scene())",
    "literals": lambda n: "count(filter[" + "red, " * n + "red](scene()))",
    "comments": lambda n: "# (((\n" * n + "count(scene())",
    "comment without end": lambda n: "count(scene()) #" + "(" * n,
}
