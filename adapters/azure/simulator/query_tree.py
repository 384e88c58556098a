"""A query of IoT Hub as a tree. Pure."""

from __future__ import annotations

from dataclasses import dataclass

Scalar = str | int | float | bool | None
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attribute:
    """A path into the twin, such as ("properties", "reported", "slot")."""

    path: Path


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant."""

    value: Scalar


Operand = Attribute | Literal


@dataclass(frozen=True, slots=True)
class Comparison:
    """`left operator right`; the operator is one of = != < <= > >=."""

    left: Operand
    operator: str
    right: Operand


@dataclass(frozen=True, slots=True)
class Membership:
    """`left IN [...]`, or NIN where `negated`. Constants are pairs of kind and value, as `kind_of` tells them."""

    left: Operand
    constants: frozenset[tuple[str, Scalar]]
    attributes: tuple[Attribute, ...]
    negated: bool


@dataclass(frozen=True, slots=True)
class IsDefined:
    """`is_defined(path)`."""

    attribute: Attribute


@dataclass(frozen=True, slots=True)
class Truth:
    """An operand that stands for a condition by itself."""

    operand: Operand


@dataclass(frozen=True, slots=True)
class Not:
    """`NOT condition`."""

    condition: Condition


@dataclass(frozen=True, slots=True)
class Joined:
    """Conditions under one AND, or under one OR where `either`."""

    conditions: tuple[Condition, ...]
    either: bool


Condition = Comparison | Membership | IsDefined | Truth | Not | Joined


@dataclass(frozen=True, slots=True)
class Aggregate:
    """COUNT(), or AVG, SUM, MIN, MAX of an attribute."""

    function: str
    attribute: Attribute | None


@dataclass(frozen=True, slots=True)
class Column:
    """One member of a row."""

    name: str
    value: Attribute | Aggregate


@dataclass(frozen=True, slots=True)
class Query:
    """A whole query. No columns means `*`."""

    columns: tuple[Column, ...]
    source: str
    condition: Condition | None
    group: Attribute | None
    top: int | None

    @property
    def aggregates(self) -> bool:
        """Whether rows stand for many devices."""
        return self.group is not None or any(isinstance(each.value, Aggregate) for each in self.columns)


def kind_of(value: object) -> str:
    """What values must have in common to be compared: "string", "number", "boolean" or "null"; "" never is."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else "null" if value is None else ""
