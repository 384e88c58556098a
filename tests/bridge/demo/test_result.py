"""What a demo shows in the end."""

from __future__ import annotations

import msgspec

from bridge.demo.result import Act, Check, DemoResult, LedgerLine, describe

REASON = "stage 1 ended: 2 of 2 devices installed, 0 bad of 0 that the budget allows"


def result(*, holds: bool) -> DemoResult:
    """A demo of one act and one check."""
    act = Act(
        title="good release",
        state="completed",
        seconds=12.4,
        downloaded_bytes=3_000_000,
        slots={"demo-eu run slot b 2.0.0": 2},
        checks=(Check("every device runs slot b", holds=holds, seen="{'a': 2}"),),
        ledger=(LedgerLine("2026-11-23T01:40:57.705445Z", "controller", "advanced", REASON),),
    )
    return DemoResult(2, "ext4", 8_000_000, 1_500_000, 20.2, (act,))


def test_the_text_tells_figures_checks_and_ledger():
    """Long reasons go on below, further in; times of day suffice."""
    assert describe(result(holds=True), 60) == (
        "2 devices, 20 s in all\n"
        "image ext4 8.0 MB, artifact 1.5 MB\n"
        "\n"
        "good release: completed\n"
        "  12 s, 3.0 MB downloaded\n"
        "    2 devices of demo-eu run slot b 2.0.0\n"
        "  ok    every device runs slot b\n"
        "  ledger:\n"
        "    01:40:57 advanced: stage 1 ended: 2 of 2 devices\n"
        "        installed, 0 bad of 0 that the budget allows\n"
        "\n"
        "Everything holds."
    )


def test_a_check_that_fails_says_what_was_seen():
    """And the last line does not let it be overlooked."""
    text = describe(result(holds=False))

    assert "  FAULT every device runs slot b: {'a': 2}" in text
    assert text.endswith("NOT everything holds.")
    assert not result(holds=False).holds


def test_programs_get_whole_times_and_a_schema():
    """The JSON document is the result itself."""
    document = msgspec.to_builtins(result(holds=True))

    assert document["schema"] == 1
    assert document["acts"][0]["ledger"][0]["time"] == "2026-11-23T01:40:57.705445Z"


def test_a_stop_is_told_with_its_latency():
    """From the first device that fell back to the last fleet that was told."""
    stopped = msgspec.structs.replace(result(holds=True).acts[0], state="stopped", stop_seconds=1.26)
    text = describe(msgspec.structs.replace(result(holds=True), acts=(stopped,)))

    assert "  every fleet stopped 1.3 s after the first fallback" in text
