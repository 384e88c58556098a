"""`otabridge rollout new` and `plan`, as a person or a pipeline calls them: output, messages, exit codes."""

from __future__ import annotations

import json

import pytest

from bridge.cli.sizes import in_bytes
from bridge.planning.planned import Facts, Feature, How
from tests.bridge.cli.desk import APPROVALS, ROLLOUT, WAY_BACK

CALENDAR = """\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//otabridge//tests//EN
{events}
END:VCALENDAR
"""
EVENT = """\
BEGIN:VEVENT
UID:{number}
DTSTAMP:20260101T000000Z
DTSTART;VALUE=DATE:{start}
DTEND;VALUE=DATE:{end}
SUMMARY:Holidays {number}
END:VEVENT"""
SIGNED_OFF = ROLLOUT.replace(
    "  - percent: 10\n", "  - percent: 10\n    sign_off: {criteria: [The display shows it, The pump runs]}\n"
)


def test_plan_shows_every_stage_and_creates_nothing(desk):
    """Two readers of the same rollout file see the same digest."""
    for fleet in desk.fleets.values():
        fleet.told = Facts("fake", feedback_minutes=0)
    text = desk.rollout("plan", "rollout.yaml")
    document = desk.rollout("plan", "rollout.yaml", "-o", "json").json

    assert text.code == 0
    assert "stage 1  up to 10 %: 4 devices (factory 2, depot 2)" in text.out
    assert "stage 3  up to 100 %: 20 devices (factory 10, depot 10)" in text.out
    assert f"plan     {document['plan']['digest'][:12]}" in text.out
    assert (document["schema"], document["devices"], document["warnings"], document["refusal"]) == (2, 40, [], "")
    assert (document["applied"], document["approvals"], document["freezes"]) == ("", None, [])
    assert not (desk.folder / "otabridge.db").exists()
    assert [fleet.orders for fleet in desk.fleets.values()] == [{}, {}]


def test_plan_warns_of_a_soak_shorter_than_reports_take(desk):
    """For every stage but the last, also where all of its devices must have ended."""
    for fleet in desk.fleets.values():
        fleet.told = Facts("fake", feedback_minutes=20)

    text = desk.rollout("plan", "rollout.yaml").out

    words = (
        "soaks for 0 s, and reports take up to 20 min to show: the next stage may begin before failures show; "
        "let it soak for 20 min"
    )
    assert [line for line in text.splitlines() if "soaks" in line] == [
        f"warning: stage {number} {words}" for number in (1, 2)
    ]


def test_plan_shows_what_a_stage_calls_enough(desk):
    """Where it is less than all; in both outputs."""
    desk.write(ROLLOUT.replace("  - percent: 10\n", "  - {percent: 10, enough: 95}\n"))

    text = desk.rollout("plan", "rollout.yaml")
    document = desk.rollout("plan", "rollout.yaml", "-o", "json").json

    assert "4 devices (factory 2, depot 2), 95 % of them installed are enough\n" in text.out
    assert text.out.count("are enough") == 1
    assert document["plan"]["rollout"]["stages"][0]["enough"] == 95.0


def test_plan_counts_devices_by_hardware_model(desk):
    """For each stage and fleet in which any model is known."""
    desk.depot.models = {device: "gate-v2" if device < "depot-015" else "gate-v3" for device in desk.depot.ids}

    text = desk.rollout("plan", "rollout.yaml").out
    document = desk.rollout("plan", "rollout.yaml", "-o", "json").json

    assert "fleet depot  fake, 20 devices (gate-v2 15, gate-v3 5)" in text
    assert "fleet factory  fake, 20 devices\n" in text
    assert text.count("  depot: gate-v2 ") == 3
    assert document["fleets"][1]["models"] == {"gate-v2": 15, "gate-v3": 5}


def test_plan_says_who_does_what_the_rollout_asks_for(desk):
    """Native, emulated or absent; nothing of what it does not ask for."""
    features = (
        Feature("pace", How.NATIVE, "the job does it"),
        Feature("pause", How.EMULATED, "a new job for the same devices"),
        Feature("retries", How.EMULATED, "not asked for"),
        Feature("health metrics", How.ABSENT, "no index"),
    )
    desk.depot.told = Facts("aws", features=features)
    gates = "gates: {health: [{name: resets, queries: {depot: boots > 9}, limit: 5}]}\n"
    desk.write(f"{ROLLOUT}pace: 600\n{gates}")

    planned = desk.rollout("plan", "rollout.yaml").out
    document = desk.rollout("plan", "rollout.yaml", "-o", "json").json

    assert "  native    pace: the job does it\n  emulated  pause: a new job for the same devices\n" in planned
    assert "  absent    health metrics: no index\n" in planned
    assert "not asked for" not in planned
    assert "warning: fleet depot: health metrics cannot be had: no index\n" in planned
    assert [feature["name"] for feature in document["fleets"][1]["features"]] == ["pace", "pause", "health metrics"]


def test_plan_says_what_it_takes(desk):
    """Time with soak, bytes, money, calls of each cloud's API."""
    desk.factory.told = Facts("aws", cost_a_gigabyte=900_000.0, currency="EUR", feedback_minutes=5)
    desk.write(ROLLOUT.replace("  - percent: 10\n", "  - {percent: 10, soak: 2h}\n"))

    planned = desk.rollout("plan", "rollout.yaml").out
    document = desk.rollout("plan", "rollout.yaml", "-o", "json").json
    takes = document["estimate"]["fleets"][0]

    assert "  takes 2 h 5 min at least, its soak of 2h in it; ends " in planned
    assert f"  transfer  {in_bytes(takes['most_bytes'])}; the release has no deltas\n" in planned
    assert f"  cost      {takes['most_cost']:.2f} EUR\n" in planned
    assert takes["most_cost"] == round(takes["most_bytes"] * 900_000 / 10**9, 2) > 0
    assert f"  calls     {takes['calls']} for all orders, {takes['calls_a_pass']} in each pass\n" in planned
    assert ", in 2 h 1" in planned


def test_plan_shows_windows_in_their_zone_and_freezes_ahead(desk):
    """The next three of each; of more freezes how many."""
    events = [EVENT.format(number=day, start=f"209901{day:02}", end=f"209901{day + 1:02}") for day in range(1, 6)]
    later = "DTSTART;VALUE=DATE:2099"
    near = [event.replace(later, "DTSTART;VALUE=DATE:2027").replace("DATE:2099", "DATE:2027") for event in events]
    (desk.folder / "holidays.ics").write_text(CALENDAR.format(events="\n".join(near)).replace("\n", "\r\n"))
    desk.write(f"{ROLLOUT}freeze: [holidays.ics]\nwindows: [{{cron: '0 2 * * *', duration: 3h, zone: Asia/Kolkata}}]\n")

    planned = desk.rollout("plan", "rollout.yaml").out.splitlines()
    windows = [line for line in planned if line.startswith("window ")]
    freezes = [line for line in planned if line.startswith("freeze ")]

    assert len(windows) == 3
    assert all("02:00 to 05:00 Asia/Kolkata = " in line and "20:30 to 23:30 UTC" in line for line in windows[1:])
    assert freezes[0] == "freeze   2027-01-01 00:00 to 2027-01-02 00:00 UTC: Holidays 1"
    assert freezes[3] == "freeze   and 2 more until 2027-01-06 00:00 UTC"


def test_plan_says_whose_signatures_it_needs(desk):
    """Of the plan, and of a stage, with what they confirm."""
    desk.approvers()
    desk.write(SIGNED_OFF + APPROVALS)

    planned = desk.rollout("plan", "rollout.yaml")
    document = desk.rollout("plan", "rollout.yaml", "-o", "json").json

    assert "approve  2 of ann, ben, eva must sign; a signature holds for 7d\n" in planned.out
    assert "  signed off by 1 of ann, ben, eva, who confirm:\n    1. The display shows it\n" in planned.out
    assert document["approvals"] == {"threshold": 2, "approvers": ["ann", "ben", "eva"], "expire": "7d"}


def test_plan_warns_of_what_apply_would_refuse(desk):
    """A plan may be made before the signatures of the release are complete."""
    desk.write_release(signers=desk.kit.release_signers[:1])

    planned = desk.rollout("plan", "rollout.yaml")

    assert planned.code == 0
    assert "warning: apply will refuse it: signed by" in planned.out


def test_the_way_back_is_held_against_the_trust_like_the_release(desk):
    """A roll back that devices would refuse is no way back."""
    desk.write_release("previous", version="1.9.0", sequence=1, signers=desk.kit.release_signers[:1])
    desk.write(ROLLOUT + WAY_BACK)

    planned, applied = desk.rollout("plan", "rollout.yaml"), desk.apply()

    assert "way back 1.9.0 (sha256 " in planned.out
    assert "warning: apply will refuse it: signed by" in planned.out
    assert applied.code == 11


def test_a_plan_for_nobody_left_warns(desk):
    """Two devices cannot be in three stages."""
    for fleet in desk.fleets.values():
        fleet.ids = fleet.ids[:1]

    planned = desk.rollout("plan", "rollout.yaml")

    assert "warning: stage 2 has no devices: earlier stages have taken them" in planned.out


def detailed(desk) -> int:
    """The exit code of `plan --detailed-exitcode`."""
    return desk.rollout("plan", "rollout.yaml", "--detailed-exitcode").code


def test_a_pipeline_learns_from_the_exit_code_whether_something_is_to_apply(desk):
    """2 before, 0 once it is applied, and when it has ended; 1 where apply would refuse it: another file, same name."""
    before = detailed(desk)
    desk.apply("--no-wait")
    running = detailed(desk)
    desk.apply()
    ended = detailed(desk)
    desk.write(ROLLOUT.replace("percent: 10\n", "percent: 20\n"))
    other = desk.rollout("plan", "rollout.yaml", "--detailed-exitcode")

    assert (before, running, ended, other.code) == (2, 0, 0, 1)
    assert "apply will refuse it: rollout gates was applied before, with another stages: give it another" in other.err


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("rollouts.yaml", None, "rollout file rollouts.yaml cannot be read: No such file"),
        ("wrong.yaml", ROLLOUT.replace("percent: 50", "percent: 5000"), "wrong.yaml:6: stages[1].percent"),
    ],
)
def test_with_detailed_exit_codes_every_error_is_1(desk, file, text, message):
    """2 would say that there is something to apply; without the option misuse ends with 2 as everywhere."""
    if text is not None:
        (desk.folder / file).write_text(text)

    planned, detailed_ = desk.rollout("plan", file), desk.rollout("plan", file, "--detailed-exitcode")

    assert (planned.code, detailed_.code) == (2, 1)
    assert message in planned.err
    assert planned.err == detailed_.err


def test_a_fleet_that_refuses_an_order_is_1(desk):
    """Found by `plan`, which shows it and ends with 0 unless a pipeline asks."""
    desk.depot.limit = "document: 40000 bytes; the limit is 32768"

    shown, asked = desk.rollout("plan", "rollout.yaml"), desk.rollout("plan", "rollout.yaml", "--detailed-exitcode")

    assert (shown.code, asked.code) == (0, 1)
    assert "warning: apply will refuse it: fleet depot: document: 40000 bytes" in shown.out


def test_a_plan_is_saved_only_under_a_name_that_says_so(desk):
    """`apply` tells plans from rollout files by their names."""
    saved = desk.rollout("plan", "rollout.yaml", "--out", "plan.json")
    wrong = desk.rollout("plan", "rollout.yaml", "--out", "plan.yaml")

    assert (saved.code, wrong.code) == (0, 2)
    assert json.loads((desk.folder / "plan.json").read_text())["file"] == str(desk.folder / "rollout.yaml")
    assert wrong.err == "otabridge: --out plan.yaml: name it *.json, so that `rollout apply` knows it for a plan\n"


def test_a_new_file_can_be_planned_at_once(desk):
    """Every fleet of the configuration, every field, and a schema for editors beside it."""
    written = desk.rollout("new", "gates.yaml", "--release", "release", "--schema")
    planned = desk.rollout("plan", "gates.yaml")

    assert (written.code, planned.code) == (0, 0)
    assert written.out.splitlines()[:2] == ["written  gates.yaml", "written  rollout.schema.json"]
    text = (desk.folder / "gates.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=rollout.schema.json\n")
    assert "name: gates\n" in text
    assert json.loads((desk.folder / "rollout.schema.json").read_text())["title"] == "otabridge rollout"
    assert "devices  40 in depot, factory" in planned.out


def test_a_new_file_overwrites_nothing(desk):
    """Not even the schema beside a file that is there."""
    before = (desk.folder / "rollout.yaml").read_text()

    again = desk.rollout("new", "rollout.yaml", "--schema")

    assert again.code == 2
    assert again.err == "otabridge: rollout.yaml exists, and is not overwritten: name another file\n"
    assert (desk.folder / "rollout.yaml").read_text() == before
    assert not (desk.folder / "rollout.schema.json").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--name", "Gates!"], "name"),
        (["--fleet", ""], "fleets"),
    ],
)
def test_a_new_file_that_could_not_be_read_is_not_written(desk, words, message):
    """A name that no rollout can have, a fleet without a name."""
    refused = desk.rollout("new", "other.yaml", *words)

    assert refused.code == 2
    assert message in refused.err
    assert not (desk.folder / "other.yaml").exists()


def test_a_new_file_says_where_it_is_wanted_as_json(desk):
    """For programs that go on with it; named fleets need no configuration."""
    (desk.folder / "otabridge.toml").unlink()

    written = desk.rollout("new", "x/gates.yaml", "--fleet", "factory", "-o", "json")
    (desk.folder / "x").mkdir()
    again = desk.rollout("new", "x/gates.yaml", "--fleet", "factory", "-o", "json")

    assert "x/gates.yaml cannot be written: No such file or directory" in written.err
    assert again.json == {"file": "x/gates.yaml", "schema_file": None, "schema": 1}


def test_a_saved_plan_is_not_planned_again(desk):
    """It is taken for what it is, instead of being refused field by field."""
    desk.rollout("plan", "rollout.yaml", "--out", "plan.json")

    planned, rehearsed = desk.rollout("plan", "plan.json"), desk.rollout("rehearse", "plan.json")

    assert (planned.code, rehearsed.code) == (2, 2)
    assert "plan.json: that is how saved plans are named, and they are for `otabridge rollout apply`" in planned.err
    assert rehearsed.err == planned.err


def test_of_a_rollout_that_was_applied_no_end_is_foretold(desk):
    """It runs or has ended; when it would end if it were applied now is no answer."""
    before = desk.rollout("plan", "rollout.yaml").out
    desk.apply()
    after = desk.rollout("plan", "rollout.yaml").out

    assert "if applied now" in before
    assert "applied  before; the rollout is completed\n" in after
    assert "if applied now" not in after
