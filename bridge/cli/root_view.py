"""A root as the command line shows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tuf.api.metadata import Metadata, Root

from bridge.release.trust import RELEASES, key_name
from bridge.roots import signoff

WORDS = {Root.type: "root", RELEASES: "releases"}
"""What people call the two roles."""


@dataclass(frozen=True, slots=True)
class RoleView:
    """A role: so many of these keys must sign."""

    role: str
    threshold: int
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RootView:
    """A root; `days_left` is negative once it has expired."""

    version: int
    expires: datetime
    days_left: int
    roles: tuple[RoleView, ...]


@dataclass(frozen=True, slots=True)
class MissingView:
    """What one authority ("old" or "new" root) still wants: `missing` more signatures, of `by`."""

    authority: str
    signed: tuple[str, ...]
    missing: int
    by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DraftView:
    """A root that waits for signatures."""

    root: RootView
    waits_for: tuple[MissingView, ...]


def view_root(root: Root, now: datetime) -> RootView:
    """`root` at time `now` (UTC)."""
    roles = tuple(_view_role(root, name) for name in WORDS)
    return RootView(root.version, root.expires, (root.expires - now).days, roles)


def _view_role(root: Root, name: str) -> RoleView:
    role = root.roles[name]
    return RoleView(WORDS[name], role.threshold, tuple(sorted(key_name(root.keys[keyid]) for keyid in role.keyids)))


def view_draft(draft: Metadata[Root], previous: Root | None, now: datetime) -> DraftView:
    """`draft`, which would follow `previous`, at time `now` (UTC)."""
    waits = tuple(
        MissingView(authority, standing.signed, standing.missing, standing.unsigned)
        for authority, standing in signoff(draft, previous).by
    )
    return DraftView(view_root(draft.signed, now), waits)


def describe_root(view: RootView) -> str:
    """The root in lines for people."""
    lines = [f"root version {view.version}, {_describe_expiry(view)}"]
    lines += [f"  {role.role:9} {role.threshold} of {len(role.keys)}: {', '.join(role.keys)}" for role in view.roles]
    return "\n".join(lines)


def _describe_expiry(view: RootView) -> str:
    when = f"{view.expires:%Y-%m-%d}"
    return f"expires {when}, in {view.days_left} days" if view.days_left >= 0 else f"EXPIRED {when}"


def describe_draft(view: DraftView) -> str:
    """The draft in lines for people."""
    lines = [f"DRAFT, not in force yet: {describe_root(view.root)}"]
    lines += [f"  {wait.authority} root: {_describe_wait(wait)}" for wait in view.waits_for]
    return "\n".join(lines)


def _describe_wait(wait: MissingView) -> str:
    signed = f"signed by {', '.join(wait.signed) or 'nobody'}"
    return f"{signed}; {wait.missing} missing, of {', '.join(wait.by)}" if wait.missing else f"{signed}; complete"
