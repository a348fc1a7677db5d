"""Scenes: the objects of an image, their values, where they stand, and how they are related.

N objects. A set of objects is a bit set: bit i of an integer stands for object i, whatever the scene's size.

    scene = Scene.from_json(text, "clevr")       # one scene of the official CLEVR layout
    scene = Scene.of("clevr", [{"size": "large", "color": "red", "material": "metal", "shape": "cube"}])

A scene is crisp here: every value and relation holds or does not. A perception front end that is less sure
makes tables of degrees for the soft executors; both meet programs through the same `View`.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from ..dsl.domain import Domain, load_domain
from ..errors import SceneError, nearest
from .relations import check_relationships, converse, listed, members, rows_along
from .scene_record import (
    DECODING,
    POSITION_AXES,
    JsonText,
    ObjectPlace,
    SceneRecord,
    Vector,
    not_finite,
    read_place,
    read_positions,
    read_record,
    scene_error,
    value_reader,
)
from .values import Column, ObjectValues, OpenColumn, SparseSets, columns_of, sets_with_above, stated_sets, values_at
from .world import Parts

Sets = list[int] | SparseSets
MOST_RELATED = 3_000  # objects whose computed relations are written out: 18 million indices of CLEVR's four

__all__ = ["ObjectPlace", "Scene", "SceneRecord", "Vector", "converse", "members"]


class Scene:
    """One scene of one domain; not changed after it is built.

    Attributes:
        values: per attribute, the N concept numbers of the objects' values; an `OpenColumn` of an open attribute.
        stated: per concept, the bit set of the objects of which it is stated.
        concepts: per concept, the bit set of the objects that have it: stated, or as what stands above a stated value.
        places: per object, coordinates, pixel coordinates, box, mask and score where known.
        directions: unit vectors by name, from which relations are computed where the file has none.
        index, image: the scene's number in its data set and the name of its image file.
    """

    __slots__ = (
        "_eps",
        "_faults",
        "_given",
        "_relations",
        "_tables",
        "concepts",
        "directions",
        "domain",
        "image",
        "index",
        "places",
        "stated",
        "values",
    )

    domain: Domain
    values: list[Column]
    stated: Sets
    concepts: Sets
    places: Sequence[ObjectPlace]
    directions: Mapping[str, Vector]
    index: int | None
    image: str | None
    _given: dict[str, list[int]]
    _faults: dict[str, SceneError]  # by relation: why its relationships cannot be used
    _eps: float | None  # how far apart two objects must be to be related, where it is not the domain's margin
    _relations: dict[int, list[int]]
    _tables: Any  # the executors' view of this scene, a function of the scene alone

    def __init__(
        self,
        domain: Domain | str,
        values: Sequence[ObjectValues],
        places: Sequence[ObjectPlace],
        relationships: Mapping[str, Sequence[Sequence[int]]] | None = None,
        directions: Mapping[str, Vector] | None = None,
        index: int | None = None,
        image: str | None = None,
    ) -> None:
        """Build from encoded values, `values[object][attribute]`; the readers below start from names.

        Of an open attribute an object has a sequence of values, which may be empty.

        Raises:
            SceneError: values or relationships do not fit the objects, or a coordinate is not finite.
        """
        self.domain = domain = load_domain(domain)
        n = len(values)
        if len(places) != n:
            raise SceneError(f"{n} objects have values, {len(places)} have places", path="$.objects")
        self.values = columns_of(domain, values)
        self.stated = stated_sets(domain, self.values)
        self.concepts = sets_with_above(domain.above, self.stated)
        self.places = places
        self.directions = directions or {}
        self.index, self.image = index, image
        self._relations = {}
        self._tables = None
        self._eps = None
        self._given, self._faults = check_relationships(domain, relationships or {}, n)
        for fault in self._faults.values():
            raise fault
        for i, place in enumerate(places):
            if place.coords is not None and not all(map(math.isfinite, place.coords)):
                raise SceneError("a coordinate is not finite", path=f"$.objects[{i}].3d_coords")
            if place.bbox is not None and not all(map(math.isfinite, place.bbox)):
                raise SceneError("a box is not finite", path=f"$.objects[{i}].bbox")
            if place.score is not None and not 0.0 <= place.score <= 1.0:
                raise SceneError(f"a score lies in 0..1, got {place.score}", path=f"$.objects[{i}].score")
        for name, vector in self.directions.items():
            if not all(map(math.isfinite, vector)):
                raise SceneError("a direction is not finite", path=f"$.directions.{name}")

    # --- as a world (see scenes/world.py) -----------------------------------------------------------------------

    def size(self, sort: str) -> int:
        """The number of objects."""
        return len(self)

    def rows(self, table: str, literal: int) -> Any:
        """See `World.rows`: the tables `concept` and `values`, and `relation` as the method of that name."""
        if table == "relation":
            return self.relation(literal)
        return (self.concepts if table == "concept" else self.values)[literal]

    def ready(self) -> Mapping[str, Any]:
        """See `World.ready`."""
        return {"concept": self.concepts, "values": self.values}

    def label(self, sort: str, i: int) -> str:
        """See `World.label`."""
        return self.describe(i)

    def answer(self, sort: str, i: int) -> int:
        """An object's index."""
        return i

    def parts(self, sort: str, i: int) -> Parts:
        """The object."""
        return Parts((i,))

    def as_scene(self) -> Scene:
        """Itself."""
        return self

    def __getstate__(self) -> tuple[Any, ...]:
        # What was computed from the scene stays behind: a scene is the same before and after it was asked.
        kept = (self.domain, self.values, self.stated, self.places, self.directions, self.index, self.image)
        return (*kept, self._given, self._faults, self._eps)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.domain, self.values, self.stated, self.places, self.directions = state[:5]
        self.index, self.image, self._given, self._faults, self._eps = state[5:]
        self.concepts = sets_with_above(self.domain.above, self.stated)
        self._relations, self._tables = {}, None

    # --- reading --------------------------------------------------------------------------------------------

    @classmethod
    def from_json(cls, data: JsonText, domain: Domain | str = "clevr") -> Scene:
        """A scene from the JSON text of one scene.

        What no op needs is kept as it is (see `scene_record`). Relationships that do not fit the objects cost only
        the programs that ask for them. Relations that the domain does not have are left alone.

        Raises:
            SceneError: with the JSON path of what is wrong.
        """
        domain = load_domain(domain)
        try:
            record, faults = read_record(data, domain)
        except DECODING as error:
            return _lenient(data, domain, error)
        return cls._from_record(record, domain, faults)

    @classmethod
    def from_dict(cls, data: object, domain: Domain | str = "clevr") -> Scene:
        """A scene from the same layout as Python data.

        Raises:
            SceneError: with the path of what is wrong.
        """
        domain = load_domain(domain)
        try:
            text = msgspec.json.encode(data)
        except (TypeError, OverflowError, RecursionError, ValueError) as error:
            raise SceneError(f"not JSON data: {error}") from None
        path = not_finite(data)
        if path:
            raise SceneError("a number is not finite", path=path)
        return cls.from_json(text, domain)

    @classmethod
    def of(
        cls,
        domain: Domain | str,
        objects: Iterable[Mapping[str, object]],
        *,
        relationships: Mapping[str, Sequence[Sequence[int]]] | None = None,
        directions: Mapping[str, Sequence[float]] | None = None,
        index: int | None = None,
    ) -> Scene:
        """A scene from plain objects: `{"color": "red", ..., "3d_coords": [x, y, z]}`.

        Raises:
            SceneError: with the path of what is wrong, relationships included.
        """
        data: dict[str, object] = {"objects": [dict(o) for o in objects]}
        data |= {"relationships": relationships} if relationships is not None else {}
        data |= {"directions": directions} if directions is not None else {}
        data |= {"image_index": index} if index is not None else {}
        scene = cls.from_dict(data, domain)
        for fault in scene._faults.values():
            raise fault
        return scene

    @classmethod
    def _from_record(cls, record: SceneRecord, domain: Domain, faults: Mapping[str, SceneError]) -> Scene:
        values: list[ObjectValues] = []
        places: list[ObjectPlace] = []
        read_values = value_reader(domain)
        for i, raw in enumerate(record.objects):
            try:
                values.append(read_values(raw))
                places.append(read_place(raw))
            except msgspec.ValidationError as error:
                raise scene_error(error, domain).under(f"$.objects[{i}]") from None
            except SceneError as error:
                raise error.under(f"$.objects[{i}]") from None
            except DECODING as error:
                raise SceneError(str(error), path=f"$.objects[{i}]") from None
        directions = record.directions
        positions = None
        if not directions and places and all(p.coords is None for p in places) and "position" not in domain.attributes:
            positions = read_positions(record.objects)
        for place, position in zip(places, positions or (), strict=False):
            place.coords, directions = position, POSITION_AXES
        scene = cls(domain, values, places, None, directions, record.image_index, record.image_filename)
        scene._given, scene._faults = check_relationships(domain, record.relationships or {}, len(places))
        scene._faults |= faults
        scene._eps = None if positions is None else 0.0
        return scene

    # --- what it offers -------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.places)

    def __repr__(self) -> str:
        name = f", index={self.index}" if self.index is not None else ""
        return f"Scene({self.domain.name!r}, {len(self)} objects{name})"

    def value(self, i: int, attribute: str) -> str:
        """Object i's value of an attribute.

        Raises:
            NoSingleValue: the attribute is open, and the object has no value of it or several.
        """
        return self.domain.concepts[self.values[self.domain.attribute_index[attribute]][i]]

    def values_of(self, i: int, attribute: str) -> tuple[str, ...]:
        """All of object i's values of an attribute."""
        concepts = self.domain.concepts
        return tuple([concepts[c] for c in values_at(self.values[self.domain.attribute_index[attribute]], i)])

    def entry(self, i: int, attribute: str) -> str | list[str]:
        """Object i's value of an attribute as a scene file has it: of an open attribute a list."""
        is_open = self.domain.attribute_index[attribute] in self.domain.open_attributes
        return list(self.values_of(i, attribute)) if is_open else self.value(i, attribute)

    def encoded(self, i: int) -> ObjectValues:
        """Object i's concept numbers, as the constructor takes them."""
        return [column.rows[i] if isinstance(column, OpenColumn) else column[i] for column in self.values]

    def describe(self, i: int) -> str:
        """Object i in words: `large red metal cube`."""
        labels = self.domain.labels
        words = [labels[concept] for column in self.values for concept in values_at(column, i)]
        return " ".join(words) or self.domain.file.things[0]

    def relation(self, number: int) -> list[int]:
        """The rows of a relation: row i is the bit set of the objects j for which *j is relation of i*.

        Taken from the scene's relationships, or from those of the inverse, or computed: j is left of i when
        it lies more than the domain's `eps` further along the direction `left` (CLEVR: 0.2), or i further
        along that of the inverse. In a closed domain a relation of which the scene says nothing has no pairs.

        Raises:
            SceneError: the scene has neither relationships nor coordinates for it, or its relationships do not fit.
        """
        rows = self._relations.get(number)
        if rows is None:
            rows = self._relations[number] = self._relation_rows(self.domain.relations[number])
        return rows

    def _relation_rows(self, name: str) -> list[int]:
        if name in self._given:
            return self._given[name]
        inverse = self.domain.inverse(name)
        if name in self._faults:
            raise self._faults[name]
        if inverse is not None and inverse in self._given:
            return converse(self._given[inverse])
        if inverse is not None and inverse in self._faults:
            raise self._faults[inverse]
        if not len(self):
            return []
        eps = self.domain.file.eps if self._eps is None else self._eps
        coords = [p.coords for p in self.places if p.coords is not None]
        if len(coords) == len(self):
            if (vector := self._direction(name)) is not None:
                return rows_along(coords, vector, eps)
            if inverse is not None and (vector := self._direction(inverse)) is not None:
                return converse(rows_along(coords, vector, eps))
        if self.domain.file.closed and not self._misspelled(name):
            return [0] * len(self)
        direction = self.domain.file.relations[name].direction
        need = f"3d_coords and directions.{direction}" if direction else "relationships (it has no direction)"
        strange = "".join(f"; {f.reason}" for r, f in self._faults.items() if r not in self.domain.relation_index)
        raise SceneError(
            f"this scene says nothing of '{name}': it has no relationships.{name} and no {need}{strange}",
            path="$.relationships",
        )

    def _misspelled(self, relation: str) -> bool:
        """Whether the scene has relationships under a name like the relation's, which the domain does not have."""
        unknown = [name for name in self._faults if name not in self.domain.relation_index]
        return any(nearest(name, [relation]) for name in unknown)

    def _direction(self, relation: str) -> Vector | None:
        direction = self.domain.file.relations[relation].direction
        return self.directions.get(direction) if direction is not None else None

    def to_dict(self) -> dict[str, Any]:
        """The scene in the official layout, relationships included where they are known.

        Of more than MOST_RELATED objects, those are left out that the coordinates and directions say: a reader of the
        layout computes them, and their lists grow with the square of the objects.
        """
        objects = []
        for i, place in enumerate(self.places):
            record: dict[str, Any] = {attribute: self.entry(i, attribute) for attribute in self.domain.attributes}
            fields = msgspec.to_builtins(place)
            fields |= fields.pop("(other)") or {}
            record |= {k: list(v) if isinstance(v, tuple) else v for k, v in fields.items() if v is not None}
            objects.append(record)
        out: dict[str, Any] = {"objects": objects, "relationships": self._relationships()}
        if self.directions:
            out["directions"] = {k: list(v) for k, v in self.directions.items()}
        if self.index is not None:
            out["image_index"] = self.index
        if self.image is not None:
            out["image_filename"] = self.image
        return out

    def _relationships(self) -> dict[str, list[list[int]]]:
        """The lists of the relations that `to_dict` writes."""
        relationships: dict[str, list[list[int]]] = {}
        for number, name in enumerate(self.domain.relations):
            stated = name in self._given or self.domain.inverse(name) in self._given
            if len(self) > MOST_RELATED and self._eps is None and not stated:
                continue
            with contextlib.suppress(SceneError):
                rows = self.relation(number)
                if stated or any(rows) or not self.domain.file.closed:
                    relationships[name] = listed(rows)
        return relationships


def _lenient(data: JsonText, domain: Domain, error: Exception) -> Scene:
    """Python's own json writes NaN, which is not JSON: say where it stands, not where the syntax broke."""
    import json

    try:
        loaded = json.loads(bytes(data) if isinstance(data, msgspec.Raw) else data)
    except (ValueError, RecursionError):
        raise SceneError(f"not valid JSON: {error}") from None
    return Scene.from_dict(loaded, domain)
