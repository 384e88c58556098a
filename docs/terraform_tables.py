"""`python -m docs.terraform_tables`: the tables in the README files of infra/, made from the modules' own files.

With --check nothing is written; what is out of date is named, and the exit code is 1.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from docs.terraform_module import ABSENT, Block, Module, modules, read_module, written

INFRA = Path(__file__).parents[1] / "infra"
BEGIN, END = "<!-- BEGIN_TF_DOCS -->", "<!-- END_TF_DOCS -->"
NOTE = "<!-- Made by `make docs` from the module; edit the module. -->"


def tables(module: Module) -> str:
    """Everything between the marks."""
    parts = [NOTE, _requirements(module), _resources(module), _inputs(module), _outputs(module)]
    return "\n\n".join(part for part in parts if part)


def with_tables(readme: str, text: str) -> str:
    """The README with `text` between the marks. Raises: ValueError, it has none."""
    head, begin, rest = readme.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"put {BEGIN} and {END} where the tables belong")
    return f"{head}{BEGIN}\n{text}\n{END}{tail}"


def pages(infra: Path = INFRA) -> dict[Path, str]:
    """Every README of a module or example that exists, as it should be."""
    readmes = [folder / "README.md" for folder in modules(infra) if (folder / "README.md").exists()]
    return {readme: with_tables(readme.read_text(), tables(read_module(readme.parent))) for readme in readmes}


def _requirements(module: Module) -> str:
    rows: list[Sequence[str]] = []
    for block in module.of("terraform"):
        rows.append(("terraform", _shown(block.argument("required_version"))))
        for providers in block.body.get("required_providers", []):
            named = ((name, each) for name, each in providers.items() if not name.startswith("__"))
            rows += [(name, _shown(written(each["version"]))) for name, each in named]
    return _table("Requirements", ("name", "version"), rows)


def _resources(module: Module) -> str:
    made = [(f"`{block.labels[0]}.{block.labels[1]}`", block.file.name) for block in module.of("resource")]
    read = [(f"`data.{block.labels[0]}.{block.labels[1]}`", block.file.name) for block in module.of("data")]
    called = [(f"`module.{block.labels[0]}`", _shown(block.argument("source"))) for block in module.of("module")]
    return _table("Resources", ("name", "in"), [*sorted(made), *sorted(read), *sorted(called)])


def _inputs(module: Module) -> str:
    rows = [
        (f"`{block.labels[0]}`", _prose(block), _shown(block.argument("type")), _default(block))
        for block in sorted(module.of("variable"), key=lambda block: (_is_optional(block), block.labels))
    ]
    return _table("Inputs", ("name", "description", "type", "default"), rows)


def _outputs(module: Module) -> str:
    rows = [(f"`{block.labels[0]}`", _prose(block)) for block in module.of("output")]
    return _table("Outputs", ("name", "description"), rows)


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    lines = [columns, ["---"] * len(columns), *rows]
    return f"## {title}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _is_optional(block: Block) -> bool:
    return block.argument("default") is not ABSENT


def _default(block: Block) -> str:
    return f"`{_hcl(block.body['default'])}`" if _is_optional(block) else "required"


def _prose(block: Block) -> str:
    description = block.argument("description")
    return "" if description is ABSENT else _cell(str(description))


def _shown(value: object) -> str:
    return "" if value is ABSENT else f"`{_cell(str(value))}`"


def _cell(text: str) -> str:
    return " ".join(text.replace('\\"', '"').split()).replace("|", "\\|")


def _hcl(value: object) -> str:
    """A default as Terraform writes it, on one line."""
    if isinstance(value, dict):
        inside = ", ".join(f"{name} = {_hcl(each)}" for name, each in value.items() if not name.startswith("__"))
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(_hcl, value))}]"
    return _cell(value) if isinstance(value, str) else json.dumps(value)


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or with --check name those that are out of date."""
    late = [(page, text) for page, text in pages().items() if page.read_text() != text]
    if "--check" in arguments:
        sys.stderr.writelines(f"{page} is out of date: run `make docs`\n" for page, _ in late)
        return 1 if late else 0
    for page, text in late:
        page.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
