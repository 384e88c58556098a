"""The steps of the ladder, and what became of one: `ran`, `skipped: why`, or `failed`. Pure but for its plugin."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

HERE = "tests/infra"


@dataclass(frozen=True, slots=True)
class Step:
    """Tests that together show one thing; `markers` chooses among them, as pytest's -m."""

    name: str
    title: str
    paths: tuple[str, ...]
    markers: str = "not slow"


STEPS = (
    Step("harness", "what the other steps stand on", (f"{HERE}/test_harness.py", f"{HERE}/extraction")),
    Step("format", "terraform fmt on both modules", (f"{HERE}/test_format.py",)),
    Step("rules", "both modules' files: typed, described, bounded, no provider inside", (f"{HERE}/test_rules.py",)),
    Step("docs", "the tables in all README files are those of the modules", (f"{HERE}/test_tables.py",)),
    Step("fake", "the provider that plays azurerm rejects what the real one rejects", (f"{HERE}/provider",)),
    Step("azure", "init, validate, test and apply on schemas of azurerm 4 and 5", (f"{HERE}/azure",)),
    Step("aws-schemas", "init and validate on schemas of aws 5.80 and 6", (f"{HERE}/test_aws_schema.py",)),
    Step("aws", "validate, plan and policies as rendered, on the real provider", (f"{HERE}/aws",)),
    Step("aws-apply", "apply on an emulated AWS, then a rollout by its output", (f"{HERE}/aws",), "slow"),
    Step("checkov", "checkov on both modules, but for a reasoned list", (f"{HERE}/test_checkov.py",)),
)


@dataclass(eq=False)  # pytest keeps its plugins by hash
class Outcomes:
    """What became of the tests of one step; a plugin of pytest."""

    passed: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    code: int = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count what a test's body did, and what went wrong before or after it."""
        if report.failed:
            self.failures.append(f"{report.nodeid}\n{report.longreprtext}")
        elif report.skipped:
            self._skip(report.longrepr)
        elif report.when == "call":
            self.passed += 1

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that cannot be read, or that skips as a whole."""
        if report.failed:
            self.failures.append(f"{report.nodeid}\n{report.longreprtext}")
        elif report.skipped:
            self._skip(report.longrepr)

    def _skip(self, said: object) -> None:
        reason = str(said[-1] if isinstance(said, tuple) else said).removeprefix("Skipped: ")
        self.skipped[reason] = self.skipped.get(reason, 0) + 1


def verdict(outcomes: Outcomes) -> tuple[bool, str]:
    """Whether the step is good, and in words. A step that ran nothing and skipped nothing has lost its tests: bad."""
    why = "; ".join(outcomes.skipped)
    if outcomes.failures:
        return False, f"failed, {len(outcomes.failures)} of {len(outcomes.failures) + outcomes.passed}"
    if outcomes.passed and outcomes.code == pytest.ExitCode.OK:
        skipped = f", {sum(outcomes.skipped.values())} skipped: {why}" if why else ""
        return True, f"ran, {outcomes.passed} passed{skipped}"
    if why and outcomes.code in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        return True, f"skipped: {why}"
    return False, f"failed, no test ran (pytest ended with {int(outcomes.code)})"
