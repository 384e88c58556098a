"""checkov finds nothing in the modules but what infra/checkov.toml answers."""

from __future__ import annotations

import pytest

from tests.infra.absent import skipping_where_absent
from tests.infra.checkov import Finding, excused, read_skips, scan
from tests.infra.terraform import INFRA

PREFIXES = {"aws": "aws_", "azure": "azurerm_"}


@pytest.mark.parametrize("cloud", PREFIXES)
def test_checkov_finds_what_is_answered_and_no_more(tmp_path, cloud):
    """A new finding fails, and so does an answer to something that checkov no longer says."""
    with skipping_where_absent():
        found = scan(INFRA / cloud, tmp_path)
    answered = {finding for finding in excused(read_skips()) if finding.resource.startswith(PREFIXES[cloud])}

    assert (found - answered, answered - found) == (set(), set())


def test_checkov_is_heard(tmp_path):
    """A public bucket is found, so that silence means something."""
    module = tmp_path / "module"
    module.mkdir()
    (module / "main.tf").write_text('resource "aws_s3_bucket" "open" {\n  bucket = "open"\n}\n')

    with skipping_where_absent():
        assert Finding("aws_s3_bucket.open", "CKV2_AWS_6") in scan(module, tmp_path)


def test_every_answer_has_a_reason():
    """A list of exceptions without reasons would be a list of things nobody looked at."""
    assert [skip.resource for skip in read_skips() if len(skip.reason.split()) < 4] == []
