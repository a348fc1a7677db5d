"""A toy video: objects that move, events between them, and the frames at which events happen.

Its sorts, tables and ops are declared here alone. `registered()` adds them for as long as a test runs.

A video is drawn as a *record*, plain Python data, which `tests/support/brute_force_video.py` reads too:

    {"objects": [{"color": "red", "shape": "cube"}, ...],
     "events": [{"type": "collision", "objects": [0, 2], "frame": 14, "observed": True, "causes": [1]}, ...],
     "moving": {14: [0, 2]}, "heading": {14: {0: "up", 2: "left"}}}
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Annotated, Any, TypeVar

from nsreason.dsl.algebra import Algebra, View
from nsreason.dsl.domain import AttributeEntry, Domain, DomainFile, ValueEntry
from nsreason.dsl.kinds import Event, Events, Kind, Number, Object, Objects, Truth, Word
from nsreason.dsl.ops import OPS, op
from nsreason.dsl.tables import TABLES, WORD_TARGET, WORLD_KINDS, Table, WorldKind, declare, declare_world
from nsreason.scenes.scene import Scene
from nsreason.scenes.world import Parts

T = TypeVar("T")
Record = dict[str, Any]

FRAMES_KIND = Kind("frames", "a set of moments of a video", "set", sort="frame")
FRAME_KIND = Kind("frame", "one moment of a video", "one", sort="frame")
EVENT_TYPE = Kind("event_type", "a type of event, such as collision", "concept", literal=True, sort="event")

Frames = Annotated[T, FRAMES_KIND]
Frame = Annotated[T, FRAME_KIND]
EventType = Annotated[object, EVENT_TYPE]

TABLE_DECLARATIONS = (
    Table("type", (), "event", EVENT_TYPE),
    Table("observed", (), "event"),
    Table("before", ("event",), "event"),
    Table("after", ("event",), "event", None, ("converse", "before")),
    Table("others", ("event",), "event"),
    Table("behind", ("event",), "event", None, ("later", "others")),
    Table("involves", ("event",), "object"),
    Table("involved_in", ("object",), "event", None, ("converse", "involves")),
    Table("causes", ("event",), "event"),
    Table("ancestors", ("event",), "event", None, ("closure", "causes")),
    Table("effects", ("event",), "event", None, ("converse", "ancestors")),
    Table("at", ("event",), "frame"),
    Table("moving", ("frame",), "object"),
    Table("headed", ("frame",), "object"),
    Table("heading", ("frame", "object"), WORD_TARGET),
)
FILLED = ("concept", "values", *(t.name for t in TABLE_DECLARATIONS if t.derived is None))
KIND = WorldKind(
    "toy video",
    ("object", "event", "frame"),
    ("concept", "values", "alike", "repeats", *(t.name for t in TABLE_DECLARATIONS)),
    bounded=("object", "event", "frame"),
)

# --- ops ---


def events(k: Algebra[T], scene: View[T]) -> Events[T]:
    """All events."""
    return scene.universe("event")


def observed(k: Algebra[T], scene: View[T]) -> Events[T]:
    """The events that are seen, not foretold."""
    return scene.members("observed")


def frames(k: Algebra[T], scene: View[T]) -> Frames[T]:
    """All moments."""
    return scene.universe("frame")


def of_type(k: Algebra[T], scene: View[T], events: Events[T], type: EventType) -> Events[T]:
    """The events of the type."""
    return k.both(events, scene.members("type", type))


def before(k: Algebra[T], scene: View[T], events: Events[T], event: Event[T]) -> Events[T]:
    """The events earlier than the event."""
    return k.both(events, k.follow(event, scene.table("before")))


def after(k: Algebra[T], scene: View[T], events: Events[T], event: Event[T]) -> Events[T]:
    """The events later than the event."""
    return k.both(events, k.follow(event, scene.table("after")))


def first(k: Algebra[T], scene: View[T], events: Events[T]) -> Event[T]:
    """The first event of the set, as they are listed."""
    return k.the(k.both(events, k.negate(k.reach(events, scene.table("behind")))))


def causes(k: Algebra[T], scene: View[T], event: Event[T]) -> Events[T]:
    """The events that led to the event, directly or not."""
    return k.follow(event, scene.table("ancestors"))


def effects(k: Algebra[T], scene: View[T], events: Events[T]) -> Events[T]:
    """The events that a member of the set led to."""
    return k.reach(events, scene.table("effects"))


def involving(k: Algebra[T], scene: View[T], events: Events[T], anchor: Object[T]) -> Events[T]:
    """The events in which the object takes part."""
    return k.both(events, k.follow(anchor, scene.table("involved_in")))


def involving_any(k: Algebra[T], scene: View[T], events: Events[T], objects: Objects[T]) -> Events[T]:
    """The events in which a member of the set takes part."""
    return k.both(events, k.reach(objects, scene.table("involved_in")))


def between(k: Algebra[T], scene: View[T], events: Events[T], a: Object[T], b: Object[T]) -> Events[T]:
    """The events in which both objects take part."""
    part = scene.table("involved_in")
    return k.both(events, k.both(k.follow(a, part), k.follow(b, part)))


def either_events(k: Algebra[T], scene: View[T], a: Events[T], b: Events[T]) -> Events[T]:
    """The events in either set."""
    return k.either(a, b)


def unlike_events(k: Algebra[T], scene: View[T], a: Events[T], b: Events[T]) -> Events[T]:
    """The events of the first set that are not in the second."""
    return k.both(a, k.negate(b))


def involved(k: Algebra[T], scene: View[T], event: Event[T]) -> Objects[T]:
    """The objects that take part."""
    return k.follow(event, scene.table("involves"))


def partner(k: Algebra[T], scene: View[T], event: Event[T], anchor: Object[T]) -> Object[T]:
    """The other object of the event."""
    return k.the(k.both(k.follow(event, scene.table("involves")), k.negate(k.only(anchor))))


def unique_event(k: Algebra[T], scene: View[T], events: Events[T]) -> Event[T]:
    """The only event of the set."""
    return k.the(events)


def only_event(k: Algebra[T], scene: View[T], event: Event[T]) -> Events[T]:
    """The set that holds just the event."""
    return k.only(event)


def equal_event(k: Algebra[T], scene: View[T], a: Event[T], b: Event[T]) -> Truth[T]:
    """Whether two events are the same event."""
    return k.match(a, b)


def count_events(k: Algebra[T], scene: View[T], events: Events[T]) -> Number[T]:
    """The number of events in the set."""
    return k.how_many(events)


def exist_event(k: Algebra[T], scene: View[T], events: Events[T]) -> Truth[T]:
    """Whether the set has an event."""
    return k.some(events)


def frame_of(k: Algebra[T], scene: View[T], event: Event[T]) -> Frame[T]:
    """When the event happens."""
    return k.the(k.follow(event, scene.table("at")))


def when(k: Algebra[T], scene: View[T], events: Events[T]) -> Frames[T]:
    """When the events of the set happen."""
    return k.reach(events, scene.table("at"))


def count_frames(k: Algebra[T], scene: View[T], frames: Frames[T]) -> Number[T]:
    """The number of moments in the set."""
    return k.how_many(frames)


def equal_frame(k: Algebra[T], scene: View[T], a: Frame[T], b: Frame[T]) -> Truth[T]:
    """Whether two moments are the same."""
    return k.match(a, b)


def moving_at(k: Algebra[T], scene: View[T], objects: Objects[T], frame: Frame[T]) -> Objects[T]:
    """The objects of the set that move then."""
    return k.both(objects, k.follow(frame, scene.table("moving")))


def heading(k: Algebra[T], scene: View[T], anchor: Object[T], frame: Frame[T]) -> Word[T]:
    """Where the object is heading then."""
    headed = k.the(k.both(k.only(anchor), k.follow(frame, scene.table("headed"))))
    return k.choose(headed, k.follow(frame, scene.table("heading")))


COMMUTING = (either_events, equal_event, equal_frame)
PLAIN = (
    *(events, observed, frames, of_type, before, after, first, causes, effects, involving, involving_any, between),
    *(unlike_events, involved, partner, unique_event, only_event, count_events, exist_event, frame_of, when),
    *(count_frames, moving_at, heading),
)
OP_NAMES = tuple(f.__name__ for f in (*PLAIN, *COMMUTING))


@contextlib.contextmanager
def registered() -> Iterator[Domain]:
    """The tables and ops of toy videos, registered while the block runs; yields their domain."""
    before_it = [(d, dict(d)) for d in (OPS._ops, TABLES._by_name, WORLD_KINDS._by_name)]  # type: ignore[call-overload]
    try:
        for table in TABLE_DECLARATIONS:
            declare(table)
        declare_world(KIND)
        for function in PLAIN:
            op(function)
        for function in COMMUTING:
            op(commutes=True)(function)
        yield video_domain()
    finally:
        for declarations, saved in before_it:
            declarations.clear()
            declarations.update(saved)


def video_domain() -> Domain:
    """Colors and shapes of objects, types of events, headings of objects at frames. The order mixes the sorts."""

    def values(*names: str) -> dict[str, ValueEntry]:
        return {name: ValueEntry() for name in names}

    return Domain(
        DomainFile(
            "toy video",
            {
                "color": AttributeEntry(values("red", "blue", "gray")),
                "type": AttributeEntry(values("collision", "enter", "exit"), of=("event",)),
                "heading": AttributeEntry(values("up", "down", "left"), of=("frame", "object")),
                "shape": AttributeEntry(values("cube", "ball")),
            },
            world="toy video",
        )
    )


# --- videos ---


class ToyVideo:
    """A video as a world."""

    def __init__(self, record: Record, domain: Domain) -> None:
        self.domain, self.record = domain, record
        self._tables: Any = None
        self.objects: list[Mapping[str, str]] = record["objects"]
        self.events: list[Mapping[str, Any]] = record["events"]
        self.moments: list[int] = sorted({event["frame"] for event in self.events})

    def size(self, sort: str) -> int:
        """See `World.size`."""
        return {"object": len(self.objects), "event": len(self.events), "frame": len(self.moments)}[sort]

    def ready(self) -> Mapping[str, Any]:
        """See `World.ready`: nothing is held as tables."""
        return {}

    def rows(self, table: str, literal: int) -> Any:
        """See `World.rows`."""
        fill: Any = getattr(self, f"_{table}")
        return fill(literal) if TABLES[table].literal is not None else fill()

    def label(self, sort: str, i: int) -> str:
        """See `World.label`."""
        if sort == "object":
            return f"{self.objects[i]['color']} {self.objects[i]['shape']}"
        if sort == "frame":
            return f"moment {i}"
        return f"{self.events[i]['type']} of {' and '.join(map(str, self.events[i]['objects']))}"

    def answer(self, sort: str, i: int) -> int:
        """A moment is named by its frame."""
        return self.moments[i] if sort == "frame" else i

    def parts(self, sort: str, i: int) -> Parts:
        """An event lights up its objects and its moment; a moment the objects of its events."""
        if sort == "object":
            return Parts((i,))
        if sort == "event":
            return Parts(tuple(self.events[i]["objects"]), (self.events[i]["frame"],))
        frame = self.moments[i]
        mine = [o for event in self.events if event["frame"] == frame for o in event["objects"]]
        return Parts(tuple(sorted(set(mine))), (frame,))

    def as_scene(self) -> Scene:
        """The objects alone, in a domain of what is said of them."""
        said = {a: e for a, e in self.domain.file.attributes.items() if e.of == ("object",)}
        return Scene.of(Domain(DomainFile("toy objects", said)), [dict(o) for o in self.objects])

    # what fills the tables, one method each

    def _concept(self, concept: int) -> int:
        return _set(i for i, o in enumerate(self.objects) if self.domain.concepts[concept] in o.values())

    def _values(self, attribute: int) -> list[int]:
        return [self.domain.concept_index[o[self.domain.attributes[attribute]]] for o in self.objects]

    def _type(self, concept: int) -> int:
        return _set(i for i, e in enumerate(self.events) if e["type"] == self.domain.concepts[concept])

    def _observed(self) -> int:
        return _set(i for i, e in enumerate(self.events) if e["observed"])

    def _before(self) -> list[int]:
        return [_set(j for j, f in enumerate(self.events) if f["frame"] < e["frame"]) for e in self.events]

    def _others(self) -> list[int]:
        n = len(self.events)
        return [((1 << n) - 1) & ~(1 << i) for i in range(n)]

    def _involves(self) -> list[int]:
        return [_set(e["objects"]) for e in self.events]

    def _causes(self) -> list[int]:
        return [_set(e["causes"]) for e in self.events]

    def _at(self) -> list[int]:
        return [1 << self.moments.index(e["frame"]) for e in self.events]

    def _moving(self) -> list[int]:
        return [_set(self.record["moving"][frame]) for frame in self.moments]

    def _headed(self) -> list[int]:
        return [_set(self.record["heading"][frame]) for frame in self.moments]

    def _heading(self) -> list[list[int]]:
        index, nowhere = self.domain.concept_index, self.domain.concept_index["up"]
        headings = [self.record["heading"][frame] for frame in self.moments]
        return [[index[row[o]] if o in row else nowhere for o in range(len(self.objects))] for row in headings]


def _set(members: Any) -> int:
    bits = 0
    for i in members:
        bits |= 1 << i
    return bits


def random_video(rng: Random, domain: Domain, objects: int, events: int) -> Record:
    """A record with so many objects and events; where there is no object, none takes part."""
    things = [{a: rng.choice(domain.values(a)) for a in ("color", "shape")} for _ in range(objects)]
    listed: list[dict[str, Any]] = []
    for number in range(events):
        kind = rng.choice(domain.values("type"))
        taking_part = rng.sample(range(objects), min(objects, 2 if kind == "collision" else 1))
        listed.append(
            {
                "type": kind,
                "objects": sorted(taking_part),
                "frame": rng.randrange(0, 40),
                "observed": rng.random() < 0.7,
                "causes": [j for j in range(number) if rng.random() < 1.5 / (number + 1)],
            }
        )
    moments: Sequence[int] = sorted({event["frame"] for event in listed})
    return {
        "objects": things,
        "events": listed,
        "moving": {f: [o for o in range(objects) if rng.random() < 0.5] for f in moments},
        "heading": {
            f: {o: rng.choice(domain.values("heading")) for o in range(objects) if rng.random() < 0.7} for f in moments
        },
    }
