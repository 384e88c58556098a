"""A fleet's settings that are wrong: the field, the value, and what would be right."""

from __future__ import annotations

import pytest

from adapters.aws.cloud import open_fleet
from bridge.errors import UsageError

GOOD = {"region": "eu-central-1", "bucket": "releases", "role_arn": "arn:aws:iam::123456789012:role/downloads"}
WRONG = {
    "region": ({"region": "Frankfurt"}, "fleet depot: region is 'Frankfurt': must be a region, such as eu-central-1"),
    "bucket": ({"bucket": "b"}, "fleet depot: bucket is 'b': must be a bucket's name: 3 to 63 lower-case letters"),
    "role": ({"role_arn": "downloads"}, "fleet depot: role_arn is 'downloads': must be a role, such as arn:aws:iam::"),
    "number": ({"url_minutes": 90}, "fleet depot: url_minutes is 90: expected `int` <= 60"),
    "typo": ({"buckett": "x"}, "fleet depot: object contains unknown field `buckett`"),
}


@pytest.mark.parametrize(("change", "says"), WRONG.values(), ids=WRONG)
def test_a_wrong_setting_is_named_with_what_would_be_right(change, says):
    """Patterns are for programs."""
    with pytest.raises(UsageError) as refused:
        open_fleet("depot", GOOD | change)

    assert str(refused.value).startswith(says)


def test_a_missing_setting_is_named():
    """All that are required."""
    with pytest.raises(UsageError, match="fleet depot: object missing required field `role_arn`"):
        open_fleet("depot", {name: value for name, value in GOOD.items() if name != "role_arn"})
