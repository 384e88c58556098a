"""Approvals: k of n people, each for themselves, about this plan, and none of it can be altered or shown again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.approvals import (
    Accepted,
    Approval,
    Refused,
    Statement,
    Verdict,
    judge_approval,
    new_statement,
    read_approval,
    render_approval,
    sign_statement,
    standing,
)
from bridge.approvers import approver_of, read_approvers
from bridge.detached import sign_bytes
from bridge.errors import UsageError
from bridge.keys import KeyType, create_key
from bridge.planning.planned import Plan, PlannedRelease
from bridge.rollout.model import Rollout, Stage
from bridge.rollout.rules import Approvals, SignOff
from bridge.signing import SigningFailed, SigningKey, find_key, open_signer

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SEEN = ("The display shows 2.1.0", "The pump ran for one hour")
PEOPLE = ("alice", "bob", "carol")
DIGEST = "ab" * 32


def never(what):
    """Nobody may be asked."""
    pytest.fail(f"asked for {what}")


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """The signing keys of three approvers, one of them of the other kind, and of mallory."""
    folder = tmp_path_factory.mktemp("keys")
    kinds = {"bob": KeyType.ECDSA_P256}
    made = {name: create_key(name, kinds.get(name, KeyType.ED25519), folder, None) for name in (*PEOPLE, "mallory")}
    return {name: find_key(str(files.private)) for name, files in made.items()}


@pytest.fixture(scope="module")
def plan(keys):
    """Two of three approve; the first stage is signed off by one, with two criteria."""
    rollout = Rollout(
        name="spring",
        release="releases/2.1.0",
        fleets=("factory",),
        stages=(Stage(count=2, sign_off=SignOff(criteria=SEEN)), Stage(percent=100)),
        approvals=Approvals(threshold=2, approvers=tuple(f"{name}.pub.json" for name in PEOPLE)),
    )
    approvers = tuple(approver_of(keys[name].public) for name in PEOPLE)
    return Plan(rollout, PlannedRelease("0" * 64, "2.1.0"), (), (), DIGEST, approvers=approvers)


def say(plan, key, verdict=Verdict.APPROVE, *, subject=None, at=NOW, criteria=(), edit=None):
    """One approver's signed word; `edit` changes the statement before it is signed."""
    statement = new_statement(plan, subject, verdict, keyid=key.public.key.keyid, now=at, criteria=criteria)
    return sign_statement(msgspec.structs.replace(statement, **(edit or {})), key, never)


def test_two_of_three_approve(plan, keys):
    """One is not enough; which two, and in which order, is all the same."""
    alice, bob, carol = (say(plan, keys[name]) for name in PEOPLE)

    one = standing(plan, [bob], None, NOW)
    two = standing(plan, [carol, alice], None, NOW)

    assert (one.given, one.missing, one.is_met) == (("bob",), 1, False)
    assert (two.given, two.missing, two.is_met) == (("alice", "carol"), 0, True)


def test_nobody_approves_twice(plan, keys):
    """Two statements of one approver are one approval."""
    twice = [say(plan, keys["alice"]), say(plan, keys["alice"], at=NOW + timedelta(hours=1))]

    found = standing(plan, twice, None, NOW + timedelta(hours=2))

    assert (found.given, found.missing) == (("alice",), 1)


def test_a_rejection_blocks_until_its_author_approves(plan, keys):
    """However many others approve; and it does not expire."""
    said = [say(plan, keys["alice"]), say(plan, keys["bob"]), say(plan, keys["carol"], Verdict.REJECT)]
    blocked = standing(plan, said, None, NOW)
    later = standing(plan, [say(plan, keys["carol"], Verdict.REJECT)], None, NOW + timedelta(days=100))
    said.append(say(plan, keys["carol"], at=NOW + timedelta(minutes=1)))

    assert (blocked.missing, blocked.rejected, blocked.is_met) == (0, ("carol",), False)
    assert later.rejected == ("carol",)
    assert standing(plan, said, None, NOW + timedelta(minutes=1)).is_met


@pytest.mark.parametrize("apart", [timedelta(), timedelta(seconds=1), timedelta(days=6)])
def test_an_old_approval_shown_again_does_not_undo_a_rejection(plan, keys, apart):
    """Whatever the order in which they arrive; of one second the rejection counts."""
    old = say(plan, keys["carol"])
    rejection = say(plan, keys["carol"], Verdict.REJECT, at=NOW + apart)
    others = [say(plan, keys["alice"]), say(plan, keys["bob"])]

    for said in ([old, rejection, old], [rejection, old]):
        assert standing(plan, [*others, *said], None, NOW + apart).rejected == ("carol",)


def test_an_approval_expires(plan, keys):
    """After the time that the rollout file allows, to the second; the name is shown."""
    said = [say(plan, keys["alice"]), say(plan, keys["bob"], at=NOW + timedelta(days=1))]

    before = standing(plan, said, None, NOW + timedelta(days=7) - timedelta(seconds=1))
    after = standing(plan, said, None, NOW + timedelta(days=7))

    assert before.is_met
    assert (after.given, after.missing, after.expired) == (("bob",), 1, ("alice",))


def test_a_stage_is_signed_off_with_all_its_criteria(plan, keys):
    """Each line confirmed, in any order; an approval of the plan is no sign-off, and the other way round."""
    signed_off = say(plan, keys["alice"], subject=1, criteria=SEEN[::-1])
    approved = say(plan, keys["alice"])

    assert standing(plan, [signed_off], 1, NOW).is_met
    assert standing(plan, [approved], 1, NOW).missing == 1
    assert standing(plan, [signed_off], None, NOW).missing == 2


def test_criteria_left_out_are_named(plan, keys):
    """A rejection needs none."""
    half = say(plan, keys["alice"], subject=1, criteria=SEEN[:1])
    rejection = say(plan, keys["bob"], Verdict.REJECT, subject=1)

    found = standing(plan, [half, rejection], 1, NOW)

    assert (found.given, found.missing, found.rejected) == ((), 1, ("bob",))
    assert found.refused == ("alice: not confirmed: The pump ran for one hour",)


def test_what_asks_for_nobody_is_met(plan):
    """A stage without sign-off, a plan without approvals, a stage that is not there."""
    alone = msgspec.structs.replace(plan, rollout=msgspec.structs.replace(plan.rollout, approvals=None))

    assert standing(plan, [], 2, NOW).is_met
    assert standing(plan, [], 3, NOW).is_met
    assert standing(alone, [], None, NOW).is_met


EDITS = {
    "another plan": ({"plan": "cd" * 32}, "about plan 'cdcdcdcdcdcd' .*: a changed plan needs new approvals"),
    "another rollout": ({"rollout": "summer"}, "of rollout 'summer', this is plan abababababab of spring"),
    "a stage that asks nobody": ({"stage": 2}, "alice: rollout spring asks for no approval of stage 2"),
    "a stage that is not there": ({"stage": 3}, "alice: rollout spring asks for no approval of stage 3"),
    "from the future": (
        {"signed": NOW + timedelta(minutes=6), "expires": NOW + timedelta(days=1)},
        "signed at 2026-03-01 12:06, which has not come yet: compare the clocks",
    ),
    "for ever": ({"expires": NOW + timedelta(days=8)}, "hold until 2026-03-09 12:00; the rollout allows 7 d$"),
    "backwards": ({"expires": NOW - timedelta(days=8)}, "it claims to hold until 2026-02-21 12:00"),
}  # fmt: skip


@pytest.mark.parametrize(("edit", "says"), EDITS.values(), ids=EDITS)
def test_a_signed_statement_that_does_not_fit_is_refused(plan, keys, edit, says):
    """The signature is right; the message says what is not."""
    refusal = judge_approval(plan, say(plan, keys["alice"], edit=edit), NOW)

    assert isinstance(refusal, Refused)
    assert pytest.raises(AssertionError, match=says).matches(AssertionError(refusal.reason))


def test_a_little_skew_is_forgiven(plan, keys):
    """A clock that is ahead by minutes."""
    assert isinstance(judge_approval(plan, say(plan, keys["alice"], at=NOW + timedelta(minutes=5)), NOW), Accepted)


def test_a_stranger_approves_nothing(plan, keys):
    """Neither under their own key nor under the id of an approver."""
    own = say(plan, keys["mallory"])
    posing = msgspec.structs.replace(say(plan, keys["mallory"]), keyid=keys["alice"].public.key.keyid)

    assert "belongs to no approver of this plan; they are: alice, bob, carol" in judge_approval(plan, own, NOW).reason
    assert judge_approval(plan, posing, NOW).reason == (
        "the signature of alice does not match the statement: it was altered after signing"
    )
    assert standing(plan, [own, posing], None, NOW).given == ()


def test_one_approvers_statement_is_not_anothers(plan, keys):
    """Bob signs a statement in alice's name."""
    statement = new_statement(plan, None, Verdict.APPROVE, keyid=keys["alice"].public.key.keyid, now=NOW)
    with pytest.raises(UsageError, match=r"is to be signed by key .*, not by bob"):
        sign_statement(statement, keys["bob"], never)

    payload = msgspec.json.encode(statement, order="sorted")
    bob = keys["bob"].public.key.keyid
    refusal = judge_approval(plan, Approval(payload, bob, sign_bytes(payload, keys["bob"], never)), NOW)
    assert refusal.reason.startswith("bob: the statement names another key")

    forged = say(plan, keys["bob"], edit={"comment": "in the name of alice"})
    moved = msgspec.structs.replace(forged, keyid=keys["alice"].public.key.keyid)
    assert isinstance(judge_approval(plan, moved, NOW), Refused)


@pytest.mark.parametrize("name", ["alice", "bob"])
def test_every_altered_byte_is_refused(plan, keys, name):
    """Of the statement, the id and the signature, as they are stored; for both kinds of key."""
    document = render_approval(say(plan, keys[name]))
    assert isinstance(judge_approval(plan, read_approval(document), NOW), Accepted)

    for place in range(len(document)):
        for bit in (0x01, 0x20):
            altered = document[:place] + bytes([document[place] ^ bit]) + document[place + 1 :]
            assert not accepts(plan, altered), f"byte {place}"


def accepts(plan, document):
    """Whether anybody's approval comes out of `document`."""
    try:
        return isinstance(judge_approval(plan, read_approval(document), NOW), Accepted)
    except UsageError:
        return False


@pytest.mark.parametrize(
    "altered",
    [lambda text: text + b"\n", lambda text: b" " + text, lambda text: text.replace(b'":"', b'": "', 1)],
    ids=["a newline", "a space before", "a space within"],
)
def test_an_approval_has_one_form(plan, keys, altered):
    """Nobody's tool may write it anew."""
    document = render_approval(say(plan, keys["alice"]))
    with pytest.raises(UsageError, match="the approval was edited or re-serialised after it was signed"):
        read_approval(altered(document))


@pytest.mark.parametrize(("document", "says"), [(b"", "no approval"), (b"{}", "no approval"), (b"x" * 70_000, "limit")])
def test_what_is_no_approval_is_refused(document, says):
    """Bounded, and in a sentence."""
    with pytest.raises(UsageError, match=says):
        read_approval(document)


@given(st.binary(max_size=300))
def test_any_bytes_are_an_approval_or_a_sentence(document):
    """Never another error."""
    with pytest.raises(UsageError):
        read_approval(document)


@pytest.mark.parametrize(
    "document",
    [b"approved", b"{}", b'{"_type":"otabridge-approval"}', b'{"_type":"another"}', b"x" * 70_000],
)
def test_only_a_statement_counts_although_it_is_signed(plan, keys, document):
    """An approver's key signs other things, too: releases, for one."""
    key = keys["alice"]
    approval = Approval(document, key.public.key.keyid, sign_bytes(document, key, never))

    assert judge_approval(plan, approval, NOW).reason == (
        "what alice signed is no statement that this otabridge understands: sign it anew"
    )


def open_key(key):
    """Its signer."""
    return open_signer(key, never)


@pytest.mark.parametrize("comment", ["two\nlines", "\x1b[31mred", "x" * 1001])
def test_a_comment_is_one_plain_line(plan, keys, comment):
    """It is shown on terminals and in the ledger."""
    with pytest.raises(UsageError, match=r"the statement cannot be signed: .*; write one line of plain text"):
        new_statement(plan, None, Verdict.REJECT, keyid=keys["bob"].public.key.keyid, now=NOW, comment=comment)


def test_nothing_is_signed_that_nobody_asks_for(plan, keys):
    """Found out before a passphrase is asked for."""
    with pytest.raises(UsageError, match="rollout spring asks for no approval of stage 2"):
        new_statement(plan, 2, Verdict.APPROVE, keyid=keys["bob"].public.key.keyid, now=NOW)


def test_a_key_that_became_another_is_noticed(plan, keys, monkeypatch):
    """As an alias in a KMS may; the signer learns it, not the controller later."""
    alice, mallory = keys["alice"], keys["mallory"]
    monkeypatch.setattr("bridge.detached.open_signer", lambda *_: open_key(mallory))

    with pytest.raises(SigningFailed, match="signed with another key than alice's"):
        say(plan, alice)


def test_a_kms_that_refuses_is_a_sentence(plan, keys, monkeypatch):
    """Whatever its library raises."""
    monkeypatch.setattr("bridge.detached.open_signer", lambda *_: None)

    with pytest.raises(SigningFailed, match="key awskms:gone cannot sign"):
        say(plan, SigningKey(keys["alice"].public, "awskms:gone"))


WORDS = st.lists(
    st.tuples(st.sampled_from(PEOPLE), st.sampled_from(list(Verdict)), st.integers(0, 12 * 24)), max_size=6, unique=True
)


@pytest.fixture(scope="module")
def spoken(plan, keys):
    """Signs each word once."""
    signed = {}

    def speak(name, verdict, hour):
        word = (name, verdict, hour)
        signed[word] = signed.get(word) or say(plan, keys[name], verdict, at=NOW + timedelta(hours=hour))
        return signed[word]

    return speak


@settings(max_examples=60, deadline=None)
@given(WORDS, st.randoms())
def test_the_newest_word_of_each_counts(plan, spoken, words, random):
    """Whatever was said before, in whatever order it is shown and however often."""
    now = NOW + timedelta(hours=12 * 24)
    newest = {name: (verdict, hour) for name, verdict, hour in sorted(words, key=lambda word: (word[2], word[1]))}
    approvals = [spoken(*word) for word in words] * 2
    random.shuffle(approvals)

    found = standing(plan, approvals, None, now)

    assert set(found.rejected) == {name for name, (verdict, _) in newest.items() if verdict is Verdict.REJECT}
    fresh = {name for name, (verdict, hour) in newest.items() if verdict is Verdict.APPROVE and hour > 5 * 24}
    assert set(found.given) == fresh
    assert found.is_met is (len(fresh) >= 2 and not found.rejected)


@given(st.builds(lambda line: line, st.text(max_size=50)))
def test_a_statement_has_one_form(line):
    """What is read is what was written, byte for byte, or it is no line."""
    try:
        statement = msgspec.convert({"_type": "otabridge-approval", "rollout": "spring", "plan": DIGEST, "stage": None,
                                     "criteria": [], "verdict": "approve", "comment": line, "keyid": "0", "signed": NOW,
                                     "expires": NOW}, Statement)  # fmt: skip
    except msgspec.ValidationError:
        assert not line.isprintable()
        return
    document = msgspec.json.encode(statement, order="sorted")
    assert msgspec.json.encode(msgspec.json.decode(document, type=Statement), order="sorted") == document


def test_approvers_are_read_beside_the_rollout_file(tmp_path):
    """By name, with the key and without the place of its private half."""
    create_key("alice", KeyType.ED25519, tmp_path / "keys", None)
    create_key("bob", KeyType.ECDSA_P256, tmp_path / "keys", None)

    alice, bob = read_approvers(["keys/alice.pub.json", "keys/bob.pub.json"], tmp_path / "rollout.yaml")

    assert (alice.name, bob.name) == ("alice", "bob")
    assert set(msgspec.json.decode(alice.key)) == {"keytype", "keyval", "scheme"}


def test_one_person_is_not_two_approvers(tmp_path):
    """One key in two files, and one name on two keys; both files are named."""
    (tmp_path / "other").mkdir()
    create_key("alice", KeyType.ED25519, tmp_path, None)
    create_key("alice", KeyType.ED25519, tmp_path / "other", None)
    (tmp_path / "copy.pub.json").write_bytes((tmp_path / "alice.pub.json").read_bytes())
    file = tmp_path / "rollout.yaml"

    with pytest.raises(UsageError, match=r"rollout\.yaml: .*copy\.pub\.json holds the same key as alice\.pub\.json"):
        read_approvers(["alice.pub.json", "copy.pub.json"], file)
    with pytest.raises(UsageError, match="are two keys of one name, alice; give the key of one of them another name"):
        read_approvers(["alice.pub.json", "other/alice.pub.json"], file)
    with pytest.raises(UsageError, match=r"public key file .*gone\.pub\.json cannot be read: No such file"):
        read_approvers(["gone.pub.json"], file)
