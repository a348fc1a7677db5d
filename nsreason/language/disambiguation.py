"""What words most likely are, judged by the words beside them.

`and` may join noun phrases, adjectives, clauses or sentences; `left` may be a relation or an extreme; `one` a number
or a thing. Here each such word gets its senses in order of likelihood. The parser takes the first that fits, and comes
back for the others when it must: this is about speed and the preferred reading, not about what can be said. What joins
is in `coordination`.
"""

from __future__ import annotations

import itertools

from .coordination import before_noun, join_commas, joining, joint_senses
from .tokens import QuestionItem, Sense

_REMOVAL = ("_IF", "_REMOVE", "_REMOVED", "_EXCEPT", "_WITHOUT")  # then 'left' may say what remains
_TAG = ("_IS", "_DO", "_NOT", "IT", "THEM", "_IS_THERE")
_PLURAL_VERBS = ("are", "were", "have", "share", "do", "match", "r")


def settle(items: list[QuestionItem]) -> list[QuestionItem]:
    """The items with the senses of ambiguous words in order of likelihood, without commas and mere tags."""
    items = _separated(join_commas(_untagged(items)))
    removal = any(item.senses[0][0] in _REMOVAL for item in items)
    settled: list[QuestionItem] = []
    openers: list[QuestionItem] = []
    for i, item in enumerate(items):
        if item.live:
            kind = item.senses[0][0]
            if item.text == "but" and _universal(settled) and _named_next(items, i):
                item.senses = (("_EXCEPT", ""), *joining(kind, "NP"))
            elif kind in ("_AND", "_OR"):
                item.senses = joint_senses(items, i, settled, openers)
            elif kind in ("_BOTH", "_EITHER", "_NEITHER"):
                openers.append(item)
            else:
                senses = _senses(items, i, settled, removal)
                if senses is None:
                    continue
                item.senses = senses
        settled.append(item)
    return _floating(_unpaired(openers, settled))


def _senses(items: list[QuestionItem], i: int, settled: list[QuestionItem], removal: bool) -> tuple[Sense, ...] | None:
    """The senses of a word that joins nothing; None of one that says nothing."""
    item = items[i]
    kind = item.senses[0][0]
    before = settled[-1] if settled else None
    after = items[i + 1] if i + 1 < len(items) else None
    if kind == "_MADE":
        return _made_of(items, i, before)
    if kind == "_NOT":
        return _negation(item, before, after)
    if item.may("_THAT"):
        return _relative(item, after)
    if kind == "_THAN" and item.text.startswith("then"):
        compares = any(x.may("_MORE", "_FEWER", "_DIFFERENT") for x in settled)
        return item.senses if compares else None  # 'then what color is it?'
    if item.may("EXTREME"):
        return _remaining(_extreme(item, before, after), after, removal)
    if item.text == "one" and after is not None and after.may("ADJECTIVE", "NOUN"):
        return tuple(sorted(item.senses, key=lambda s: s[0] != "INTEGER"))
    return item.senses


def _negation(item: QuestionItem, before: QuestionItem | None, after: QuestionItem | None) -> tuple[Sense, ...]:
    """In 'the cube not left of it' the noun before is denied the clause."""
    after_noun = before is not None and before.may("NOUN", "ANYTHING")
    if after_noun and after is not None and after.may("RELATION", "_MADE", "_OF"):
        return (("_NOT_NEAR", ""), *item.senses)
    return item.senses


def _relative(item: QuestionItem, after: QuestionItem | None) -> tuple[Sense, ...]:
    """A 'that' before a verb in the plural is said of several."""
    if after is not None and after.text in _PLURAL_VERBS:
        return (("_THAT_ARE", ""), *(s for s in item.senses if s[0] != "_THAT"))
    return item.senses


def _remaining(senses: tuple[Sense, ...], after: QuestionItem | None, removal: bool) -> tuple[Sense, ...]:
    """'How many cubes are left' asks for what remains only where something is taken away."""
    remains = any(terminal == "_REMAIN" for terminal, _ in senses)
    if not removal:
        return tuple(s for s in senses if s[0] != "_REMAIN")
    if remains and (after is None or after.may("_IF", "_SEP")):
        return (("_REMAIN", ""), *senses)
    return senses


def _unpaired(openers: list[QuestionItem], settled: list[QuestionItem]) -> list[QuestionItem]:
    """The items with the senses of a 'both', 'either' or 'neither' that no 'and' or 'or' follows."""
    for item in openers:
        if item.may("_BOTH"):
            item.senses = (("DET", "all both"), *item.senses)  # 'both cubes': nothing is joined
        elif item.may("_NEITHER"):
            item.senses = (("DET", "no"), *item.senses)  # 'neither cube is red'
        elif not item.may("DET"):
            settled = [s for s in settled if s is not item]
    return settled


def _floating(items: list[QuestionItem]) -> list[QuestionItem]:
    """The items; an 'all' that stands behind what it is said of may be one of its own."""
    for before, item in itertools.pairwise(items):
        if item.live and _det(item) == "all" and before.may("NOUN", "IT", "THEM", "_IS"):
            item.senses = (("FLOATING", "all"), *item.senses)  # 'are the cubes all red'
    return items


def _universal(items: list[QuestionItem]) -> bool:
    """'All things but the cube', 'nothing but the cube', 'anything but the cube'."""
    if items and items[-1].may("ANYTHING"):
        return True
    return any(_det(item) in ("all", "no") or item.value("ANYTHING") in ("all", "no") for item in items)


def _named_next(items: list[QuestionItem], i: int) -> bool:
    """Whether a noun phrase follows an item: 'all things but the cube', 'all things but red cubes'."""
    after = items[i + 1] if i + 1 < len(items) else None
    if after is None or not after.may("_THE", "DET", "NOUN", "ADJECTIVE"):
        return False
    return after.may("_THE", "DET") or (items[i - 1].may("NOUN", "ANYTHING") and before_noun(items, i))


def _det(item: QuestionItem) -> str:
    """The determiner that an item may be, without what else it says ('all the')."""
    return (item.value("DET") or "").partition(" ")[0]


def _untagged(items: list[QuestionItem]) -> list[QuestionItem]:
    """Without ', isn't it?' and ', right?' at the end."""
    comma = next((i for i in range(len(items) - 1, -1, -1) if items[i].may("_COMMA")), None)
    if comma and len(items) - comma <= 5:
        tag = items[comma + 1 :]
        if all(item.may(*_TAG) for item in tag) or (len(tag) == 1 and tag[0].text == "right"):
            return items[:comma]
    return items


def _separated(items: list[QuestionItem]) -> list[QuestionItem]:
    """At most one separator between words, none at the ends."""
    kept: list[QuestionItem] = []
    for item in items:
        if item.live and item.may("_SEP") and (not kept or kept[-1].may("_SEP")):
            continue
        kept.append(item)
    while kept and kept[-1].live and kept[-1].may("_SEP"):
        kept.pop()
    return kept


def _extreme(item: QuestionItem, before: QuestionItem | None, after: QuestionItem | None) -> tuple[Sense, ...]:
    """'the left cube' and 'the cube on the left' against 'left of the cube'."""
    others = tuple(s for s in item.senses if s[0] != "EXTREME")
    value = item.value("EXTREME") or ""
    after_noun = before is not None and before.may("NOUN", "ANYTHING", "IT")
    if others and not (before is not None and before.may("_THE", "DET", "ADJECTIVE") and after and after.may("NOUN")):
        return (*others, *((("EXTREME_AFTER", value),) if after_noun else ()), ("EXTREME", value))
    if after_noun:
        return (("EXTREME_AFTER", value), ("EXTREME", value), *others)
    return (("EXTREME", value), *others)


def _made_of(items: list[QuestionItem], i: int, before: QuestionItem | None) -> tuple[Sense, ...]:
    """'What is it made of?' ends; and in 'is the cube left of the ball made of metal' the only `made of` is the
    predicate, not part of the ball."""
    value = items[i].senses[0][1]
    rest = items[i + 1 :]
    made_of, is_made_of, at_end = ("_MADE", value), ("_MADE_IS", value), ("MADE_END", value)
    if not rest or rest[0].may("_SEP", "_WHAT"):
        return (at_end, made_of)
    start = max((k + 1 for k in range(i) if items[k].may("_SEP")), default=0)
    of_noun = before is not None and before.may("NOUN", "ANYTHING", "IT", "THEM")
    once = not any(x.may("_MADE") for x in (*items[start:i], *rest))
    if of_noun and items[start].senses[0][0] == "_IS" and once:
        return (is_made_of, made_of)
    return (made_of, is_made_of)
