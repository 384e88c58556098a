"""Into a stage and back: which devices may join, and what is changed in their twins."""

from __future__ import annotations

import pytest

from adapters.azure.fleet.memberships import (
    TwinPatch,
    belongs,
    forget,
    give_back,
    is_group,
    join,
    leave,
    stop_counting,
    survey,
    take_over,
)

STAGE, OTHER = "otabridge-spring-1-0123456789abcdef", "otabridge-winter-1-fedcba9876543210"


def row(device, group=None, stage=None):
    """A row of the hub about a device; what is not defined is absent or null."""
    return (
        {"deviceId": device, "adugroup": group}
        if stage is None
        else {"deviceId": device, "adugroup": group, "stage": stage}
    )


def test_devices_are_sorted_by_where_they_are():
    """Each kind of answer, all at once."""
    found = survey(
        STAGE,
        ["gone", "in", "eu-1", "eu-2", "bare", "held", "freed", "odd"],
        [
            row("in", STAGE, STAGE),
            row("eu-1", "eu"),
            row("eu-2", "eu"),
            row("bare"),
            row("held", OTHER, OTHER),
            row("freed", "us", OTHER),
            row("odd", 7),
            row("stranger", "eu"),
        ],
    )

    assert found.absent == ("gone",)
    assert found.held == {"held": OTHER}
    assert found.holders == {OTHER: ("held",)}
    assert found.odd == {"odd": 7}
    assert found.free == {"eu": ("eu-1", "eu-2"), None: ("bare",), "us": ("freed",)}


@pytest.mark.parametrize(
    ("found", "does"),
    [(row("a", "eu"), True), (row("a", STAGE, STAGE), True), (row("a", "moved", STAGE), False), (row("a"), False)],
)
def test_a_borrowed_device_belongs_to_its_group_until_somebody_moves_it(found, does):
    """`was` is a note of ours; the tag is the customer's word."""
    assert belongs("eu", found) is does


HALF = [(STAGE, None), (STAGE, OTHER), ("eu", STAGE), (None, STAGE)]


@pytest.mark.parametrize(("group", "stage"), HALF)
def test_half_a_member_joins_again(group, stage):
    """Somebody changed one of its tags."""
    assert survey(STAGE, ["gate-1"], [row("gate-1", group, stage)]).free == {group: ("gate-1",)}


def test_joining_keeps_the_earlier_group():
    """An older note of it is overwritten, with nothing where there is none."""
    assert join(STAGE, "eu") == TwinPatch(
        {"ADUGroup": STAGE, "otabridge": {"stage": STAGE, "was": "eu"}}, {"otabridge": {"stage": STAGE}}
    )
    assert join(STAGE, None).tags["otabridge"] == {"stage": STAGE, "was": None}


def test_the_stage_itself_is_no_earlier_group():
    """Or the device would be given back to a group that is deleted."""
    assert join(STAGE, STAGE).tags["otabridge"] == {"stage": STAGE, "was": None}


def test_leaving_keeps_the_stage_and_giving_back_does_not():
    """The stage still counts who left; once closed it knows nobody."""
    assert leave("eu") == TwinPatch({"ADUGroup": "eu", "otabridge": {"was": None}}, {})
    assert give_back("eu") == TwinPatch({"ADUGroup": "eu", "otabridge": None}, {"otabridge": None})
    assert give_back(None).tags["ADUGroup"] is None
    assert forget() == TwinPatch({"otabridge": None}, {"otabridge": None})


def test_taking_over_leaves_the_first_stage_its_count():
    """In a tag that giving back does not touch; the group is the customer's, not the first stage's."""
    taken = take_over(STAGE, OTHER, "eu", "failed")

    assert taken.tags == {
        "ADUGroup": STAGE,
        "otabridge": {"stage": STAGE, "was": "eu"},
        "otabridge_fedcba9876543210": "failed",
    }
    assert taken.desired == {"otabridge": {"stage": STAGE}}
    assert not set(stop_counting(OTHER).tags) & set(give_back("eu").tags)
    assert stop_counting(OTHER) == TwinPatch({"otabridge_fedcba9876543210": None}, {})


@pytest.mark.parametrize("value", ["eu", "EU_1.~-", "x" * 255, "it's"])
def test_a_groups_name(value):
    """Also one that Device Update would not take: it is the customer's, and is given back as it was."""
    assert is_group(value)


@pytest.mark.parametrize("value", ["", "x" * 256, 7, True, {"a": 1}, None, "a\nb"])
def test_no_groups_name(value):
    """It could not be asked for in a query."""
    assert not is_group(value)
