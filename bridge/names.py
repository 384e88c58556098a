"""The name under which every cloud knows a stage order. Pure."""

from __future__ import annotations

import hashlib
import re

PREFIX = "otabridge-"
"""All groups, jobs and deployments of ours begin so; one policy can name them."""
_SLUG = 36


def stage_name(key: str) -> str:
    """The name of the group and of the job or deployment of stage order `key`: the same for ever, unlike all others.

    At most 63 lower-case letters, digits and dashes, which both clouds allow; the digest keeps keys apart that look
    alike once shortened.
    """
    slug = re.sub(r"[^a-zA-Z0-9]+", "-", key).strip("-").lower()[:_SLUG].rstrip("-")
    return f"{PREFIX}{slug or 'stage'}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
