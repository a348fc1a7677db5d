"""What programs on toy videos mean, written down a second time over the record's plain data.

It shares no code with the ops, tables and executors (see `brute_force`, whose object ops it has too). An event is its
number, a moment its frame.
"""

from __future__ import annotations

from tests.support.brute_force import Meaning, NotSingle

Set = frozenset[int]


class VideoMeaning(Meaning):
    """One method an op of toy videos."""

    def _events(self) -> list[dict[str, object]]:
        listed: list[dict[str, object]] = self.record["events"]
        return listed

    def _single(self, members: Set) -> int:
        if len(members) != 1:
            raise NotSingle(tuple(sorted(members)))
        return next(iter(members))

    def _frame(self, event: int) -> int:
        frame: int = self.record["events"][event]["frame"]
        return frame

    def _part(self, event: int) -> Set:
        return frozenset(self.record["events"][event]["objects"])

    # sets of events

    def events(self) -> Set:
        return frozenset(range(len(self._events())))

    def observed(self) -> Set:
        return frozenset(i for i, event in enumerate(self._events()) if event["observed"])

    def of_type(self, events: Set, type: str) -> Set:
        return frozenset(i for i in events if self._events()[i]["type"] == type)

    def before(self, events: Set, event: int) -> Set:
        return frozenset(i for i in events if self._frame(i) < self._frame(event))

    def after(self, events: Set, event: int) -> Set:
        return frozenset(i for i in events if self._frame(i) > self._frame(event))

    def causes(self, event: int) -> Set:
        reached: set[int] = set()
        waiting = list(self.record["events"][event]["causes"])
        while waiting:
            cause = waiting.pop()
            if cause not in reached:
                reached.add(cause)
                waiting += self.record["events"][cause]["causes"]
        return frozenset(reached)

    def effects(self, events: Set) -> Set:
        return frozenset(i for i in self.events() if self.causes(i) & events)

    def involving(self, events: Set, anchor: int) -> Set:
        return frozenset(i for i in events if anchor in self._part(i))

    def involving_any(self, events: Set, objects: Set) -> Set:
        return frozenset(i for i in events if objects & self._part(i))

    def between(self, events: Set, a: int, b: int) -> Set:
        return frozenset(i for i in events if {a, b} <= self._part(i))

    def either_events(self, a: Set, b: Set) -> Set:
        return a | b

    def unlike_events(self, a: Set, b: Set) -> Set:
        return a - b

    def only_event(self, event: int) -> Set:
        return frozenset([event])

    # events

    def first(self, events: Set) -> int:
        return self._single(frozenset(sorted(events)[:1]))

    def unique_event(self, events: Set) -> int:
        return self._single(events)

    def equal_event(self, a: int, b: int) -> bool:
        return a == b

    def count_events(self, events: Set) -> int:
        return len(events)

    def exist_event(self, events: Set) -> bool:
        return len(events) > 0

    # objects of events

    def involved(self, event: int) -> Set:
        return self._part(event)

    def partner(self, event: int, anchor: int) -> int:
        return self._single(self._part(event) - {anchor})

    # moments, by their frames

    def frames(self) -> Set:
        return frozenset(self._frame(i) for i in self.events())

    def frame_of(self, event: int) -> int:
        return self._frame(event)

    def when(self, events: Set) -> Set:
        return frozenset(self._frame(i) for i in events)

    def count_frames(self, frames: Set) -> int:
        return len(frames)

    def equal_frame(self, a: int, b: int) -> bool:
        return a == b

    def moving_at(self, objects: Set, frame: int) -> Set:
        return objects & frozenset(self.record["moving"][frame])

    def heading(self, anchor: int, frame: int) -> str:
        headings: dict[int, str] = self.record["heading"][frame]
        if anchor not in headings:
            raise NotSingle(())
        return headings[anchor]
