"""`otabridge fleet check`: one probe a line, and an exit code that says what they came to."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from bridge.fleet import FleetError
from bridge.probing import Duty, Finding, Found
from tests.bridge.tool_configs import AWS, AZURE, bare, changed, wrapped

OK = Finding(Found.OK, "allowed")
MISSING = Finding(Found.MISSING, "AccessDenied: no", "s3:PutObject on arn:aws:s3:::b/*", "publisher_principals")
NO_ROLE = Finding(Found.MISSING, "NoSuchEntity: gone", "the role presign")
UNKNOWN = Finding(Found.UNKNOWN, "the network is away")
UNREAD = Finding(Found.UNKNOWN, "403: no", "role Reader on /hub", "viewer_principals")
SKIPPED = Finding(Found.SKIPPED, "dashboard: this otabridge knows no probe of them")


@dataclass
class Probed:
    """A probe that finds what a test says."""

    name: str
    finding: Finding
    duties: frozenset[Duty] = frozenset(Duty)
    tried: str = "try it"

    def run(self, duty):
        """Remembers for whom."""
        self.asked = duty
        return self.finding


@pytest.fixture
def check(desk, monkeypatch):
    """Runs `fleet check factory` with these probes; `resources` is what they were made of."""
    seen = []

    def run(probes, *options):
        seen.clear()

        def listed(_config, _name, resources):
            seen.append(dict(resources))
            return probes

        monkeypatch.setattr("bridge.cli.fleet_check.fleet_probes", listed)
        return desk.otabridge("fleet", "check", "factory", *options)

    run.resources = seen
    return run


@pytest.fixture
def made(desk, tmp_path):
    """Writes what Terraform printed of the fleet, with changes, and makes the fleet of it when told."""

    def write(*, add=False, config=AWS, wrap=bare, **fleet):
        (tmp_path / "made.json").write_bytes(wrap(changed(config, **fleet)))
        if add:
            added = desk.otabridge("fleet", "add", "factory", "--from-terraform", "made.json", "--replace")
            assert added.code == 0
        return ("--from-terraform", "made.json")

    return write


ENDS = {
    "all proven": ([OK, OK], 0, ""),
    "one is missing": ([OK, MISSING, UNKNOWN], 34, "otabridge: fleet factory: 1 of 3 probes found something missing\n"),
    "one was not looked at": ([OK, SKIPPED], 0, ""),
    "one could not tell": (
        [OK, UNKNOWN],
        35,
        "otabridge: fleet factory: nothing is known to be missing, but 1 of 2 probes could not tell\n",
    ),
}


@pytest.mark.parametrize(("findings", "code", "words"), ENDS.values(), ids=ENDS)
def test_the_exit_code_tells_what_they_came_to(check, findings, code, words):
    """What is missing weighs more than what could not be told."""
    done = check([Probed(f"probe{number}", finding) for number, finding in enumerate(findings)])

    assert (done.code, done.err) == (code, words)
    assert len(done.out.splitlines()) == len(findings)


def test_each_line_says_what_was_tried_what_is_missing_and_what_mends_it(check):
    """In the cloud's own words, and the Terraform module's."""
    findings = {"a": OK, "b": MISSING, "c": NO_ROLE, "d": UNKNOWN, "e": UNREAD, "f": SKIPPED}

    done = check([Probed(name, finding) for name, finding in findings.items()])

    ok, missing, no_role, unknown, unread, skipped = (" ".join(line.split()) for line in done.out.splitlines())
    assert ok == "ok a try it"
    assert missing == (
        "missing b try it: missing s3:PutObject on arn:aws:s3:::b/*; Terraform variable publisher_principals"
    )
    assert no_role == "missing c try it: missing the role presign; NoSuchEntity: gone"
    assert unknown == "could not tell d try it: the network is away"
    assert unread == (
        "could not tell e try it: 403: no; it needs role Reader on /hub: Terraform variable viewer_principals"
    )
    assert skipped == "not looked at f try it: dashboard: this otabridge knows no probe of them"


def test_the_same_as_json(check):
    """For programs; the exit code is the same."""
    done = check([Probed("b", MISSING)], "-o", "json")

    assert done.code == 34
    assert done.json == {
        "fleet": "factory",
        "duties": ["controller", "publisher", "viewer"],
        "probes": [
            {
                "probe": "b",
                "tried": "try it",
                "found": "missing",
                "said": "AccessDenied: no",
                "needs": "s3:PutObject on arn:aws:s3:::b/*",
                "variable": "publisher_principals",
            }
        ],
        "missing": 1,
        "unknown": 0,
        "schema": 1,
    }


def test_only_what_a_duty_needs_is_tried(check):
    """A publisher's pipeline has no rights on jobs, and needs none."""
    put = Probed("put", OK, frozenset({Duty.PUBLISHER, Duty.CONTROLLER}))
    act = Probed("act", MISSING, frozenset({Duty.CONTROLLER}))

    published = check([put, act], "--duty", "publisher")
    asked = put.asked
    both = check([put, act], "--duty", "publisher", "--duty", "controller")

    assert (published.code, len(published.out.splitlines()), asked) == (0, 1, Duty.PUBLISHER)
    assert (both.code, len(both.out.splitlines()), put.asked) == (34, 2, Duty.CONTROLLER)


def test_without_credentials_nothing_is_proven(check):
    """One sentence, and no list of guesses."""

    class Nobody(Probed):
        def run(self, _duty):
            raise FleetError("fleet factory: Unable to locate credentials")

    done = check([Nobody("who", OK), Probed("a", MISSING)])

    assert (done.code, done.out) == (1, "")
    assert done.err == "otabridge: fleet factory: Unable to locate credentials\n"


def test_an_unknown_fleet_is_a_misuse(desk):
    """Before any cloud is asked."""
    done = desk.otabridge("fleet", "check", "dept")

    assert done.code == 2
    assert "fleets.dept is missing; configured fleets: depot, factory" in done.err


@pytest.mark.parametrize("wrap", [bare, wrapped])
def test_what_terraform_made_is_looked_at(check, made, wrap):
    """In either shape; the settings are compared first, and each resource gets to the cloud's probes."""
    done = check([Probed("a", OK)], *made(add=True, wrap=wrap))

    assert (done.code, done.err) == (0, "")
    assert [" ".join(line.split()) for line in done.out.splitlines()] == [
        "ok settings compare it with Terraform's output",
        "ok a try it",
    ]
    assert check.resources == [AWS["resources"]]


def test_settings_that_differ_are_named_with_the_command_that_takes_them(check, made):
    """One finding each; what Terraform does not name is a person's own."""
    made(add=True)

    done = check([Probed("a", OK)], *made(url_minutes=30, profile="ops"), "-o", "json")

    again = "run `otabridge fleet add factory --from-terraform made.json --replace`"
    differing = [each for each in done.json["probes"] if each["found"] == "missing"]
    assert (done.code, done.json["missing"]) == (34, 2)
    assert [(each["probe"], each["needs"], each["said"], each["variable"]) for each in differing] == [
        ("settings.url_minutes", "url_minutes = 60 -> 30, which is Terraform's", again, ""),
        ("settings.profile", 'profile = "ops", which is not set', again, ""),
    ]


def test_a_setting_of_ones_own_is_no_difference(check, made, tmp_path):
    """Terraform knows nothing of costs."""
    made(add=True)
    config = tmp_path / "otabridge.toml"
    config.write_text(config.read_text().replace("url_minutes = 60", "url_minutes = 60\ncost_a_gigabyte = 0.09"))

    assert check([], *made()).code == 0


def test_the_command_names_the_output_where_it_has_another_name(check, made, tmp_path):
    """So that it can be copied."""
    made(add=True)
    (tmp_path / "made.json").write_bytes(wrapped(changed(AWS, url_minutes=30), "plant"))

    done = check([], "--from-terraform", "made.json", "--terraform-output", "plant")

    assert "fleet add factory --from-terraform made.json --terraform-output plant --replace`" in done.out


def test_the_output_of_another_cloud_is_refused(check, made):
    """It is not the fleet's, and a comparison would say nothing."""
    done = check([Probed("a", OK)], *made(config=AZURE))

    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "otabridge: made.json: provider is 'azure', and fleet factory is in 'aws': give the output of its own module; "
        "--terraform-output names it\n"
    )


TORN = {
    "cut off": (bare()[:-20], "made.json: not what `terraform output -json` prints: "),
    "nothing": (b"{}", "made.json: Terraform knows no outputs."),
    "of tomorrow": (bare({**AWS, "schema_version": 2}), "made.json: schema_version is 2; this otabridge reads 1"),
    "with a secret": (
        bare({**AWS, "resources": {"hub": "SharedAccessKey=x"}}),
        "made.json: resources.hub looks like a secret",
    ),
}


@pytest.mark.parametrize(("data", "words"), TORN.values(), ids=TORN)
def test_a_file_that_is_none_is_refused_before_a_cloud_is_asked(check, tmp_path, data, words):
    """With what is wrong, and where."""
    (tmp_path / "made.json").write_bytes(data)
    probe = Probed("a", OK)

    done = check([probe], "--from-terraform", "made.json")

    assert (done.code, done.out) == (2, "")
    assert words in done.err
    assert not hasattr(probe, "asked")


def test_a_file_that_is_not_there_is_told(check):
    """And not with a traceback."""
    done = check([], "--from-terraform", "nowhere.json")

    assert done.code == 2
    assert "Terraform's output nowhere.json cannot be read: No such file or directory" in done.err


@pytest.mark.parametrize("duty", ["approver", "root-approver"])
def test_who_signs_is_checked_by_terraforms_output_alone(check, made, duty):
    """The settings name no key, so that all would be well of which nothing is known."""
    signs = Probed("sign", OK, frozenset({Duty(duty)}))

    refused = check([signs], "--duty", duty)
    checked = check([signs], "--duty", duty, *made(add=True))
    unasked = check([signs], *made())

    assert (refused.code, refused.out) == (2, "")
    assert (
        f"--duty {duty}: which keys it signs with is in Terraform's output alone: add --from-terraform" in refused.err
    )
    assert (checked.code, len(checked.out.splitlines())) == (0, 2)
    assert len(unasked.out.splitlines()) == 1


def test_a_narrow_terminal_shows_every_word(check, made, monkeypatch):
    """In further lines, and the command in one of them."""
    made(add=True)
    monkeypatch.setenv("COLUMNS", "60")

    done = check([Probed("b", MISSING), Probed("e", UNREAD)], *made(url_minutes=30))

    lines = done.out.splitlines()
    assert "`otabridge fleet add factory --from-terraform made.json --replace`" in done.out
    assert all(len(line) <= 60 or "`" in line for line in lines)
    assert "Terraform variable publisher_principals" in " ".join(done.out.split())
