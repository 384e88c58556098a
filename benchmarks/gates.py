"""How often the gates are wrong, and how soon they are right, beside other ways to judge the same reports.

`python benchmarks/gates.py [--rollouts 4000] [--seed 1]` plays rollouts whose true failure rate is known. Every method
sees the same reports and is asked after each one, the worst case for a test that must not be peeked at. `breached` and
`passed` are the shares of rollouts in which that was said first, `to` the medians of ended devices until then. A row of
otabridge is violated when its error is above the stated one by more than three standard errors; peers are only shown.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import sys
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bridge.fleet import HealthCount
from bridge.gates import failure_rate, health
from bridge.gates.tail import binomial_tail
from bridge.gates.verdict import Breached
from bridge.rollout.rules import FailureRate, Health

LIMITS = (0.5, 2.0, 5.0, 10.0, 30.0)
TIMES = (0.0, 0.25, 0.5, 0.9, 1.0, 2.0, 5.0)
"""True rates, as multiples of the limit."""
COMPARED = 2.0
"""The limit, in per cent, for which peers are shown."""
HORIZON = 60
"""A rollout ends, at the latest, after so many devices as hold this many failures at the limit."""
MOST = 10**6
"""Devices that any method is asked about."""
NEVER = (1, 0)
LOOKS, STEP, FLEET = 12, 25, 1000

Span = tuple[int, int]
"""The first and last count of ended devices at which a number of bad ones is decisive."""


@dataclass(frozen=True, slots=True)
class Method:
    """When a number of bad devices breaches, and when it passes."""

    name: str
    breach: Callable[[int], Span]
    passing: Callable[[int], Span]


@dataclass(frozen=True, slots=True)
class End:
    """What was said first, after how many devices."""

    breached: bool
    devices: int


def main() -> int:
    """Measure, print, and fail when a stated error does not hold."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rollouts", type=int, default=4000, help="per row")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    rows = [*rate_rows(chosen.rollouts, chosen.seed), *health_rows(chosen.rollouts, chosen.seed)]
    measure_speed()
    print(f"gates: rows {len(rows)}, violated: {rows.count(False)}")
    return 0 if all(rows) else 1


def rate_rows(rollouts: int, seed: int) -> Iterator[bool]:
    """Whether each row of otabridge's test keeps its word."""
    print(f"{'limit':>6} {'rate':>7}  {'method':<24} {'breached':>9} {'passed':>8} {'to breach':>10} {'to pass':>8}")
    for limit in LIMITS:
        rule, mean = FailureRate(limit=limit), limit / 100
        methods = [gate(rule), *(peers(rule) if limit == COMPARED else ())]
        for rate in (mean * times for times in TIMES if mean * times < 1):
            chance = random.Random(f"{seed} {limit} {rate}")
            ends: dict[str, list[End | None]] = {method.name: [] for method in methods}
            for _ in range(rollouts):
                reports = Reports(chance, rate, round(HORIZON / mean))
                for method in methods:
                    ends[method.name].append(first_end(method, reports))
            for name, found in ends.items():
                print_row(limit, rate, name, found)
            yield keeps(rule, rate, ends["otabridge"])


class Reports:
    """When the failures of one rollout come: their numbers among the ended devices, drawn as they are asked for."""

    def __init__(self, chance: random.Random, rate: float, last: int) -> None:
        self._chance, self._rate, self.last = chance, rate, last
        self._found: list[int] = []

    def failure(self, number: int) -> int:
        """The device that is the `number`-th bad one, from 1; one after the last where there is none."""
        while len(self._found) < number:
            previous = self._found[-1] if self._found else 0
            self._found.append(min(previous + self._gap(), self.last + 1))
        return self._found[number - 1]

    def _gap(self) -> int:
        if not self._rate:
            return self.last + 1
        return 1 + int(math.log(1 - self._chance.random()) / math.log1p(-self._rate))


def first_end(method: Method, reports: Reports) -> End | None:
    """What the method says first when it is asked after every device; None where it never decides."""
    bad, start = 0, 1
    while start <= reports.last:
        end = reports.failure(bad + 1)
        breach = first_within(method.breach(bad), start, end)
        passing = first_within(method.passing(bad), start, end)
        if min(breach, passing) < end:
            return End(breach < passing, min(breach, passing))
        bad, start = bad + 1, end
    return None


def first_within(span: Span, start: int, end: int) -> int:
    """The first device of `span` from `start` on and before `end`; `end` when there is none."""
    first = max(span[0], start)
    return first if first <= min(span[1], end - 1) else end


def keeps(rule: FailureRate, rate: float, ends: Sequence[End | None]) -> bool:
    """Whether neither error, where it is one, is more frequent than stated."""
    limit = rule.limit / 100
    stops = sum(end is not None and end.breached for end in ends) if rate <= limit else 0
    misses = sum(end is not None and not end.breached for end in ends) if rate >= limit else 0
    return is_within(stops, len(ends), rule.false_stop) and is_within(misses, len(ends), rule.missed_stop)


def is_within(errors: int, rollouts: int, stated: float) -> bool:
    return errors / rollouts <= stated + 3 * math.sqrt(stated * (1 - stated) / rollouts)


def print_row(limit: float, rate: float, name: str, ends: Sequence[End | None]) -> None:
    breached = [end.devices for end in ends if end and end.breached]
    passed = [end.devices for end in ends if end and not end.breached]
    print(
        f"{limit:>5g}% {100 * rate:>6.3g}%  {name:<24} {len(breached) / len(ends):>9.2%} "
        f"{len(passed) / len(ends):>8.2%} {median(breached, len(ends)):>10} {median(passed, len(ends)):>8}"
    )


def median(devices: Sequence[int], rollouts: int) -> str:
    """Over the rollouts that ended so; nothing where those are too few to speak of."""
    return f"{statistics.median_low(devices)}" if len(devices) >= rollouts / 10 else "-"


def gate(rule: FailureRate) -> Method:
    """The product's own test."""

    @cache
    def breach(bad: int) -> Span:
        counts = range(max(bad, rule.minimum), MOST)
        return rule.minimum, last_of(counts, lambda n: (failure_rate.breaching(rule, n) or n + 1) <= bad)

    @cache
    def passing(bad: int) -> Span:
        return failure_rate.passing(rule, bad) or MOST, MOST

    return Method("otabridge", breach, passing)


def last_of(counts: range, holds: Callable[[int], bool]) -> int:
    """The last of `counts` for which it holds, as it does for all before; one less than the first when for none."""
    return counts.start - 1 + bisect_left(counts, 1, key=lambda n: not holds(n))


def peers(rule: FailureRate) -> list[Method]:
    """Other ways to judge the same reports by the same limit and the same errors."""
    return [threshold(rule), once(rule), repeated(rule), wald(rule)]


def threshold(rule: FailureRate) -> Method:
    """Stop at a percentage, with a least number of devices: abort criteria of AWS IoT Jobs, error threshold of hawkBit.

    The stage is as large as otabridge needs without a failure, and passes when it was not stopped.
    """
    stage = failure_rate.needed(rule) or MOST
    return Method(
        "threshold, each report",
        cache(lambda bad: (rule.minimum, math.floor(100 * bad / rule.limit))),
        lambda _: (stage, stage),
    )


def once(rule: FailureRate) -> Method:
    """An exact binomial test, asked once, when a stage of that size has ended."""
    stage = failure_rate.needed(rule) or MOST
    return Method(
        "binomial, once",
        cache(lambda bad: (stage, stage) if is_above(rule, bad, stage) else NEVER),
        cache(lambda bad: (stage, stage) if is_below(rule, bad, stage) else NEVER),
    )


def repeated(rule: FailureRate) -> Method:
    """The same test after each report, as people do who watch a dashboard with it."""
    top = range(rule.minimum, MOST)
    return Method(
        "binomial, each report",
        cache(lambda bad: (rule.minimum, last_of(top, lambda n: is_above(rule, bad, n)))),
        cache(lambda bad: (1 + last_of(top, lambda n: not is_below(rule, bad, n)), MOST)),
    )


def is_above(rule: FailureRate, bad: int, ended: int) -> bool:
    return binomial_tail(bad, ended, rule.limit / 100) <= rule.false_stop


def is_below(rule: FailureRate, bad: int, ended: int) -> bool:
    """The lower tail, counted as the upper tail of those that are not bad."""
    return bad <= ended and binomial_tail(ended - bad, ended, 1 - rule.limit / 100) <= rule.missed_stop


def wald(rule: FailureRate) -> Method:
    """Wald's test of the limit against half of it: it knows no rates between, and stops wrongly when one is there."""
    bad_rate, good_rate = rule.limit / 100, rule.limit / 200
    gain, loss = math.log(bad_rate / good_rate), math.log((1 - good_rate) / (1 - bad_rate))
    high = math.log((1 - rule.missed_stop) / rule.false_stop)
    low = math.log((1 - rule.false_stop) / rule.missed_stop)
    return Method(
        "Wald, limit/2 or limit",
        cache(lambda bad: (rule.minimum, math.floor((bad * gain - high) / loss))),
        cache(lambda bad: (max(rule.minimum, math.ceil((bad * gain + low) / loss)), MOST)),
    )


@dataclass(frozen=True, slots=True)
class World:
    """A fleet in which so many devices are unhealthy anyway, so many more once updated, and more in an outage."""

    name: str
    rule: Health
    usual: float
    harm: float
    outage: float
    is_error: bool


def worlds() -> list[World]:
    """Those in which a breach is wrong, and those in which it is wanted."""
    limit = Health(name="offline", queries={"fleet": "offline"}, limit=5.0)
    compare = Health(name="offline", queries={"fleet": "offline"}, compare=True)
    return [
        World("limit 5 %, 5 % offline", limit, 0.05, 0.0, 0.0, is_error=True),
        World("limit 5 %, 15 % offline", limit, 0.05, 0.10, 0.0, is_error=False),
        World("compare, 5 % of all offline", compare, 0.05, 0.0, 0.0, is_error=True),
        World("compare, outage takes 40 %", compare, 0.05, 0.0, 0.4, is_error=True),
        World("compare, 5 % and 15 %", compare, 0.05, 0.10, 0.0, is_error=False),
    ]


def health_rows(rollouts: int, seed: int) -> Iterator[bool]:
    """Looks as the stage grows; each sees the devices of those before, so looks depend on each other."""
    print(f"\n{LOOKS} looks, {STEP} more updated devices of {FLEET} each time; shares of rollouts that ever breached")
    print(f"{'health':<30} {'otabridge':>10} {'unspent':>9} {'threshold':>10} {'to breach':>10}")
    for world in worlds():
        chance = random.Random(f"{seed} {world.name}")
        found = [watch(world, list(looks(world, chance))) for _ in range(rollouts)]
        ours = [devices for devices, _, _ in found if devices]
        unspent, naive = (sum(row[at] for row in found) / rollouts for at in (1, 2))
        shares = f"{len(ours) / rollouts:>10.2%} {unspent:>9.2%} {naive:>10.2%}"
        print(f"{world.name:<30} {shares} {median(ours, rollouts):>10}")
        yield not world.is_error or is_within(len(ours), rollouts, world.rule.false_stop)


def looks(world: World, chance: random.Random) -> Iterator[HealthCount]:
    """The fleet at each look, its devices in the order in which they are updated."""
    usual, struck = draw(chance, world.usual), draw(chance, world.outage)
    harmed = draw(chance, world.harm / (1 - world.usual))
    for look in range(1, LOOKS + 1):
        updated = look * STEP
        ill = usual | (struck if look > LOOKS // 2 else set())
        after = sum(device < updated for device in ill | harmed)
        yield HealthCount(after, updated, sum(device >= updated for device in ill), FLEET - updated)


def draw(chance: random.Random, rate: float) -> set[int]:
    return {device for device in range(FLEET) if chance.random() < rate} if rate else set()


def watch(world: World, counts: Iterable[HealthCount]) -> tuple[int, bool, bool]:
    """How many devices had been updated at the first breach (0: none); whether peers ever breached."""
    first, unspent, naive = 0, False, False
    for look, count in enumerate(counts, start=1):
        verdict = verdict_of(world.name, count, look)
        if isinstance(verdict, Breached) and not first:
            first = count.updated
        unspent |= any(found.probability <= world.rule.false_stop for found in verdict.figures.findings)
        others = (world.rule.limit or 0) / 100 or count.others_bad / count.others
        naive |= count.updated >= world.rule.minimum and count.updated_bad / count.updated > others
    return first, unspent, naive


@cache
def verdict_of(world: str, count: HealthCount, look: int) -> health.HealthVerdict:
    """The same counts come again and again in thousands of rollouts."""
    rule = next(one.rule for one in worlds() if one.name == world)
    return health.judge(rule, {"fleet": count}, look)


def measure_speed() -> None:
    """What a look costs when the counts are large."""
    rate, compare = FailureRate(limit=2.0), Health(name="offline", queries={"fleet": "offline"}, compare=True)
    count = HealthCount(10_050, 500_000, 10_000, 500_000)
    print()
    print(
        f"failure rate, 1000000 devices: {milliseconds(lambda: failure_rate.judge(rate, 20_000, 10**6)):.2f} ms a look"
    )
    print(f"health, 1000000 devices: {milliseconds(lambda: health.judge(compare, {'fleet': count}, 1)):.2f} ms a look")


def milliseconds(act: Callable[[], object], times: int = 20) -> float:
    started = time.perf_counter()
    for _ in range(times):
        act()
    return (time.perf_counter() - started) / times * 1000


if __name__ == "__main__":
    sys.exit(main())
