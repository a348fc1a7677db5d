"""What words most likely are, judged by the words beside them.

`and` may join noun phrases, adjectives, clauses or sentences; `left` may be a relation or an extreme; `one` a number
or a thing. Here each such word gets its senses in order of likelihood. The parser takes the first that fits, and comes
back for the others when it must: this is about speed and the preferred reading, not about what can be said.
"""

from __future__ import annotations

import itertools

from .tokens import Item, Sense

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
_REMOVAL = ("_IF", "_REMOVE", "_REMOVED", "_EXCEPT", "_WITHOUT")  # then 'left' may say what remains
_TAG = ("_IS", "_DO", "_NOT", "IT", "THEM", "_IS_THERE")


def settle(items: list[Item]) -> list[Item]:
    """The items with the senses of ambiguous words in order of likelihood, without commas and mere tags."""
    items = _separated(_commas(_untagged(items)))
    removal = any(item.senses[0][0] in _REMOVAL for item in items)
    settled: list[Item] = []
    openers: list[Item] = []
    for i, item in enumerate(items):
        if not item.live:
            settled.append(item)
            continue
        before = settled[-1] if settled else None
        after = items[i + 1] if i + 1 < len(items) else None
        kind = item.senses[0][0]
        if item.text == "but" and _universal(settled) and _named_next(items, i):
            item.senses = (("_EXCEPT", ""), *_joining(kind, "NP"))
        elif kind in ("_AND", "_OR"):
            role = _coordination(items, i, before)
            if _close(openers, item, kind, role, settled):
                if kind == "_AND" and role == "ADJ" and not _before_noun(items, i):
                    item.senses = (("_AND_BOTH", ""), *_joining(kind, role))
                else:
                    item.senses = _joining(kind, "P" if role == "ADJ" else role)
            else:
                item.senses = _joining(kind, role)
        elif kind in ("_BOTH", "_EITHER", "_NEITHER"):
            openers.append(item)
        elif kind == "_MADE":
            item.senses = _made(items, i, before)
        elif kind == "_NOT":
            after_noun = before is not None and before.may("NOUN", "ANYTHING")
            if after_noun and after is not None and after.may("RELATION", "_MADE", "_OF"):
                item.senses = (("_NOT_NEAR", ""), *item.senses)
        elif item.may("_THAT"):
            if after is not None and after.text in ("are", "were", "have", "share", "do", "match", "r"):
                item.senses = (("_THAT_ARE", ""), *(s for s in item.senses if s[0] != "_THAT"))
        elif kind == "_THAN" and item.text.startswith("then"):
            if not any(x.may("_MORE", "_FEWER", "_DIFFERENT") for x in settled):
                continue  # 'then what color is it?'
        elif item.may("EXTREME"):
            item.senses = _extreme(item, before, after)
            if not removal:  # 'how many cubes are left' with nothing taken away
                item.senses = tuple(s for s in item.senses if s[0] != "_REMAIN")
            elif item.may("_REMAIN") and (after is None or after.may("_IF", "_SEP")):
                item.senses = (("_REMAIN", ""), *item.senses)
        elif item.text == "one" and after is not None and after.may("ADJECTIVE", "NOUN"):
            item.senses = tuple(sorted(item.senses, key=lambda s: s[0] != "INTEGER"))
        settled.append(item)
    for item in openers:
        if item.may("_BOTH"):
            item.senses = (("DET", "all both"), *item.senses)  # 'both cubes': nothing is joined
        elif item.may("_NEITHER"):
            item.senses = (("DET", "no"), *item.senses)  # 'neither cube is red'
        elif not item.may("DET"):
            settled = [s for s in settled if s is not item]
    for before, item in itertools.pairwise(settled):
        if item.live and _det(item) == "all" and before.may("NOUN", "IT", "THEM", "_IS"):
            item.senses = (("FLOATING", "all"), *item.senses)  # 'are the cubes all red'
    return settled


def _universal(items: list[Item]) -> bool:
    """'All things but the cube', 'nothing but the cube', 'anything but the cube'."""
    if items and items[-1].may("ANYTHING"):
        return True
    return any(_det(item) in ("all", "no") or item.value("ANYTHING") in ("all", "no") for item in items)


def _named_next(items: list[Item], i: int) -> bool:
    """Whether a noun phrase follows an item: 'all things but the cube', 'all things but red cubes'."""
    after = items[i + 1] if i + 1 < len(items) else None
    if after is None or not after.may("_THE", "DET", "NOUN", "ADJECTIVE"):
        return False
    return after.may("_THE", "DET") or (items[i - 1].may("NOUN", "ANYTHING") and _before_noun(items, i))


def _det(item: Item) -> str:
    """The determiner that an item may be, without what else it says ('all the')."""
    return (item.value("DET") or "").partition(" ")[0]


def _joining(kind: str, role: str) -> tuple[Sense, ...]:
    return tuple([(kind + r if r != "_S" else kind[1:] + r, "") for r in _ORDER[role]])


def _untagged(items: list[Item]) -> list[Item]:
    """Without ', isn't it?' and ', right?' at the end."""
    comma = next((i for i in range(len(items) - 1, -1, -1) if items[i].may("_COMMA")), None)
    if comma and len(items) - comma <= 5:
        tag = items[comma + 1 :]
        if all(item.may(*_TAG) for item in tag) or (len(tag) == 1 and tag[0].text == "right"):
            return items[:comma]
    return items


def _separated(items: list[Item]) -> list[Item]:
    """At most one separator between words, none at the ends."""
    kept: list[Item] = []
    for item in items:
        if item.live and item.may("_SEP") and (not kept or kept[-1].may("_SEP")):
            continue
        kept.append(item)
    while kept and kept[-1].live and kept[-1].may("_SEP"):
        kept.pop()
    return kept


def _extreme(item: Item, before: Item | None, after: Item | None) -> tuple[Sense, ...]:
    """'the left cube' and 'the cube on the left' against 'left of the cube'."""
    others = tuple(s for s in item.senses if s[0] != "EXTREME")
    value = item.value("EXTREME") or ""
    after_noun = before is not None and before.may("NOUN", "ANYTHING", "IT")
    if others and not (before is not None and before.may("_THE", "DET", "ADJECTIVE") and after and after.may("NOUN")):
        return (*others, *((("EXTREME_AFTER", value),) if after_noun else ()), ("EXTREME", value))
    if after_noun:
        return (("EXTREME_AFTER", value), ("EXTREME", value), *others)
    return (("EXTREME", value), *others)


def _made(items: list[Item], i: int, before: Item | None) -> tuple[Sense, ...]:
    """'What is it made of?' ends; and in 'is the cube left of the ball made of metal' the only `made of` is the
    predicate, not part of the ball."""
    value = items[i].senses[0][1]
    rest = items[i + 1 :]
    made, made_is, made_end = ("_MADE", value), ("_MADE_IS", value), ("MADE_END", value)
    if not rest or rest[0].may("_SEP", "_WHAT"):
        return (made_end, made)
    start = max((k + 1 for k in range(i) if items[k].may("_SEP")), default=0)
    of_noun = before is not None and before.may("NOUN", "ANYTHING", "IT", "THEM")
    once = not any(x.may("_MADE") for x in (*items[start:i], *rest))
    if of_noun and items[start].senses[0][0] == "_IS" and once:
        return (made_is, made)
    return (made, made_is)


def _coordination(items: list[Item], i: int, before: Item | None) -> str:
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
        if _before_noun(items, i):
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


def _denied(items: list[Item], i: int) -> bool:
    """Whether the adjectives before an item follow a 'not': in 'not red and not blue' each is denied by itself."""
    before = (item for item in reversed(items[:i]) if not item.may("ADJECTIVE", "_AND", "_OR"))
    item = next(before, None)
    return item is not None and item.may("_NOT")


def _before_noun(items: list[Item], i: int) -> bool:
    """Whether only adjectives stand between an item and a noun."""
    after = (item for item in items[i + 1 :] if not item.may("ADJECTIVE", "OTHER", "EXTREME", "_AND", "_OR"))
    item = next(after, None)
    return item is not None and item.may("NOUN", "ANYTHING")


def _close(openers: list[Item], joint: Item, kind: str, role: str, settled: list[Item]) -> bool:
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


def _commas(items: list[Item]) -> list[Item]:
    """A comma joins like the `and` or `or` that ends its list ('cubes, balls and tubes', 'left of it, behind the cube
    and red'); any other is dropped."""
    if not any(item.text == "," for item in items):
        return items
    kept: list[Item] = []
    for i, item in enumerate(items):
        if not item.may("_COMMA"):
            kept.append(item)
            continue
        after = items[i + 1] if i + 1 < len(items) else None
        then = items[i + 2] if i + 2 < len(items) else None
        topic = bool(kept) and kept[0].may("_THE", "DET")
        if after and topic and after.may("_IS", "_DO") and then and then.may("IT", "THEM"):
            kept.append(Item((("_SEP", ""),), ",", item.start, True))  # 'the red ball, is it left of the cube'
            continue
        if after is None or not kept or after.may("_AND", "_OR") or not after.may(*_PARALLEL):
            continue
        joiner = _list_end(items, i + 1, kept[-1].may("NOUN"))
        if joiner is not None:
            kept.append(Item(joiner.senses, ",", item.start, True))
        elif after.may("RELATION", "COMPARATIVE") and kept[-1].may("NOUN", "ANYTHING", "IT"):
            kept.append(Item((("_AND", ""),), ",", item.start, True))  # 'behind the ball, left of the cube'

    return kept


def _list_end(items: list[Item], start: int, nouns: bool) -> Item | None:
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
