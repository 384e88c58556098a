"""An import contract: what modules may import, named one by one. Everything else fails, also what nobody thought of."""

from __future__ import annotations

import fnmatch
import sys

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class AllowListContract(Contract):
    """`sources` may import only the standard library and `allowed`; both are lists of shell patterns of modules."""

    type_name = "allow_list"
    sources = fields.ListField(subfield=fields.StringField())
    allowed = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002, FBT001 - its signature
        """Kept when no source imports anything else."""
        found = [
            f"{module} -> {imported}"
            for module in sorted(graph.modules)
            if matches(module, self.sources)
            for imported in sorted(graph.find_modules_directly_imported_by(module))
            if not self.allows(imported)
        ]
        return ContractCheck(kept=not found, metadata={"found": found})

    def allows(self, imported: str) -> bool:
        """Whether `imported` is of the standard library or on the list."""
        return imported.split(".", maxsplit=1)[0] in sys.stdlib_module_names or matches(imported, self.allowed)

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Name each import that is not on the list."""
        for line in check.metadata["found"]:
            output.print_error(f"{line}  is not on the allow-list", bold=False)


def matches(module: str, patterns: list[str]) -> bool:
    """Whether `module` is one of `patterns`, or lies below one that ends in `.**`."""
    return any(fnmatch.fnmatchcase(module, pattern.replace("**", "*")) for pattern in patterns)
