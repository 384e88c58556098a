"""Schema 2: progress with its orders in place of tallies, approvals, holds, and how long the ledger is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bridge.store.migrations.first_release import OLD_ROLLOUTS, OLD_TALLIES, carried, carried_plan

revision = "0002"
down_revision = "0001"

NOTHING_APPENDED = (0, "0" * 64)
LEDGER = sa.table("ledger", sa.column("number"), sa.column("digest"))


def upgrade() -> None:
    """Make the new tables and carry every rollout over; one that was running goes on running."""
    op.rename_table("rollouts", OLD_ROLLOUTS.name)
    _carry(op.get_bind(), _make_rollouts(), _make_plans())
    op.drop_table(OLD_TALLIES.name)
    op.drop_table(OLD_ROLLOUTS.name)
    op.create_index("ix_rollouts_open", "rollouts", ["open", "updated"])
    _make_approvals()
    op.create_table("holds", sa.Column("rollout", sa.String(40), primary_key=True))
    _make_head(op.get_bind())
    op.execute("UPDATE schema_version SET version = 2")


def _carry(connection: sa.Connection, rollouts: sa.Table, plans: sa.Table) -> None:
    """One rollout at a time: the plan of one may take tens of megabytes."""
    names = connection.execute(sa.select(OLD_ROLLOUTS.c.name)).scalars().all()
    for name in names:
        row = connection.execute(sa.select(OLD_ROLLOUTS).where(OLD_ROLLOUTS.c.name == name)).mappings().one()
        tallies = connection.execute(sa.select(OLD_TALLIES).where(OLD_TALLIES.c.rollout == name)).mappings().all()
        connection.execute(rollouts.insert().values(carried(row, tallies)))
        connection.execute(plans.insert().values(rollout=name, plan=carried_plan(row["plan"])))


def _make_rollouts() -> sa.Table:
    return op.create_table(
        "rollouts",
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
    )


def _make_plans() -> sa.Table:
    return op.create_table(
        "plans",
        sa.Column("rollout", sa.String(40), sa.ForeignKey("rollouts.name"), primary_key=True),
        sa.Column("plan", sa.LargeBinary, nullable=False),
    )


def _make_approvals() -> None:
    op.create_table(
        "approvals",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("rollout", sa.String(40), sa.ForeignKey("rollouts.name"), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("keyid", sa.String(128), nullable=False),
        sa.Column("signed", sa.String(40), nullable=False),
        sa.Column("document", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("rollout", "digest", name="uq_approvals_rollout_digest"),
    )


def _make_head(connection: sa.Connection) -> None:
    head = op.create_table(
        "ledger_head",
        sa.Column("id", sa.Integer, sa.CheckConstraint("id = 1", name="ck_ledger_head_one"), primary_key=True),
        sa.Column("entries", sa.Integer, nullable=False),
        sa.Column("head", sa.String(64), nullable=False),
    )
    newest = connection.execute(sa.select(LEDGER).order_by(LEDGER.c.number.desc()).limit(1)).first()
    entries, digest = newest or NOTHING_APPENDED
    op.bulk_insert(head, [{"id": 1, "entries": entries, "head": digest}])
