"""Puts the provider into a mirror, from which Terraform takes it for the real one of that version."""

from __future__ import annotations

import sys
from importlib import resources
from pathlib import Path

from grpc_tools import protoc

from tests.infra.mirrors import REGISTRY, Mirror, platform
from tests.infra.provider.document import read_document

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
SCHEMAS = HERE / "schemas"
PROGRAM = """#!{python}
import sys
sys.path[:0] = [{stubs!r}, {root!r}]
from tests.infra.provider.plugin import serve
serve({schema!r}, {knowledge!r})
"""


def install(folder: Path, schema: Path, knowledge: Path | None = None) -> Mirror:
    """A mirror in `folder` with a provider that serves `schema`, and refuses what the rules in `knowledge` refuse.

    Rules default to `rules-PROVIDER.json` beside the schema.
    """
    document = read_document(schema)
    name = document.address.rpartition("/")[2]
    version = document.provider_version
    package = folder / REGISTRY / document.address / version / platform()
    stubs = folder / "stubs"  # not in the package, whose checksum Python's byte code would change
    for each in (package, stubs):
        each.mkdir(parents=True)
    _make_stubs(stubs)
    program = package / f"terraform-provider-{name}_v{version}"
    rules = knowledge or schema.with_name(f"rules-{name}.json")
    told = {"stubs": str(stubs), "root": str(ROOT), "schema": str(schema), "knowledge": str(rules)}
    program.write_text(PROGRAM.format(python=sys.executable, **told))
    program.chmod(0o755)
    return Mirror(folder, document.address, version)


def _make_stubs(folder: Path) -> None:
    included = resources.files("grpc_tools") / "_proto"
    if protoc.main(["protoc", f"-I{HERE}", f"-I{included}", f"--python_out={folder}", "tfplugin6.proto"]):
        raise AssertionError("protoc refused tfplugin6.proto; its reasons are on standard error")
