"""Import manifests for tests, and the published schemas to hold them against."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from functools import cache

from jsonschema import Draft7Validator
from referencing import Registry, Resource

from adapters.azure import wire
from adapters.azure.formats.import_manifest import File, ImportManifest, ReferenceStep, RelatedFile, Step, render
from adapters.azure.wire import UpdateId
from tests.adapters.azure.formats.published import load

DIGEST = hashlib.sha256(b"release").hexdigest()
CREATED = datetime(2026, 11, 22, 10, tzinfo=UTC)
OURS = ImportManifest(
    version="4.0",
    update_id=wire.update_id("acme", "gateway-os", "2"),
    compatibility=({"manufacturer": "acme", "model": "gateway-3"},),
    steps=(Step(wire.HANDLER, ("release.json", "rootfs.full"), wire.step_properties(DIGEST, "")),),
    files=(File("release.json", 7, DIGEST), File("rootfs.full", 104_857_600, DIGEST)),
    created=CREATED,
)
RICH = ImportManifest(
    version="5.0",
    update_id=UpdateId("acme", "gateway-os", "2.0.1"),
    compatibility=({"manufacturer": "acme", "model": "gateway-3"}, {"group": "motors"}),
    steps=(
        Step("microsoft/swupdate:2", ("new.swu",), {"installedCriteria": "1", "deep": {"a": [1, None]}}, "the system"),
        ReferenceStep(UpdateId("acme", "motor", "1.0"), "its motors"),
    ),
    files=(
        File(
            "new.swu",
            100,
            DIGEST,
            {"note": "x"},
            (RelatedFile("old-new.dat", 10, DIGEST, {"microsoft.sourceFileHashAlgorithm": "sha256"}),),
            "microsoft/delta:1",
        ),
    ),
    created=CREATED,
    description="New system",
    deployable=False,
)


@cache
def schema(version: str) -> Draft7Validator:
    """The validator of a version, from the published files alone: nothing is fetched."""
    resources = [
        Resource.from_contents(load(f"schemas/azure-deviceupdate-{name}-{version}.json"))
        for name in ("import-manifest", "manifest-definitions")
    ]
    registry = Registry().with_resources((resource.id(), resource) for resource in resources)
    return Draft7Validator(load(f"schemas/azure-deviceupdate-import-manifest-{version}.json"), registry=registry)


def as_value(manifest: ImportManifest) -> dict[str, object]:
    """Rendered and decoded."""
    return json.loads(render(manifest))
