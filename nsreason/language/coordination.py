"""What `and`, `or` and commas most likely join, judged by the words beside them.

All other words are settled in `disambiguation`. A *role* is what is joined: noun phrases (`NP`), adjectives (`ADJ`),
predicates (`P`) or sentences (`S`).
"""

from __future__ import annotations

from .tokens import QuestionItem, Sense

_SENTENCE = ("_WHAT", "_HOW_MANY", "HOW", "_IS_THERE", "_THERE_IS", "_DO", "_COUNT")
_CLAUSE = (
    *("RELATION", "RELATION_ITS", "COMPARATIVE", "EXTREME", "_SAME", "_DIFFERENT", "_MADE", "_OF", "_HAVE", "_SHARE"),
    *("_SHARING", "_BETWEEN", "AS_AS"),
)
_NAME = ("_THE", "DET", "NOUN", "ANYTHING", "IT", "THEM", "ITS", "_BOTH", "_EITHER")
_ORDER = {
    "NP": ("_NP", "_OBJ", "_P", "_ADJ", "_S", "_N", "_SEP"),
    "ADJ": ("_ADJ", "_P", "_NP", "_S"),
    "P": ("_P", "_ADJ", "_NP", "_OBJ", "_S", "_SEP"),
    "S": ("_SEP", "_S", "_P", "_NP", "_ADJ"),
}


def joint_senses(
    items: list[QuestionItem], i: int, settled: list[QuestionItem], openers: list[QuestionItem]
) -> tuple[Sense, ...]:
    """The senses of an `and` or `or` among the items of a question.

    Args:
        items: the question.
        i: the place of the word.
        settled: the items before it; an opener that says nothing more is taken out.
        openers: each `both`, `either` and `neither` before it that no word is paired with; its own is taken out.
    """
    kind = items[i].senses[0][0]
    role = _joined_role(items, i, settled[-1] if settled else None)
    if not _close(openers, items[i], kind, role, settled):
        return joining(kind, role)
    if kind == "_AND" and role == "ADJ" and not before_noun(items, i):
        return (("_AND_BOTH", ""), *joining(kind, role))
    return joining(kind, "P" if role == "ADJ" else role)


def joining(kind: str, role: str) -> tuple[Sense, ...]:
    """The senses of an `and` or `or` (its terminal) that most likely joins phrases of a role."""
    return tuple([(kind + r if r != "_S" else kind[1:] + r, "") for r in _ORDER[role]])


def _joined_role(items: list[QuestionItem], i: int, before: QuestionItem | None) -> str:
    """What an `and` or `or` most likely joins: noun phrases, adjectives, predicates or sentences."""
    after = items[i + 1] if i + 1 < len(items) else None
    then = items[i + 2] if i + 2 < len(items) else None
    if after is None:
        return "S"
    if after.may("_WHOSE") or (after.may("_THAT", "_THAT_ARE") and then and then.may("_IS", "_HAVE", "_SHARE", "_DO")):
        return "P"
    if after.may("_IS") and then is not None:
        predicate = then.may("ADJECTIVE", "_NOT", "_EITHER", "_BOTH", *_CLAUSE) or then.value("DET") == "a"
        return "P" if predicate else "S"
    if after.may(*_SENTENCE):
        return "S"
    if after.may("ATTRIBUTE", "_NON"):
        return "ADJ"
    if after.text.startswith("not "):  # 'that is not a cube and not a ball'
        return "P"
    if after.may("ADJECTIVE", "OTHER") or (after.may("EXTREME") and then is not None and then.may("NOUN", "ADJECTIVE")):
        adjective = before is not None and before.may("ADJECTIVE")
        if before_noun(items, i):
            return "ADJ" if adjective else "NP"
        if items[i].text in ("but", "yet") and _denied(items, i):
            return "P"  # 'not small but red'
        return "ADJ" if adjective else "P"
    if after.may("_NOT"):
        adjectives = before is not None and before.may("ADJECTIVE") and then is not None and then.may("ADJECTIVE")
        return "ADJ" if adjectives and not _denied(items, i) else "P"
    if after.may("_LPAR", *_CLAUSE):
        return "P"
    if after.may(*_NAME):
        return "P" if before is not None and before.may("ADJECTIVE") else "NP"
    return "NP"


def _denied(items: list[QuestionItem], i: int) -> bool:
    """Whether the adjectives before an item follow a 'not': in 'not red and not blue' each is denied by itself."""
    before = (item for item in reversed(items[:i]) if not item.may("ADJECTIVE", "_AND", "_OR"))
    item = next(before, None)
    return item is not None and item.may("_NOT")


def before_noun(items: list[QuestionItem], i: int) -> bool:
    """Whether only adjectives stand between an item and a noun."""
    after = (item for item in items[i + 1 :] if not item.may("ADJECTIVE", "OTHER", "EXTREME", "_AND", "_OR"))
    item = next(after, None)
    return item is not None and item.may("NOUN", "ANYTHING")


def _close(openers: list[QuestionItem], joint: QuestionItem, kind: str, role: str, settled: list[QuestionItem]) -> bool:
    """Pair an `and` with the `both` before it, an `or` with the `either`; whether there was one. Before mere adjectives
    the opener is dropped: the adjectives alone are parsed."""
    wanted = ("_BOTH",) if kind == "_AND" else ("_EITHER", "_NEITHER")
    if role == "S" or not openers or not openers[-1].may(*wanted):
        return False
    if openers[-1].may("_NEITHER") and joint.text == "or" and settled[-1].may("ADJECTIVE"):
        at = next(i for i, item in enumerate(settled) if item is openers[-1])
        if any(item.may("NOUN") for item in settled[at:]):
            return False  # 'is neither cube red or blue'
    opener = openers.pop()
    if role == "ADJ" and not opener.may("_NEITHER"):
        settled[:] = [s for s in settled if s is not opener]
        return kind == "_AND"
    return True


_PARALLEL = (*_CLAUSE, "_NOT", "NOUN", "ADJECTIVE", "ATTRIBUTE", "DET", "_THE")


def join_commas(items: list[QuestionItem]) -> list[QuestionItem]:
    """A comma joins like the `and` or `or` that ends its list ('cubes, balls and tubes', 'left of it, behind the cube
    and red'); any other is dropped."""
    if not any(item.text == "," for item in items):
        return items
    kept: list[QuestionItem] = []
    for i, item in enumerate(items):
        if not item.may("_COMMA"):
            kept.append(item)
            continue
        after = items[i + 1] if i + 1 < len(items) else None
        then = items[i + 2] if i + 2 < len(items) else None
        topic = bool(kept) and kept[0].may("_THE", "DET")
        if after and topic and after.may("_IS", "_DO") and then and then.may("IT", "THEM"):
            kept.append(QuestionItem((("_SEP", ""),), ",", item.start, True))  # 'the red ball, is it left of the cube'
            continue
        if after is None or not kept or after.may("_AND", "_OR") or not after.may(*_PARALLEL):
            continue
        joiner = _list_end(items, i + 1, kept[-1].may("NOUN"))
        if joiner is not None:
            kept.append(QuestionItem(joiner.senses, ",", item.start, True))
        elif after.may("RELATION", "COMPARATIVE") and kept[-1].may("NOUN", "ANYTHING", "IT"):
            kept.append(QuestionItem((("_AND", ""),), ",", item.start, True))  # 'behind the ball, left of the cube'

    return kept


def _list_end(items: list[QuestionItem], start: int, nouns: bool) -> QuestionItem | None:
    """The `and` or `or` that ends the list whose next member starts here, if what follows it is alike. A list of
    `nouns` may have articles in some places: 'cubes, balls and the tube'."""
    alike = {t for t, _ in items[start].senses} & set(_PARALLEL)
    if alike & {"DET", "_THE"}:
        alike |= {"DET", "_THE"}
    if alike & {"NOUN", "ADJECTIVE"}:
        alike |= {"NOUN", "ADJECTIVE", "DET", "_THE"} if nouns else {"NOUN", "ADJECTIVE"}
    if alike & set(_CLAUSE):
        alike |= {*_CLAUSE, "ADJECTIVE", "_NOT"}
    for k in range(start, len(items) - 1):
        if items[k].may("_SEP", *_SENTENCE) and not items[k].may("_THAT"):
            return None
        if items[k].may("_AND", "_OR"):
            follows = items[k + 1]
            if follows.may("_COMMA"):
                return None
            return items[k] if follows.may(*alike) else None
    return None
