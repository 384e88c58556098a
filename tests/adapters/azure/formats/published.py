"""What Microsoft and SchemaStore have published of Device Update, where a copy lies beside this repository."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parents[5] / "shared" / "samples" / "adu"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the published samples of Device Update are not here")
EXAMPLES = sorted((SAMPLES / "schemastore_examples").glob("*.json"))
PRODUCTION_ROOT = "ADU.200702.R"
PRODUCTION_SIGNER_HASH = "q5xF2ARjhdtH-kaLNTwZAMoXdy0iJQjziQ_AyZWDPRA"
"""Of ADU.210609.R.S, from Microsoft's root key package."""


def load(name: str):
    """A JSON file of the samples."""
    return json.loads((SAMPLES / name).read_bytes())


def deployment():
    """`service` of a real deployment, signed with the keys of production."""
    return load("service_v4_multistep_prodsigned.json")


def production_roots() -> dict[str, dict[str, object]]:
    """Microsoft's roots in the shape of a file of pinned roots."""
    keys = load("hardcoded_root_keys.json").items()
    return {kid: {"keyType": "RSA", "n": key["n_b64url_as_in_source"], "e": key["e"]} for kid, key in keys}
