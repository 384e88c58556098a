"""What every module in infra/ keeps, as far as its files show it without Terraform. Pure but for reading files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from docs.terraform_module import ABSENT, Block, Module

FILES = ("versions.tf", "variables.tf", "outputs.tf", "README.md")
"""HashiCorp's standard module structure; what is made lies in files by subject."""
BOUNDED = re.compile(r">= \d+\.\d+(\.\d+)?, < \d+\.\d+(\.\d+)?")
SIDE_EFFECTS = ("null_resource", "terraform_data")
Rule = Callable[[Module], Iterator[str]]


def broken(module: Module, rules: tuple[Rule, ...]) -> list[str]:
    """A sentence for each place where a rule is broken."""
    return [sentence for rule in rules for sentence in rule(module)]


def has_standard_files(module: Module) -> Iterator[str]:
    """Whoever knows one module finds their way in the next."""
    for name in FILES:
        if not (module.folder / name).exists():
            yield f"{module.folder}: {name} is missing"


def types_variables(module: Module) -> Iterator[str]:
    """A variable without a type takes anything, and a mistake shows far from where it was made."""
    for variable in module.of("variable"):
        if variable.argument("type") in (ABSENT, "any"):
            yield f"{variable.address} has no type, or any"


def describes(module: Module) -> Iterator[str]:
    """Variables and outputs in sentences: they are the module's documentation."""
    for block in (*module.of("variable"), *module.of("output")):
        description = block.argument("description")
        if not isinstance(description, str) or not description.endswith("."):
            yield f"{block.address} has no description that is a sentence"


def uses_its_variables(module: Module) -> Iterator[str]:
    """What is set must matter."""
    text = "".join(file.read_text() for file in module.folder.glob("*.tf"))
    for variable in module.of("variable"):
        name = variable.labels[0]
        own = sum(f"var.{name}" in str(validation) for validation in variable.body.get("validation", []))
        if len(re.findall(rf"\bvar\.{name}\b", text)) <= own:
            yield f"{variable.address} is used by nothing"


def explains_refusals(module: Module) -> Iterator[str]:
    """A refusal says what would be right, in a sentence."""
    for variable in module.of("variable"):
        for validation in variable.body.get("validation", []):
            if not str(validation.get("error_message", "")).strip('"').endswith("."):
                yield f"{variable.address} refuses without a sentence"


def configures_no_provider(module: Module) -> Iterator[str]:
    """Accounts, regions and credentials are the root module's affair."""
    for provider in module.of("provider"):
        yield f"{provider.file.name} configures the provider {provider.labels[0]}"


def keeps_no_state(module: Module) -> Iterator[str]:
    """Where state lies is for those who apply to say."""
    for block in module.of("terraform"):
        for place in ("backend", "cloud"):
            if place in block.body:
                yield f"{block.file.name} says where the state lies ({place})"


def bounds_versions(module: Module) -> Iterator[str]:
    """A lower bound that was tried, and an upper one before what is not known yet."""
    blocks = module.of("terraform")
    if not any(block.argument("required_version") is not ABSENT for block in blocks):
        yield f"{module.folder}: no required_version"
    for name, version in _providers(blocks):
        if not BOUNDED.fullmatch(version):
            yield f"the provider {name} has the version {version!r}; give a lower and an upper bound"


def takes_modules_from_here(module: Module) -> Iterator[str]:
    """Modules of a registry change under one's feet, and cannot be read here."""
    for called in module.of("module"):
        if not str(called.argument("source")).startswith(("./", "../")):
            yield f"{called.address} comes from {called.argument('source')}"


def runs_no_programs(module: Module) -> Iterator[str]:
    """A rollout is an event, not a state: nothing here calls otabridge, or anything else."""
    for resource in module.of("resource"):
        if "provisioner" in resource.body or resource.labels[0] in SIDE_EFFECTS:
            yield f"{resource.address} runs a program"


def _providers(blocks: list[Block]) -> Iterator[tuple[str, str]]:
    for block in blocks:
        for providers in block.body.get("required_providers", []):
            for name, each in providers.items():
                if not name.startswith("__"):
                    yield name, _version(each)


def _version(provider: Any) -> str:
    return str(provider.get("version", "")).strip('"') if isinstance(provider, dict) else ""


OF_ALL: tuple[Rule, ...] = (
    types_variables,
    describes,
    uses_its_variables,
    explains_refusals,
    keeps_no_state,
    bounds_versions,
    takes_modules_from_here,
    runs_no_programs,
)
OF_MODULES: tuple[Rule, ...] = (*OF_ALL, has_standard_files, configures_no_provider)
