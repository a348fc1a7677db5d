"""Questions about a scene from which things are taken away, or to which some are added.

* 'if you remove the red cubes, how many cubes are left' asks the same of what is left
* 'add 3 cubes; how many cubes are there' is three more, where what is added is sure to be counted
"""

from __future__ import annotations

from typing import Any

from .lists import LIST
from .nodes import Leaf, Node
from .yes_no import Truths


class Changes(Truths):
    """Adds what is left out or added to the questions."""

    def _ask(self, ask: Node) -> int:
        """The call that answers a question."""
        raise NotImplementedError

    def _query_set(self, attribute: str, node: int) -> int:
        return self._add("query", self._add("unique", node), of=attribute)

    def _q_ask_except(self, excepted: Node, clause: Node) -> int:
        """'Except for the ball, how many ...', 'if you remove the ball, how many ...'."""
        for np in excepted.parts[1] if excepted.rule == LIST else self._joined(excepted):
            one = np.rule == "np" and np.parts[0] in ("a", "any", "") and not np.parts[1].plural
            if one and (np.parts[0] != "" or self._word(Leaf("", "", np.parts[1].start)).lower() == "one"):
                raise self._unsayable("which one is left out? Say 'all ...' or 'the ...'", np)
        node = self._ask(clause)
        left_out = self._all_of(excepted)
        return self._but(node, left_out, excepted)

    def _but(self, node: int, left_out: int, excepted: Node) -> int:
        """The same call over what is left when some objects are left out."""
        step, inputs = self.steps[node], self.inputs[node]
        name = step.op.name
        if name in ("count", "exist", "distinct"):
            kept = self._add("difference", inputs[0], left_out)
            return self._add(name, kept, of=next(iter(step.literals), None))
        if name == "query" and self.steps[inputs[0]].op.name == "unique":
            kept = self._add("difference", self.inputs[inputs[0]][0], left_out)
            return self._query_set(str(step.literals[0]), kept)
        if name == "number":
            return node
        if name in ("negate", "less", "greater", "equal_integer", "minus", "both", "either"):
            return self._add(name, *[self._but(i, left_out, excepted) for i in inputs])
        raise self._refuse("things are left out of counts, and of what is asked to be there", excepted)

    def _q_ask_added(self, *parts: Any) -> int:
        """'Add 3 red cubes. How many cubes exist?': three more, where what is added is sure to be counted."""
        number, added, clause = parts
        counted = self._ask(clause)
        if self.steps[counted].op.name != "count":
            raise self._unsayable("only of a count it can be asked what it is when things are added", added)
        values, wanted = self._values_of(added), self._filters(self.inputs[counted][0])
        if values is None or wanted is None:
            raise self._unsayable("whether what is added is among what is counted cannot be known", added)
        of = self.domain.attribute_of
        known = {of[value]: value for value in values}
        if any(known.get(of[value], value) != value for value in wanted):
            return counted
        if not wanted <= values:
            raise self._unsayable("whether what is added is among what is counted cannot be known", added)
        none = self._add("number", of="0")
        return self._add("minus", counted, self._add("minus", none, self._add("number", of=number.value)))

    def _values_of(self, np: Node) -> set[str] | None:
        """The values that a plain noun phrase names ('red cubes'); None where it says more."""
        core = np.parts[1] if np.rule == "np" else None
        if core is None or core.posts or any(mod.terminal != "ADJECTIVE" for mod in core.mods):
            return None
        return {*(mod.value for mod in core.mods), *core.nouns}

    def _filters(self, node: int) -> set[str] | None:
        """The values that a set is filtered by; None where it is more than that."""
        values: set[str] = set()
        while self.steps[node].op.name == "filter":
            values.update(map(str, self.steps[node].literals))
            (node,) = self.inputs[node]
        return values if self.steps[node].op.name == "scene" else None

    def _q_ask_except_after(self, clause: Node, excepted: Node) -> int:
        return self._q_ask_except(excepted, clause)
