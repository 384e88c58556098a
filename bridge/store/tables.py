"""The tables of the newest schema. `bridge.store.migrations` makes them; a test compares the two."""

from __future__ import annotations

import sqlalchemy as sa

METADATA = sa.MetaData()
VERSION = sa.Table(
    "schema_version",
    METADATA,
    # The number of the schema as the first release reads it: it refuses what is newer.
    sa.Column("version", sa.Integer, nullable=False),
)
ROLLOUTS = sa.Table(
    "rollouts",
    METADATA,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("open", sa.Boolean, nullable=False),
    sa.Column("stage", sa.Integer, nullable=False),
    sa.Column("stages", sa.Integer, nullable=False),
    sa.Column("version", sa.String(128), nullable=False),
    sa.Column("waiting", sa.String(40), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("created", sa.String(40), nullable=False),
    sa.Column("updated", sa.String(40), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("release", sa.LargeBinary, nullable=False),
    sa.Column("roots", sa.LargeBinary, nullable=False),
    sa.Column("folder", sa.Text, nullable=False),
    sa.Column("back_release", sa.LargeBinary),
    sa.Column("back_folder", sa.Text),
    sa.Column("progress", sa.LargeBinary, nullable=False),
    sa.Index("ix_rollouts_open", "open", "updated"),
)
PLANS = sa.Table(
    "plans",
    METADATA,
    # Apart from what changes: SQLite writes a row anew, with all that is in it, whenever a value of it grows.
    sa.Column("rollout", sa.String(40), sa.ForeignKey("rollouts.name"), primary_key=True),
    sa.Column("plan", sa.LargeBinary, nullable=False),
)
APPROVALS = sa.Table(
    "approvals",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("rollout", sa.String(40), sa.ForeignKey("rollouts.name"), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("keyid", sa.String(128), nullable=False),
    sa.Column("signed", sa.String(40), nullable=False),
    sa.Column("document", sa.LargeBinary, nullable=False),
    sa.UniqueConstraint("rollout", "digest", name="uq_approvals_rollout_digest"),
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
HEAD = sa.Table(
    "ledger_head",
    METADATA,
    # One row. It says how long the ledger is, so that a cut is seen, and its lock keeps the chain from forking.
    sa.Column("id", sa.Integer, sa.CheckConstraint("id = 1", name="ck_ledger_head_one"), primary_key=True),
    sa.Column("entries", sa.Integer, nullable=False),
    sa.Column("head", sa.String(64), nullable=False),
)
HOLDS = sa.Table("holds", METADATA, sa.Column("rollout", sa.String(40), primary_key=True))
