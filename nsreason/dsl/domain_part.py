"""The part of a domain that some programs name: of thousands of names, the few dozen at hand."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from .domain import Domain
from .domain_file import AttributeEntry, ValueEntry


def domain_part(
    domain: Domain, concepts: Collection[str], attributes: Collection[str], relations: Collection[str]
) -> Domain:
    """Return the domain with these names only, in its own order and under its own name.

    A value keeps what stands above it among the values that are left, over those that are not. An attribute that is
    not among `attributes`, but has a value among `concepts`, is open: an object may have none of the values left.
    Relations lose their directions, and their inverses where these are not left.
    """
    entries: dict[str, AttributeEntry] = {}
    for attribute, entry in domain.file.attributes.items():
        values = {key: _part_of_value(domain, key, concepts) for key in entry.values if key in concepts}
        if attribute in attributes and not values:
            values = dict([next(iter(entry.values.items()))])  # an attribute has at least one value
        if values:
            is_open = entry.open or attribute not in attributes
            entries[attribute] = msgspec.structs.replace(entry, values=values, open=is_open)
    if not entries:
        return domain_part(domain, concepts, domain.attributes[:1], relations)
    kept = {
        name: msgspec.structs.replace(
            entry, direction=None, inverse=entry.inverse if entry.inverse in relations else None
        )
        for name, entry in domain.file.relations.items()
        if name in relations
    }
    asks = domain.file.asks if domain.file.asks in entries else None
    return Domain(
        msgspec.structs.replace(
            domain.file, attributes=entries, relations=kept, asks=asks, questions=None, native={}, closed=True
        )
    )


def _part_of_value(domain: Domain, key: str, concepts: Collection[str]) -> ValueEntry:
    entry = domain.file.attributes[domain.attribute_of[key]].values[key]
    above = [domain.concepts[c] for c in domain.above.get(domain.concept_index[key], ())]
    return msgspec.structs.replace(entry, isa=tuple([name for name in above if name in concepts]))
