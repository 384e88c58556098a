"""Rollouts and ledger entries as rows of `bridge.store.tables`, and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import sqlalchemy as sa

from bridge.engine.progress import Progress, State
from bridge.engine.record import Material, Parcel, Record, Summary
from bridge.errors import BrokenLedger
from bridge.ledger import Entry, Link
from bridge.planning.planned import Plan
from bridge.store.tables import ROLLOUTS

Aware = Annotated[datetime, msgspec.Meta(tz=True)]
IN_SUMMARY = tuple(
    ROLLOUTS.c[name] for name in ("name", "state", "version", "stage", "stages", "updated", "waiting", "reason")
)


class _Row(msgspec.Struct, frozen=True):
    """A row of `rollouts`, checked; what stands in the progress as well is left out."""

    name: str
    revision: int
    state: State
    created: Aware
    updated: Aware
    reason: str
    release: bytes
    roots: bytes
    folder: str
    progress: bytes
    back_release: bytes | None
    back_folder: str | None


def fixed(record: Record) -> dict[str, object]:
    """Columns of the rollout that are written once."""
    back = record.material.back
    return {
        "name": record.name,
        "stages": len(record.plan.stages),
        "version": record.plan.release.version,
        "created": text(record.created),
        "digest": record.plan.digest,
        "release": record.material.new.release,
        "roots": msgspec.json.encode(record.material.roots),
        "folder": str(record.material.new.folder),
        "back_release": back and back.release,
        "back_folder": back and str(back.folder),
    }


def moving(record: Record) -> dict[str, object]:
    """Columns that change from pass to pass."""
    return {
        "revision": record.revision,
        "state": record.state.value,
        "open": is_open(record.progress),
        "stage": record.progress.stage,
        "waiting": record.progress.waiting,
        "reason": storable(record.reason),
        "updated": text(record.updated),
        "progress": msgspec.json.encode(record.progress),
    }


def is_open(progress: Progress) -> bool:
    """Whether something is left to do: the rollout has not ended, or a fleet was not told that an order has."""
    return not progress.state.is_final or any(not order.closed for _, _, order in progress.each())


def record_of(row: sa.RowMapping, plan: Plan) -> Record:
    """The rollout in `row`. Raises: msgspec.ValidationError, ValueError; SQLite keeps values of any type."""
    stored = msgspec.convert(_values(row), _Row, builtin_types=[bytes])
    return Record(
        plan=plan,
        material=_material(stored),
        created=stored.created,
        updated=stored.updated,
        progress=_progress(stored),
        reason=stored.reason,
        revision=stored.revision,
    )


def plan_of(document: bytes, name: str, digest: str) -> Plan:
    """The plan in `document`. Raises: ValueError when it is not that of the rollout `name` with `digest`."""
    plan = msgspec.json.decode(document, type=Plan)
    if (plan.rollout.name, plan.digest) != (name, digest):
        raise ValueError(f"rollout {name} has the plan of {plan.rollout.name}, or another digest than its plan")
    return plan


def summary_of(row: sa.RowMapping) -> Summary:
    """The same without what only a pass needs. Raises: as `record_of`."""
    summary = msgspec.convert(_values(row), Summary)
    return msgspec.structs.replace(summary, stage=summary.stage + 1)


def row_of(link: Link) -> Mapping[str, object]:
    """One entry of the ledger as a row."""
    return {
        "number": link.number,
        "rollout": link.entry.rollout,
        "previous": link.previous,
        "digest": link.digest,
        "entry": msgspec.json.encode(link.entry),
    }


def link_of(row: sa.RowMapping) -> Link:
    """One entry of the ledger in its place. Raises: BrokenLedger when it cannot be read."""
    number = row["number"]
    try:
        return Link(number, row["previous"], row["digest"], msgspec.json.decode(row["entry"], type=Entry))
    except (msgspec.MsgspecError, TypeError, RecursionError) as error:
        raise BrokenLedger(f"ledger entry {number} was edited after it was written: {error}", number) from error


def text(moment: datetime) -> str:
    """UTC with microseconds always, so that texts sort as times do."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def storable(words: str) -> str:
    """`words` as every database takes them: PostgreSQL refuses NUL, which a device may well send."""
    return words.replace("\0", "\ufffd")


def _values(row: sa.RowMapping) -> dict[str, object]:
    """SQLAlchemy's names of columns are more than strings."""
    return {str(name): value for name, value in row.items()}


def _material(row: _Row) -> Material:
    roots = msgspec.json.decode(row.roots, type=tuple[bytes, ...])
    return Material(Parcel(row.release, Path(row.folder)), roots, _back(row))


def _back(row: _Row) -> Parcel | None:
    if row.back_release is None and row.back_folder is None:
        return None
    if row.back_release is None or row.back_folder is None:
        raise ValueError(f"rollout {row.name} has half of a release to go back to")
    return Parcel(row.back_release, Path(row.back_folder))


def _progress(row: _Row) -> Progress:
    """The state stands twice, for queries and for passes."""
    progress = msgspec.json.decode(row.progress, type=Progress)
    if progress.state is not row.state:
        raise ValueError(f"rollout {row.name} is {row.state} and {progress.state}")
    return progress
