"""The owner's chain of roots, made and rotated by several people."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bridge.errors import UsageError
from bridge.keys import KeyType, create_key
from bridge.release.errors import UntrustedRoot
from bridge.release.trust import RELEASES
from bridge.roots import (
    DRAFT,
    RoleChange,
    RootChange,
    cosign,
    has_roots,
    new_root,
    next_root,
    read_draft,
    read_trust,
    save,
    signoff,
)
from bridge.signing import find_key

EXPIRES = datetime(2035, 1, 1, tzinfo=UTC)


@pytest.fixture
def person(tmp_path):
    """`person(name)` is that person's key, made at first use."""

    def find(name, kind=KeyType.ED25519):
        path = tmp_path / "keys" / f"{name}.pem"
        if not path.exists():
            create_key(name, kind, path.parent, None)
        return find_key(str(path))

    return find


def nobody(what):
    """These keys have no passphrase."""
    pytest.fail(f"asked for {what}")


def change(person, root="", releases="", root_threshold=None, release_threshold=None):
    """`"rita -ron"`: rita joins, ron leaves."""

    def role(text, threshold):
        words = text.split()
        joins = tuple(person(word).public for word in words if not word.startswith("-"))
        return RoleChange(joins, tuple(word[1:] for word in words if word.startswith("-")), threshold)

    return RootChange(EXPIRES, role(root, root_threshold), role(releases, release_threshold))


@pytest.fixture
def trust(tmp_path, person):
    """A trust folder: rita and ron hold the root (2 of 2), alice, bob and carol approve (2 of 3)."""
    folder = tmp_path / "trust"
    root = new_root(change(person, "rita ron", "alice bob carol", 2, 2))
    cosign(root, None, [person("rita"), person("ron")], nobody)
    save(folder, root, None)
    return folder


def test_a_complete_root_is_trusted(trust):
    """Signed by all that must: it is version 1, and names every role."""
    current = read_trust(trust)

    assert (current.root.version, [path.name for path in trust.iterdir()]) == (1, ["1.root.json"])
    assert (current.root.roles[RELEASES].threshold, len(current.root.roles[RELEASES].keyids)) == (2, 3)
    assert {name: current.root.roles[name].keyids for name in ("timestamp", "snapshot")} == {
        "timestamp": [],
        "snapshot": [],
    }


def test_a_root_carries_names_and_no_places(trust):
    """Where a private key lies is nobody's business."""
    document = (trust / "1.root.json").read_text()

    assert '"x-otabridge-name": "alice"' in document
    assert "uri" not in document
    assert ".pem" not in document


def test_a_root_is_signed_in_steps(tmp_path, person):
    """Until the last signature it is a draft that nobody trusts."""
    folder = tmp_path / "trust"
    root = new_root(change(person, "rita ron", "alice", 2, 1))
    cosign(root, None, [person("rita")], nobody)

    assert save(folder, root, None).name == DRAFT
    assert not has_roots(folder)
    (waiting,) = signoff(root, None).by
    assert (waiting[0], waiting[1].missing) == ("new", 1)

    draft = read_draft(folder)
    cosign(draft, None, [person("ron"), person("ron")], nobody)

    assert save(folder, draft, None).name == "1.root.json"
    assert read_draft(folder) is None
    assert read_trust(folder).root.version == 1


def test_a_rotation_is_signed_by_the_old_and_the_new(trust, person):
    """Ron hands over to rosa: ron must agree, and rosa must prove that she holds her key."""
    current = read_trust(trust)
    root = next_root(current, change(person, root="rosa -ron"))
    cosign(root, current.root, [person("rita"), person("rosa")], nobody)
    missing = {name: standing.missing for name, standing in signoff(root, current.root).by}
    assert missing == {"old": 1, "new": 0}

    cosign(root, current.root, [person("ron")], nobody)
    save(trust, root, current.root)

    assert read_trust(trust).root.version == 2
    assert current.root.version == 1, "the trust that was read before is not changed"


def test_approvers_join_and_leave(trust, person):
    """Keys are named as people name them: by owner, or by the start of the id."""
    current = read_trust(trust)
    alice = person("alice").public.key.keyid
    root = next_root(current, change(person, releases=f"dora -{alice[:8]} -bob", release_threshold=1))
    cosign(root, current.root, [person("rita"), person("ron")], nobody)
    save(trust, root, current.root)
    held = read_trust(trust).root

    expected = {person(name).public.key.keyid for name in ("carol", "dora")}
    assert expected == set(held.roles[RELEASES].keyids)
    assert alice not in held.keys


IMPOSSIBLE = {
    "a threshold nobody can meet": (
        {"releases": "-alice -bob"},
        "this root would be of no use: .*threshold 2 cannot be met by 1",
    ),
    "a name that nobody has": ({"releases": "-zoe"}, "0 keys of role 'targets' are called 'zoe'; it has: alice"),
    "an id too short to tell": ({"releases": "-a"}, "0 keys of role 'targets' are called 'a'"),
    "the last root holder": ({"root": "-rita -ron", "root_threshold": 1}, "threshold 1 cannot be met by 0 keys"),
}


@pytest.mark.parametrize(("wish", "says"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_an_impossible_rotation_is_refused(trust, person, wish, says):
    """Before anyone is asked for a passphrase."""
    with pytest.raises(UsageError, match=says):
        next_root(read_trust(trust), change(person, **wish))


def test_a_name_that_two_have_is_refused(trust, person, tmp_path):
    """The message shows both ids, which tell them apart."""
    create_key("alice", KeyType.ED25519, tmp_path / "others", None)
    current = read_trust(trust)
    both = RoleChange((find_key(str(tmp_path / "others" / "alice.pem")).public,))
    root = next_root(current, RootChange(EXPIRES, releases=both))
    cosign(root, current.root, [person("rita"), person("ron")], nobody)
    save(trust, root, current.root)
    with pytest.raises(UsageError, match="2 keys of role 'targets' are called 'alice'"):
        next_root(read_trust(trust), change(person, releases="-alice"))


def test_a_key_without_a_say_does_not_sign(trust, person):
    """An approver's signature on a root would only confuse; nobody's is added then."""
    current = read_trust(trust)
    root = next_root(current, change(person, root="rosa"))
    with pytest.raises(UsageError, match="alice holds no key of this root or the one before"):
        cosign(root, current.root, [person("rita"), person("alice")], nobody)
    assert root.signatures == {}


def test_a_crash_between_two_files_leaves_no_riddle(trust, person):
    """The draft that became version 2 may still lie there; it is not open any more."""
    current = read_trust(trust)
    root = next_root(current, change(person, root="rosa"))
    cosign(root, current.root, [person("rita"), person("ron")], nobody)
    save(trust, root, current.root)
    (trust / DRAFT).write_bytes((trust / "2.root.json").read_bytes())

    assert read_draft(trust) is None
    assert read_trust(trust).root.version == 2


def test_a_root_longer_than_a_device_reads_is_refused(tmp_path, person):
    """At the owner's desk, not on the device."""
    many = " ".join(f"approver-number-{number}-of-the-whole-company" for number in range(60))
    root = new_root(change(person, "rita", many, 1, 1))
    with pytest.raises(UsageError, match="devices read up to 16384: list fewer keys"):
        save(tmp_path / "trust", root, None)
    assert not (tmp_path / "trust").exists()


def test_a_broken_folder_is_refused(trust, tmp_path):
    """A gap, an altered root, or no root at all: each in a sentence."""
    with pytest.raises(UsageError, match=r"nowhere/1\.root\.json is missing: make it with `otabridge root init`"):
        read_trust(tmp_path / "nowhere")
    (trust / "3.root.json").write_bytes((trust / "1.root.json").read_bytes().replace(b'"version": 1', b'"version": 3'))
    with pytest.raises(UntrustedRoot, match="version 3 follows version 1; version 2 between them is missing"):
        read_trust(trust)
    (trust / "1.root.json").write_bytes((trust / "1.root.json").read_bytes().replace(b"2035", b"2036"))
    with pytest.raises(UntrustedRoot, match="root version 1 is not signed as root version 1 demands"):
        read_trust(trust)


def test_a_folder_is_read_in_the_order_of_numbers(trust, person):
    """10 comes after 9."""
    for _ in range(10):
        current = read_trust(trust)
        root = next_root(current, change(person))
        cosign(root, current.root, [person("rita"), person("ron")], nobody)
        save(trust, root, current.root)

    assert read_trust(trust).root.version == 11


def test_a_folder_that_cannot_be_written_is_told(tmp_path, person):
    """A file where the trust folder should be."""
    (tmp_path / "trust").touch()
    root = new_root(change(person, "rita", "alice", 1, 1))
    with pytest.raises(UsageError, match=r"trust/draft\.root\.json cannot be written"):
        save(tmp_path / "trust", root, None)
