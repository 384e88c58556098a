"""The query language of IoT Hub, from text to a tree (developer guide, query language). Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NoReturn, TypeVar

from adapters.azure.simulator.hub_errors import HubError, Refusal, invalid
from adapters.azure.simulator.query_tokens import Token, number_of, text_of, tokenize
from adapters.azure.simulator.query_tree import (
    Aggregate,
    Attribute,
    Column,
    Comparison,
    Condition,
    IsDefined,
    Joined,
    Literal,
    Membership,
    Not,
    Operand,
    Path,
    Query,
    Scalar,
    Truth,
    kind_of,
)

MAX_QUERY = 8192
"""Characters of a query or condition."""
MAX_NESTING = 64
_Node = TypeVar("_Node")
_WORDS = frozenset(
    {"SELECT", "TOP", "FROM", "WHERE", "GROUP", "BY", "AS", "AND", "OR", "NOT", "IN", "NIN", "ORDER", "LIKE", "BETWEEN"}
)
_CONSTANTS: dict[str, Scalar] = {"TRUE": True, "FALSE": False, "NULL": None}
_AGGREGATES = frozenset({"COUNT", "AVG", "SUM", "MIN", "MAX"})
_OPERATORS = {"=": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_SOURCES = frozenset({"devices", "devices.modules", "devices.jobs"})


def parse_query(text: str) -> Query:
    """SELECT ... FROM ... [WHERE ...] [GROUP BY ...]. Raises: HubError ARGUMENT_INVALID."""
    return _Parser(text).query()


def parse_condition(text: str) -> Condition | None:
    """What stands behind WHERE; None for `*` or nothing, which is every device. Raises: HubError ARGUMENT_INVALID."""
    return None if text.strip() in ("", "*") else _Parser(text).whole_condition()


class _Parser:
    """Recursive descent, one token ahead; keywords and functions in any case."""

    def __init__(self, text: str) -> None:
        if len(text) > MAX_QUERY:
            raise invalid(f"The query has {len(text)} characters; the limit is {MAX_QUERY}")
        self._tokens = tuple(tokenize(text))
        self._next = 0
        self._depth = 0

    def query(self) -> Query:
        self._expect("SELECT")
        top = self._whole_number() if self._take("TOP") else None
        columns = self._columns()
        self._expect("FROM")
        source = ".".join(self._path())
        if source not in _SOURCES:
            raise invalid(f"FROM {source}: queries go to devices, devices.modules or devices.jobs")
        condition = self._either() if self._take("WHERE") else None
        group = self._group()
        self._finish()
        return _checked(Query(columns, source, condition, group, top))

    def whole_condition(self) -> Condition:
        condition = self._either()
        self._finish()
        return condition

    # --- clauses

    def _columns(self) -> tuple[Column, ...]:
        if self._take("*"):
            return ()
        return tuple(self._listed(self._column))

    def _column(self) -> Column:
        value = self._aggregate() or Attribute(self._path())
        default = "" if isinstance(value, Aggregate) else value.path[-1]
        return Column(self._name() if self._take("AS") else default, value)

    def _aggregate(self) -> Aggregate | None:
        function = self._peek().text.upper()
        if self._peek().kind != "word" or self._peek(1).text != "(":
            return None
        if function not in _AGGREGATES:
            self._unknown_function()
        self._next += 2
        attribute = None if self._peek().text == ")" else Attribute(self._path())
        self._expect(")")
        if (attribute is None) != (function == "COUNT"):
            raise invalid(f"{function} takes {'no' if attribute else 'one'} attribute")
        return Aggregate(function, attribute)

    def _group(self) -> Attribute | None:
        if not self._take("GROUP"):
            return None
        self._expect("BY")
        group = Attribute(self._path())
        if self._peek().text == ",":
            raise invalid("GROUP BY takes one attribute")
        return group

    # --- conditions, the loosest first

    def _either(self) -> Condition:
        return self._joined(self._both, "OR")

    def _both(self) -> Condition:
        return self._joined(self._negation, "AND")

    def _joined(self, part: Callable[[], Condition], word: str) -> Condition:
        parts = [part()]
        while self._take(word):
            parts.append(part())
        return parts[0] if len(parts) == 1 else Joined(tuple(parts), word == "OR")

    def _negation(self) -> Condition:
        self._depth += 1
        if self._depth > MAX_NESTING:
            raise invalid(f"The condition is nested more than {MAX_NESTING} levels deep")
        condition: Condition = Not(self._negation()) if self._take("NOT") else self._term()
        self._depth -= 1
        return condition

    def _term(self) -> Condition:
        if self._take("("):
            inner = self._either()
            self._expect(")")
            return inner
        if self._peek().kind == "word" and self._peek(1).text == "(":
            return self._is_defined()
        return self._comparison(self._operand())

    def _is_defined(self) -> Condition:
        if self._peek().text.upper() != "IS_DEFINED":
            self._unknown_function()
        self._next += 2
        attribute = Attribute(self._path())
        self._expect(")")
        return IsDefined(attribute)

    def _comparison(self, left: Operand) -> Condition:
        token = self._peek()
        if token.text in _OPERATORS and token.kind == "symbol":
            self._next += 1
            return Comparison(left, _OPERATORS[token.text], self._operand())
        if self._is_word("IN") or self._is_word("NIN"):
            self._next += 1
            return _membership(left, self._array(), negated=token.text.upper() == "NIN")
        return Truth(left)

    def _array(self) -> tuple[Operand, ...]:
        self._expect("[")
        values = tuple(self._listed(self._operand))
        self._expect("]")
        return values

    def _operand(self) -> Operand:
        token = self._peek()
        if token.kind == "number":
            return Literal(number_of(self._advance().text))
        if token.kind == "string":
            return Literal(text_of(self._advance().text))
        if token.kind == "word" and token.text.upper() in _CONSTANTS:
            return Literal(_CONSTANTS[self._advance().text.upper()])
        return Attribute(self._path())

    def _path(self) -> Path:
        names = [self._name()]
        while self._take("."):
            names.append(self._name())
        return tuple(names)

    # --- tokens

    def _name(self) -> str:
        token = self._peek()
        if token.kind == "quoted":
            return self._advance().text[2:-2]
        if token.kind != "word" or token.text.upper() in _WORDS:
            self._unexpected("a name")
        return self._advance().text

    def _whole_number(self) -> int:
        if not self._peek().text.isdecimal():
            self._unexpected("a whole number")
        return int(self._advance().text)

    def _listed(self, element: Callable[[], _Node]) -> Iterator[_Node]:
        yield element()
        while self._take(","):
            yield element()

    def _peek(self, ahead: int = 0) -> Token:
        return self._tokens[min(self._next + ahead, len(self._tokens) - 1)]

    def _advance(self) -> Token:
        self._next += 1
        return self._tokens[self._next - 1]

    def _is_word(self, text: str) -> bool:
        token = self._peek()
        return token.kind in ("word", "symbol") and token.text.upper() == text

    def _take(self, text: str) -> bool:
        taken = self._is_word(text)
        self._next += taken
        return taken

    def _expect(self, text: str) -> None:
        if not self._take(text):
            self._unexpected(text)

    def _finish(self) -> None:
        if self._peek().kind != "end":
            self._unexpected("the end of the query")

    def _unexpected(self, wanted: str) -> NoReturn:
        token = self._peek()
        raise invalid(f"Syntax error at character {token.at}: {wanted} expected, not {token.text or 'the end'!r}")

    def _unknown_function(self) -> NoReturn:
        token = self._peek()
        raise invalid(f"Function {token.text} at character {token.at} is not supported in queries of twins and jobs")


def _membership(left: Operand, values: tuple[Operand, ...], *, negated: bool) -> Membership:
    constants = frozenset((kind_of(each.value), each.value) for each in values if isinstance(each, Literal))
    return Membership(left, constants, tuple(each for each in values if isinstance(each, Attribute)), negated)


def _checked(query: Query) -> Query:
    if query.source == "devices.jobs":
        raise HubError(Refusal.UNSUPPORTED, "This simulator does not play devices.jobs; ask GET /jobs/v2/{id} instead")
    if query.aggregates and not query.columns:
        raise invalid("GROUP BY needs columns, not SELECT *")
    for column in query.columns if query.aggregates else ():
        if isinstance(column.value, Attribute) and column.value != query.group:
            raise invalid(f"{'.'.join(column.value.path)} is neither aggregated nor in GROUP BY")
    return query
