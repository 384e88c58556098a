"""Topic filters in a tree, so that routing does not look at every subscription (MQTT 5, 4.7)."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

_ONE = "+"
_REST = "#"
_MAX_LEVELS = 64

Owner = TypeVar("Owner", bound=Hashable)


def is_valid_filter(topic_filter: str) -> bool:
    """Whether `+` and `#` stand alone in their levels, `#` comes last, and levels are at most 64."""
    levels = topic_filter.split("/")
    alone = all(len(level) == 1 or not {_ONE, _REST} & set(level) for level in levels)
    bounded = topic_filter != "" and len(levels) <= _MAX_LEVELS
    return bounded and alone and _REST not in levels[:-1]


def is_valid_topic(topic: str) -> bool:
    """Whether a message can be published to it: not empty, no wildcard."""
    return bool(topic) and not {_ONE, _REST} & set(topic)


@dataclass
class _Node(Generic[Owner]):
    children: dict[str, _Node[Owner]] = field(default_factory=dict)
    owners: set[Owner] = field(default_factory=set)

    @property
    def empty(self) -> bool:
        return not self.children and not self.owners


class FilterTrie(Generic[Owner]):
    """Which owners asked for a topic."""

    def __init__(self) -> None:
        self._root: _Node[Owner] = _Node()

    def add(self, topic_filter: str, owner: Owner) -> None:
        """Register `owner` under a filter; again is no change."""
        node = self._root
        for level in topic_filter.split("/"):
            node = node.children.setdefault(level, _Node())
        node.owners.add(owner)

    def discard(self, topic_filter: str, owner: Owner) -> None:
        """Forget `owner` under a filter and prune what became empty."""
        self._discard(self._root, topic_filter.split("/"), owner)

    def match(self, topic: str) -> set[Owner]:
        """The owners of every filter that matches. Wildcards do not match `$` topics at the top."""
        found: set[Owner] = set()
        nodes = [self._root]
        for depth, level in enumerate(topic.split("/")):
            wild = depth > 0 or not topic.startswith("$")
            nodes = [child for node in nodes for child in _step(node, level, found, wild=wild)]
        for node in nodes:
            found |= node.owners
            found |= _owners_of_rest(node)
        return found

    def __bool__(self) -> bool:
        return not self._root.empty

    def _discard(self, node: _Node[Owner], levels: list[str], owner: Owner) -> None:
        if not levels:
            node.owners.discard(owner)
            return
        child = node.children.get(levels[0])
        if child is None:
            return
        self._discard(child, levels[1:], owner)
        if child.empty:
            del node.children[levels[0]]


def _step(node: _Node[Owner], level: str, found: set[Owner], *, wild: bool) -> Iterator[_Node[Owner]]:
    if wild:
        found |= _owners_of_rest(node)
        if _ONE in node.children:
            yield node.children[_ONE]
    if level in node.children:
        yield node.children[level]


def _owners_of_rest(node: _Node[Owner]) -> set[Owner]:
    rest = node.children.get(_REST)
    return rest.owners if rest else set()
