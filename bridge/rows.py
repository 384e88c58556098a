"""The tables of the store, and rollouts and ledger entries as their rows. Only `bridge.store` uses them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import sqlalchemy as sa

from bridge.errors import BrokenLedger
from bridge.ledger import Entry, Link
from bridge.record import Material, Record, Summary
from bridge.rollout import Place, Plan, State
from bridge.tally import Tally

METADATA = sa.MetaData()
VERSION = sa.Table("schema_version", METADATA, sa.Column("version", sa.Integer, nullable=False))
ROLLOUTS = sa.Table(
    "rollouts",
    METADATA,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("stage", sa.Integer, nullable=False),
    sa.Column("stages", sa.Integer, nullable=False),
    sa.Column("begun", sa.String(40)),
    sa.Column("version", sa.String(128), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("holding", sa.String(16), nullable=False),
    sa.Column("unknown_passes", sa.Integer, nullable=False),
    sa.Column("created", sa.String(40), nullable=False),
    sa.Column("updated", sa.String(40), nullable=False),
    sa.Column("plan", sa.LargeBinary, nullable=False),
    sa.Column("release", sa.LargeBinary, nullable=False),
    sa.Column("roots", sa.LargeBinary, nullable=False),
    sa.Column("folder", sa.Text, nullable=False),
)
TALLIES = sa.Table(
    "tallies",
    METADATA,
    sa.Column("rollout", sa.ForeignKey("rollouts.name"), primary_key=True),
    sa.Column("stage", sa.Integer, primary_key=True),
    sa.Column("fleet", sa.String(40), primary_key=True),
    sa.Column("tally", sa.LargeBinary, nullable=False),
)
LEDGER = sa.Table(
    "ledger",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("rollout", sa.String(40), nullable=False, index=True),
    sa.Column("previous", sa.String(64), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("entry", sa.LargeBinary, nullable=False),
)


def fixed(record: Record) -> dict[str, object]:
    """Columns that are written once."""
    return {
        "name": record.name,
        "stages": len(record.plan.stages),
        "version": record.plan.release_version,
        "created": _text(record.created),
        "plan": msgspec.json.encode(record.plan),
        "release": record.material.release,
        "roots": msgspec.json.encode(record.material.roots),
        "folder": str(record.material.folder),
    }


def moving(record: Record) -> dict[str, object]:
    """Columns that change from pass to pass."""
    return {
        "revision": record.revision,
        "state": record.state.value,
        "stage": record.stage,
        "begun": record.begun and _text(record.begun),
        "reason": record.reason,
        "holding": record.holding,
        "unknown_passes": record.unknown_passes,
        "updated": _text(record.updated),
    }


def record_of(row: sa.RowMapping, tallies: Sequence[sa.RowMapping]) -> Record:
    """The rollout in `row`, with its `tallies`."""
    roots = msgspec.json.decode(row["roots"], type=tuple[bytes, ...])
    return Record(
        plan=msgspec.json.decode(row["plan"], type=Plan),
        material=Material(row["release"], roots, Path(row["folder"])),
        created=datetime.fromisoformat(row["created"]),
        updated=datetime.fromisoformat(row["updated"]),
        state=State(row["state"]),
        stage=row["stage"],
        begun=row["begun"] and datetime.fromisoformat(row["begun"]),
        reason=row["reason"],
        holding=row["holding"],
        unknown_passes=row["unknown_passes"],
        tallies={Place(t["stage"], t["fleet"]): msgspec.json.decode(t["tally"], type=Tally) for t in tallies},
        revision=row["revision"],
    )


def summary_of(row: sa.RowMapping) -> Summary:
    """The same without what only a pass needs."""
    return Summary(
        name=row["name"],
        state=State(row["state"]),
        version=row["version"],
        stage=row["stage"] + 1,
        stages=row["stages"],
        updated=datetime.fromisoformat(row["updated"]),
        reason=row["reason"],
    )


def link_of(row: sa.RowMapping) -> Link:
    """One entry of the ledger in its place. Raises: BrokenLedger when it cannot be read."""
    number = row["number"]
    try:
        return Link(number, row["previous"], row["digest"], msgspec.json.decode(row["entry"], type=Entry))
    except msgspec.MsgspecError as error:
        raise BrokenLedger(f"ledger entry {number} was edited after it was written: {error}", number) from error


def _text(moment: datetime) -> str:
    """UTC with microseconds always, so that texts sort as times do."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
