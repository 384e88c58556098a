"""Waiting, pacing, and telling slow from stuck."""

from __future__ import annotations

from agent.pace import Backoff, Crawl, TokenBucket
from tests.agent.fileserver import Sleeper


def test_backoff_is_bounded():
    """The wait doubles from one second to a minute, and chance takes its share of it."""
    assert [Backoff().delay(faults, 1.0) for faults in (1, 2, 3, 7, 5000)] == [1.0, 2.0, 4.0, 60.0, 60.0]
    assert Backoff().delay(3, 0.25) == 1.0


def test_token_bucket_saves_one_second_at_most(sleeper: Sleeper):
    """Idle time is worth one second of traffic, however long it was."""
    bucket = TokenBucket(100, sleeper.timing())
    sleeper.naps.append(1000.0)
    bucket.take(250)

    assert sleeper.naps[-1] == 1.5


def test_crawl_measures_each_window():
    """Enough bytes in one window do not pay for the next."""
    crawl = Crawl(window=10.0, least=100)

    assert [crawl.crawls(9.0, 500), crawl.crawls(1.0, 0), crawl.crawls(10.0, 99)] == [False, False, True]
