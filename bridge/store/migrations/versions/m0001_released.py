"""Schema 1: the tables of the first release, which made them without Alembic."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make what the first release made."""
    version = op.create_table("schema_version", sa.Column("version", sa.Integer, nullable=False))
    op.bulk_insert(version, [{"version": 1}])
    _make_rollouts()
    op.create_table(
        "tallies",
        sa.Column("rollout", sa.String(40), sa.ForeignKey("rollouts.name"), primary_key=True),
        sa.Column("stage", sa.Integer, primary_key=True),
        sa.Column("fleet", sa.String(40), primary_key=True),
        sa.Column("tally", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "ledger",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("rollout", sa.String(40), nullable=False, index=True),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("entry", sa.LargeBinary, nullable=False),
    )


def _make_rollouts() -> None:
    op.create_table(
        "rollouts",
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
