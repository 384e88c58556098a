"""`make conformance`: the one suite over every cloud, as a table; the last line counts what passed for each cloud."""

from __future__ import annotations

import contextlib
import re
import sys
import textwrap
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import pytest

from tests.conformance.cloud import CLOUDS

SUITE = "tests/conformance"
NAME = re.compile(r"::test_(?P<test>\w+)\[(?P<rest>.*)\]$")
DIFFERENCE = re.compile(r"known difference: (?P<reason>.*)")
WIDTH = 78


@dataclass
class Results:
    """Outcomes by test and cloud; a pytest plugin."""

    counts: dict[str, Counter[tuple[str, str]]] = field(default_factory=lambda: defaultdict(Counter))
    differences: dict[tuple[str, str], str] = field(default_factory=dict)
    details: list[str] = field(default_factory=list)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count what a test's body did, and what went wrong before or after it."""
        found = NAME.search(report.nodeid)
        if found is None or (report.when != "call" and report.passed):
            return
        cloud = cloud_of(found["rest"])
        self.counts[found["test"]][cloud, report.outcome] += 1
        if report.failed:
            self.details.append(f"{report.nodeid}\n{report.longreprtext}")
        if report.skipped and (told := DIFFERENCE.search(str(report.longrepr))):
            self.differences[found["test"], cloud] = told["reason"].rstrip("')")

    def total(self, cloud: str, outcome: str) -> int:
        """How many ended so on a cloud, its emulators included."""
        return sum(
            count
            for counts in self.counts.values()
            for (name, ended), count in counts.items()
            if name.split("-")[0] == cloud and ended == outcome
        )


def cloud_of(parameters: str) -> str:
    """The cloud among a test's parameters, which stand with dashes between them: the longest name that is there."""
    return max((name for name in CLOUDS if f"-{name}-" in f"-{parameters}-"), key=len, default="?")


def table(results: Results) -> list[str]:
    """A line a test: how often it passed on each cloud, FAILED, `differs`, or `-` where it does not apply."""
    lines = [f"{'':54}" + "".join(f"{name:>14}" for name in CLOUDS)]
    for test in results.counts:
        shown = textwrap.shorten(test.replace("_", " "), 54, placeholder="…")
        lines.append(f"{shown:54}" + "".join(f"{cell(results, test, name):>14}" for name in CLOUDS))
    return lines


def cell(results: Results, test: str, cloud: str) -> str:
    """One test on one cloud, in a word."""
    counts = results.counts[test]
    if counts[cloud, "failed"]:
        return "FAILED"
    if (test, cloud) in results.differences:
        return "differs"
    return str(counts[cloud, "passed"] or "-")


def known_differences(results: Results) -> list[str]:
    """What does not hold on a cloud, and why."""
    lines = []
    for (test, cloud), reason in results.differences.items():
        lines += textwrap.wrap(f"{cloud}: {test.replace('_', ' ')}: {reason}", WIDTH, subsequent_indent="    ")
    return lines


def main(arguments: list[str]) -> int:
    """Run the suite; 1 when anything failed."""
    results = Results()
    with contextlib.redirect_stdout(sys.stderr):  # pytest's own progress; the result alone goes to stdout
        code = pytest.main(["-q", "--no-header", "--no-summary", SUITE, *arguments], plugins=[results])
    families = list(dict.fromkeys(name.split("-")[0] for name in CLOUDS))
    failed = sum(results.total(cloud, "failed") for cloud in families)
    passed = ", ".join(f"{cloud} {results.total(cloud, 'passed')} passed" for cloud in families)
    differences = known_differences(results)
    lines = [*results.details, *table(results), *(["", "known differences:"] if differences else []), *differences]
    print("\n".join([*lines, "", f"conformance: {passed}, {failed} failed"]))  # noqa: T201 - its result
    return 1 if failed or code != pytest.ExitCode.OK else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
