"""A twin as a hub keeps it."""

from __future__ import annotations


def merged(twin, patch):
    """As the hub merges a patch."""
    result = dict(twin)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name, {}), value) if isinstance(value, dict) else value
    return result
