"""`otabridge root`: a chain of roots by several hands."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def people(otabridge):
    """Keys of two root holders, a third to come, and three approvers."""
    for name in ("rita", "ron", "rosa", "alice", "bob", "carol"):
        assert otabridge("keys", "create", name, "--no-passphrase").exit_code == 0


INIT = (
    *("root", "init", "--root-key", "rita.pub.json", "--root-key", "ron.pub.json", "--root-threshold", "2"),
    *("--release-key", "alice.pub.json", "--release-key", "bob.pub.json", "--release-threshold", "2"),
)


def roles(ran):
    """Threshold and names of each role in a JSON result."""
    view = ran.json["root"] or ran.json["draft"]["root"]
    return {each["role"]: (each["threshold"], [key.split()[0] for key in each["keys"]]) for each in view["roles"]}


@pytest.mark.usefixtures("people")
def test_two_people_make_a_root_in_two_steps(otabridge):
    """Rita begins, ron completes; only then it is in force."""
    begun = otabridge(*INIT, "--sign", "rita.pem")
    assert "DRAFT, not in force yet: root version 1" in begun.out
    assert "1 missing, of ron" in begun.out
    assert [path.name for path in Path("trust").iterdir()] == ["draft.root.json"]

    done = otabridge("root", "sign", "ron.pem", "-o", "json")

    assert roles(done) == {"root": (2, ["rita", "ron"]), "releases": (2, ["alice", "bob"])}
    assert (done.json["root"]["version"], done.json["draft"]) == (1, None)
    assert [path.name for path in Path("trust").iterdir()] == ["1.root.json"]


@pytest.mark.usefixtures("people")
def test_a_rotation_waits_for_the_old_holders_and_the_new(otabridge):
    """`root show` tells both lists; `root rotate --sign` without changes adds a signature."""
    otabridge(*INIT, "--sign", "rita.pem", "--sign", "ron.pem")
    change = ("--add-root-key", "rosa.pub.json", "--remove-root-key", "ron", "--add-release-key", "carol.pub.json")
    otabridge("root", "rotate", *change, "--release-threshold", "3", "--sign", "rita.pem")
    shown = otabridge("root", "show")
    assert "root version 1, expires " in shown.out
    assert "old root: signed by rita" in shown.out
    assert "1 missing, of ron" in shown.out
    assert "1 missing, of rosa" in shown.out

    otabridge("root", "rotate", "--sign", "rosa.pem")
    done = otabridge("root", "rotate", "--sign", "ron.pem", "-o", "json")

    assert roles(done) == {"root": (2, ["rita", "rosa"]), "releases": (3, ["alice", "bob", "carol"])}
    assert {"1.root.json", "2.root.json"} == {path.name for path in Path("trust").iterdir()}


@pytest.mark.usefixtures("people")
def test_only_the_expiry_may_change(otabridge):
    """The yearly chore: same people, new date."""
    otabridge(*INIT, "--expires", "30d", "--sign", "rita.pem", "--sign", "ron.pem")
    done = otabridge(
        "root", "rotate", "--expires", "2099-01-31", "--sign", "rita.pem", "--sign", "ron.pem", "-o", "json"
    )

    assert (done.json["root"]["version"], done.json["root"]["expires"]) == (2, "2099-01-31T00:00:00Z")


MISUSE = {
    "a root is there": (INIT, "trust holds a root already: change it with `otabridge root rotate`"),
    "nothing to do": (("root", "rotate"), "trust holds no draft: name a change, such as --add-release-key"),
    "nothing to sign": (("root", "sign", "rita.pem"), "trust holds no draft"),
    "no such folder": (("root", "show", "--trust", "nowhere"), "nowhere holds neither a root nor a draft"),
    "an approver signs": (
        ("root", "rotate", "--root-threshold", "1", "--sign", "alice.pem"),
        "alice holds no key of this root or the one before",
    ),
    "nobody left": (("root", "rotate", "--remove-release-key", "bob"), "this root would be of no use"),
    "a stranger leaves": (("root", "rotate", "--remove-root-key", "zoe"), "0 keys of role 'root' are called 'zoe'"),
    "an expiry in the past": (("root", "rotate", "--expires", "2020-01-01"), "--expires 2020-01-01: that is not in"),
    "a missing key": (("root", "rotate", "--add-root-key", "x.pub.json"), "public key file x.pub.json cannot be read"),
}


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize(("arguments", "says"), MISUSE.values(), ids=MISUSE)
def test_misuse_is_a_sentence_and_changes_nothing(otabridge, arguments, says):
    """Exit code 2, and the trust folder is as it was."""
    otabridge(*INIT, "--sign", "rita.pem", "--sign", "ron.pem")
    ran = otabridge(*arguments)

    assert (ran.exit_code, ran.out) == (2, "")
    assert says in ran.err
    assert [path.name for path in Path("trust").iterdir()] == ["1.root.json"]


@pytest.mark.usefixtures("people")
def test_one_change_at_a_time(otabridge):
    """An open draft is completed or given up before the next."""
    otabridge(*INIT, "--sign", "rita.pem", "--sign", "ron.pem")
    otabridge("root", "rotate", "--root-threshold", "1")
    ran = otabridge("root", "rotate", "--release-threshold", "1")

    assert ran.exit_code == 2
    assert "trust/draft.root.json (version 2) waits for signatures" in ran.err


@pytest.mark.usefixtures("people")
def test_a_stale_draft_is_not_completed(otabridge):
    """Version 2 came from elsewhere meanwhile, another one: the old draft of version 3 does not follow it."""
    otabridge(*INIT, "--sign", "rita.pem", "--sign", "ron.pem")
    otabridge("root", "rotate", "--expires", "99d", "--sign", "rita.pem", "--sign", "ron.pem")
    otabridge("root", "rotate", "--expires", "98d")
    Path("trust/2.root.json").unlink()
    ran = otabridge("root", "sign", "rita.pem")

    assert (ran.exit_code, "is version 3, next is 2: delete the old draft" in ran.err) == (2, True)


@pytest.mark.usefixtures("people")
def test_a_broken_chain_ends_with_its_exit_code(otabridge):
    """16, as on a device."""
    otabridge(*INIT, "--sign", "rita.pem", "--sign", "ron.pem")
    root = Path("trust/1.root.json")
    root.write_bytes(root.read_bytes().replace(b'"threshold": 2', b'"threshold": 1'))
    ran = otabridge("root", "show")

    assert (ran.exit_code, "is not signed as root version 1 demands" in ran.err) == (16, True)
