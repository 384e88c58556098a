"""Queries of fleet indexing: parts of a fleet, ranges of buckets and hardware models in AWS's own words. Pure.

Sources: developer guide, "Query syntax" (terms, characters that are not supported) and the quotas of fleet indexing.
The index compares without regard to case, so a group or model is told apart from another by more than that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from adapters.violations import BrokenLimits, Violation
from bridge.release.bucket import BUCKETS, Buckets
from bridge.rollout.model import FleetPart

SHADOW = "otabridge"
"""The named shadow in which a device reports itself."""
REPORTED = f"shadow.name.{SHADOW}.reported"
BUCKET = f"{REPORTED}.bucket"
MODEL = f"{REPORTED}.model"
SEQUENCE = f"{REPORTED}.sequence"
SAVED = f"{REPORTED}.saved"
EVERY_THING = "thingName:*"
MAX_LENGTH = 1000
MAX_TERMS = 12
MAX_LEADING_WILDCARD = 100
UNSUPPORTED = frozenset("`@#%\\/';,")
UNFIT = UNSUPPORTED | frozenset('"*?')
"""No name in a query can have these: whether a wildcard in quotes is one, the guide does not say."""
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
_WORDS_OF_ITS_OWN = frozenset({"AND", "OR", "NOT", "TO"})
_MARKS = _WORDS_OF_ITS_OWN | {"(", ")"}
_TOKEN = re.compile(r'"[^"]*"|[\[{][^\]}]*[\]}]|[()]|[^\s()\[\]{}"]+')
_FIELD = re.compile(r"[\w$.:-]*(:|[<>]=?)$")


def every(*conditions: str) -> str:
    """All of the conditions that are given, at least one."""
    return " AND ".join(condition for condition in conditions if condition)


def any_of(conditions: Iterable[str]) -> str:
    """One of the conditions; "" where there are none."""
    given = tuple(conditions)
    return given[0] if len(given) == 1 else f"({' OR '.join(given)})" if given else ""


def in_buckets(buckets: Sequence[Buckets]) -> str:
    """Whether a device reports a bucket in one of the ranges; "" for no range."""
    return any_of(f"{BUCKET}:[{first} TO {last}]" for first, last in buckets)


def of_part(part: FleetPart) -> str:
    """The part's group and query, or every thing; its list of devices does not fit into a query."""
    group = f"thingGroupNames:{value(part.group)}" if part.group else ""
    query = f"({part.query})" if part.query else ""
    return every(group, query) or EVERY_THING


def of_models(models: Sequence[str]) -> str:
    """Whether a device reports one of the hardware models; "" for no model."""
    return any_of(f"{MODEL}:{value(model)}" for model in models)


def unplaced(part: FleetPart) -> str:
    """The devices of the part that report no bucket."""
    return every(of_part(part), f"NOT {BUCKET}:[0 TO {BUCKETS - 1}]")


def value(text: str) -> str:
    """`text` as one term: in quotes unless nothing in it has a meaning of its own."""
    plain = _PLAIN.fullmatch(text) and text not in _WORDS_OF_ITS_OWN
    return text if plain else f'"{text}"'


def merged(buckets: Iterable[Buckets]) -> tuple[Buckets, ...]:
    """The same buckets in as few ranges as possible, in order."""
    found: list[Buckets] = []
    for each in sorted(buckets):
        if found and each.first <= found[-1].last + 1:
            found[-1] = Buckets(found[-1].first, max(found[-1].last, each.last))
        else:
            found.append(each)
    return tuple(found)


def check_query(query: str, field: str = "query") -> None:
    """Whether AWS would take `query`; `field` is whose value it is. Raises: BrokenLimits, with every violation."""
    found = tuple(violations(query, field))
    if found:
        raise BrokenLimits(found)


def check_part(part: FleetPart, models: Sequence[str] = ()) -> None:
    """Whether query and models can stand in a longer query without changing its meaning. Raises: BrokenLimits."""
    found = [*violations(part.query, "query")] if part.query else []
    unfit = (model for model in models if UNFIT.intersection(model))
    found += [Violation("models", repr(model)[:80], "has a character that no query can hold") for model in unfit]
    if found:
        raise BrokenLimits(tuple(found))


def violations(query: str, field: str) -> Iterator[Violation]:
    """Every limit that `query` breaks."""
    shown = repr(query)[:80]
    unsupported = "".join(sorted(UNSUPPORTED.intersection(query)))
    if unsupported:
        yield Violation(field, shown, f"has {unsupported}, which fleet indexing does not support")
    if len(query) > MAX_LENGTH:
        yield Violation(field, f"{len(query)} characters", f"the limit is {MAX_LENGTH}")
    if terms(query) > MAX_TERMS:
        yield Violation(field, f"{terms(query)} terms", f"the limit is {MAX_TERMS}")
    if not is_closed(query):
        yield Violation(field, shown, "a quote, bracket or parenthesis has no other end")
    if re.search(r"(^|[\s:(])[*?][\w]", query) and len(query) > MAX_LEADING_WILDCARD:
        yield Violation(field, shown, f"with a leading wildcard the limit is {MAX_LEADING_WILDCARD} characters")


def terms(query: str) -> int:
    """How many values `query` compares with; what the limit counts."""
    words = (word for word in _TOKEN.findall(query) if word not in _MARKS)
    return sum(1 for word in words if not _FIELD.fullmatch(word))


def is_closed(query: str) -> bool:
    """Whether every quote, bracket and parenthesis is closed, and none before it was opened."""
    if _TOKEN.sub("", query).strip():
        return False
    depth = 0
    for mark in _TOKEN.findall(query):
        depth += (mark == "(") - (mark == ")")
        if depth < 0:
            return False
    return depth == 0
