"""`otabridge release`: built, approved by two, judged as a device judges, and published."""

from __future__ import annotations

import json
import random
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge.folder import RELEASE_FILE
from bridge.release.manifest import Compatibility, Versions
from tests.bridge.fakes import FakeFleet, Refuse
from tests.releases import ReleaseKit

SOON = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)
IMAGE = random.Random(6).randbytes(50_000) + bytes(50_000)
DEVICE = ("--model", "gateway-3", "--hardware", "r2", "--current-version", "1.0.0")


@pytest.fixture
def owner(otabridge):
    """Keys and a root: alice, bob and carol approve, two of them are needed."""
    for name in ("rita", "alice", "bob", "carol"):
        otabridge("keys", "create", name, "--no-passphrase")
    approvers = [word for name in ("alice", "bob", "carol") for word in ("--release-key", f"{name}.pub.json")]
    otabridge("root", "init", "--root-key", "rita.pub.json", *approvers, "--release-threshold", 2, "--sign", "rita.pem")


def build(otabridge, *more):
    """A release folder `rel`."""
    Path("rootfs.img").write_bytes(IMAGE)
    facts = ("--name", "gateway-os", "--version", "2.0.0", "--sequence", "7", "--model", "gateway-3")
    return otabridge("release", "build", "--image", "rootfs.img", *facts, "--level", "1", "--out", "rel", *more)


@pytest.mark.usefixtures("owner")
def test_a_release_from_image_to_acceptance(otabridge):
    """Built, signed by two, verified with every artifact byte; each step says what is still missing."""
    built = build(otabridge, "--hardware", "r2", "--floor", "5", "--kind", "security", "--advisory", "ADV-1")
    assert (built.exit_code, built.err) == (0, "")
    assert "release     gateway-os 2.0.0, sequence 7, security" in built.out

    first = otabridge("release", "sign", "rel", "--key", "alice.pem")
    assert re.search(r"2 needed, 1 missing, of bob \(\w{12}\), carol", first.out)
    assert otabridge("release", "verify", "rel").exit_code == 11

    otabridge("release", "sign", "rel", "--key", "bob.pub.json")
    ran = otabridge("release", "verify", "rel", *DEVICE)

    assert (ran.exit_code, ran.err) == (0, "")
    assert ran.out.endswith("gateway-os-2.0.0.r2.full: length and sha256 as signed\naccepted\n")


@pytest.mark.usefixtures("owner")
def test_every_field_of_a_release_can_be_set(otabridge):
    """What `show -o json` gives is what was asked for."""
    build(
        otabridge,
        *("--hardware", "r2", "--hardware", "r3", "--from-version-min", "1.0", "--from-version-max", "1.9"),
        *("--floor", "6", "--support-until", "2031-05-01", "--health", "network", "--health", "cloud"),
        *("--expires", "2030-01-31"),
    )
    seen = otabridge("release", "show", "rel", "-o", "json").json["release"]

    assert {
        "version": "2.0.0",
        "sequence": 7,
        "compatibility": {
            "model": "gateway-3",
            "hardware": ["r2", "r3"],
            "from_version": {"least": "1.0", "most": "1.9"},
        },
        "floor": 6,
        "support_until": "2031-05-01",
        "health": ["network", "cloud"],
        "expires": "2030-01-31T00:00:00Z",
    }.items() <= seen.items()


@pytest.mark.usefixtures("owner")
def test_signing_twice_is_signing_once(otabridge):
    """The file does not change, and no passphrase is asked for."""
    build(otabridge)
    otabridge("release", "sign", "rel", "--key", "alice.pem")
    before = Path("rel", RELEASE_FILE).read_bytes()
    Path("alice.pem").unlink()
    again = otabridge("release", "sign", "rel", "--key", "alice.pub.json", "-o", "json")

    assert (again.exit_code, again.json["added"]) == (0, False)
    assert before == Path("rel", RELEASE_FILE).read_bytes()


@pytest.mark.usefixtures("owner")
def test_without_a_trust_folder_signing_says_that_it_cannot_tell(otabridge):
    """An approver may work far from the owner's root."""
    build(otabridge)
    shutil.rmtree("trust")
    ran = otabridge("release", "sign", "rel", "--key", "alice.pem")

    assert (ran.exit_code, "cannot tell whether signatures are missing" in ran.out) == (0, True)


@pytest.mark.usefixtures("owner")
def test_only_approvers_sign(otabridge):
    """A root holder's signature would make every device refuse the release."""
    build(otabridge)
    before = Path("rel", RELEASE_FILE).read_bytes()
    ran = otabridge("release", "sign", "rel", "--key", "rita.pem")

    assert (ran.exit_code, "rita holds no release key of root version 1" in ran.err) == (2, True)
    assert before == Path("rel", RELEASE_FILE).read_bytes()


@pytest.mark.usefixtures("owner")
def test_nobody_approves_what_others_did_not_see(otabridge):
    """Changed after alice signed: bob is told, and does not sign."""
    build(otabridge)
    otabridge("release", "sign", "rel", "--key", "alice.pem")
    file = Path("rel", RELEASE_FILE)
    file.write_bytes(file.read_bytes().replace(b'"floor": 1', b'"floor": 2'))
    ran = otabridge("release", "sign", "rel", "--key", "bob.pem")

    assert ran.exit_code == 15
    assert re.search(r"the signature of alice \(\w+\) does not match the release: it was changed after", ran.err)


@pytest.mark.usefixtures("owner")
def test_a_revoked_signature_is_removed_by_the_next_approver(otabridge):
    """Alice left; carol signs in her place."""
    build(otabridge)
    for name in ("alice", "bob"):
        otabridge("release", "sign", "rel", "--key", f"{name}.pem")
    otabridge("root", "rotate", "--remove-release-key", "alice", "--sign", "rita.pem")
    assert otabridge("release", "verify", "rel").exit_code == 15

    ran = otabridge("release", "sign", "rel", "--key", "carol.pem")

    assert "which is no release key any more" in ran.out
    assert otabridge("release", "verify", "rel").exit_code == 0


MISUSE = {
    "no image": (("--image", "no.img"), 2, "image no.img cannot be read: No such file or directory"),
    "a folder": (("--image", "."), 2, "image . is neither a file nor a block device"),
    "a version without order": (("--version", "latest"), 10, "version 'latest' cannot be ordered"),
    "a floor above itself": (("--floor", "8"), 10, "floor 8 is above the release's own sequence 7"),
    "a sequence of nothing": (("--sequence", "0"), 10, "release"),
    "an empty range": (("--from-version-min", "2", "--from-version-max", "1"), 10, "no version lies in 2 to 1"),
    "a past expiry": (("--expires", "2020-01-01"), 2, "--expires 2020-01-01: that is not in the future"),
    "a level": (("--level", "99"), 2, "compression level 99 is outside 1 to 22"),
    "a name of two lines": (("--name", "a\nb"), 10, "matching regex"),
}


@pytest.mark.usefixtures("owner")
@pytest.mark.parametrize(("more", "exit_code", "says"), MISUSE.values(), ids=MISUSE)
def test_an_impossible_release_is_not_built(otabridge, more, exit_code, says):
    """A sentence, and no release.json."""
    ran = build(otabridge, *more)

    assert (exit_code, "") == (ran.exit_code, ran.out)
    assert says in ran.err
    assert not Path("rel", RELEASE_FILE).exists()


@pytest.mark.usefixtures("owner")
def test_a_release_is_never_overwritten(otabridge):
    """Approvers may have signed it."""
    build(otabridge)
    ran = build(otabridge)

    assert (ran.exit_code, "release.json exists; a release is never overwritten" in ran.err) == (2, True)


# --- every refusal, as a person and as a script see it ----------------------------------------------------------------


def flip(path, position):
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


FILE = Path("rel", RELEASE_FILE)
ARTIFACT = Path("rel", "rootfs.full")


def flip_signature():
    """Another hex digit in the middle of the first signature."""
    document = FILE.read_bytes()
    middle = document.index(b'"sig": "') + 40
    other = b"1" if document[middle : middle + 1] == b"0" else b"0"
    FILE.write_bytes(document[:middle] + other + document[middle + 1 :])


def drop_version_2(kit):
    kit.rotate()
    kit.rotate()
    write_trust(kit)
    Path("trust", "2.root.json").unlink()


def forge_root(_kit):
    stranger = ReleaseKit()
    Path("trust", "2.root.json").write_bytes(stranger.rotate())


REFUSED = {
    "lacks an approver": ({"signers": 1}, None, (), 11, "2 signatures are needed, 1 missing from"),
    "lacks all": ({"signers": 0}, None, (), 11, "signed by nobody; 2 signatures are needed, 2 missing from"),
    "expired release": ({}, None, ("--at", "2100-01-01"), 12, "release gateway-os 2.0.0 expired at"),
    "expired root": ({"root_expires": SOON}, None, ("--at", "2098-01-01"), 12, "root version 1 expired at"),
    "below the floor": ({}, None, (*DEVICE, "--floor", "9"), 13, "sequence 2 is below this device's floor 9"),
    "another model": ({}, None, ("--model", "gateway-4"), 14, "for model 'gateway-3', this device is 'gateway-4'"),
    "other hardware": ({}, None, (*DEVICE, "--hardware", "r9"), 14, "for hardware r2; this device is 'r9'"),
    "no hardware": ({}, None, ("--model", "gateway-3"), 14, "for hardware r2; this device is ''"),
    "too old a version": (
        {"span": ("1.5", None)},
        None,
        DEVICE,
        14,
        "from versions 1.5 to any; this device runs 1.0.0",
    ),
    "too new a version": (
        {"span": (None, "0.9")},
        None,
        DEVICE,
        14,
        "from versions any to 0.9; this device runs 1.0.0",
    ),
    "an unknown version": ({"span": ("1.5", None)}, None, DEVICE[:4], 14, "this device does not know its version"),
    "a byte of a field": (
        {},
        lambda _: FILE.write_bytes(FILE.read_bytes().replace(b'"version": 2\n', b'"version": 3\n')),
        (),
        15,
        "does not match the release: it was altered after signing",
    ),
    "a byte of a signature": ({}, lambda _: flip_signature(), (), 15, "does not match the release: it was altered"),
    "another spelling": (
        {},
        lambda _: FILE.write_bytes(json.dumps(json.loads(FILE.read_bytes())).encode()),
        (),
        15,
        "release.json is not in canonical form",
    ),
    "a byte of an artifact": ({}, lambda _: flip(ARTIFACT, 100), (), 15, "artifact rootfs.full"),
    "half an artifact": (
        {},
        lambda _: ARTIFACT.write_bytes(ARTIFACT.read_bytes()[:99]),
        (),
        15,
        "it has 99 bytes, signed were ",
    ),
    "no artifact": (
        {},
        lambda _: ARTIFACT.unlink(),
        (),
        15,
        "artifact rootfs.full: it cannot be read from rel: No such file",
    ),
    "not JSON": ({}, lambda _: FILE.write_text("{"), (), 10, "release.json is not TUF metadata"),
    "oversize": (
        {},
        lambda _: FILE.write_bytes(b" " * 20_000),
        (),
        10,
        "release.json has 16385 bytes, the limit is 16384",
    ),
    "a later format": (
        {},
        lambda _: FILE.write_bytes(FILE.read_bytes().replace(b'"spec": 1,', b'"spec": 3,')),
        (),
        10,
        "custom.spec is 3, this program reads up to 2: update otabridge first",
    ),
    "a forged root": ({}, forge_root, (), 16, "root version 2 is not signed as root version 1 demands"),
    "a skipped root": ({}, drop_version_2, (), 16, "version 3 follows version 1; version 2 between them is missing"),
    "a root of noise": ({}, lambda _: Path("trust", "1.root.json").write_text("?"), (), 16, "root is not TUF metadata"),
}


def write_trust(kit):
    """All roots of the kit as a trust folder."""
    Path("trust").mkdir(exist_ok=True)
    for version, root in enumerate(kit.roots, 1):
        Path("trust", f"{version}.root.json").write_bytes(root)


def publishable(signers=2, span=(None, None), root_expires=datetime(2150, 1, 1, tzinfo=UTC)):
    """A kit whose trust and signed release lie in `trust` and `rel`."""
    kit = ReleaseKit(root_expires=root_expires)
    write_trust(kit)
    package = kit.package(
        IMAGE,
        signers=kit.release_signers[:signers],
        expires=datetime(2099, 1, 1, tzinfo=UTC),
        compatibility=Compatibility("gateway-3", ("r2",), Versions(*span)),
    )
    Path("rel").mkdir()
    FILE.write_bytes(package.document)
    for name, data in package.files.items():
        Path("rel", name).write_bytes(data)
    return kit


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_a_refusal_explains_itself(otabridge, case):
    """The reason on stderr and in the report, an exit code of its own, and the same facts as JSON."""
    wish, damage, arguments, exit_code, says = case
    kit = publishable(**wish)
    if damage:
        damage(kit)
    ran = otabridge("release", "verify", "rel", *arguments)
    as_json = otabridge("release", "verify", "rel", *arguments, "-o", "json")

    assert exit_code == ran.exit_code == as_json.exit_code
    assert ran.err.startswith("otabridge: ")
    assert says in ran.err
    assert says in ran.out.splitlines()[-1]
    assert (False, exit_code) == (as_json.json["accepted"], as_json.json["refusal"]["exit_code"])
    assert says in as_json.json["refusal"]["reason"]


def test_an_accepted_release_tells_everything(otabridge):
    """Who signed, what expires when, which artifacts were read: as JSON."""
    publishable()
    ran = otabridge("release", "verify", "rel", *DEVICE, "-o", "json")

    assert (ran.exit_code, ran.json["accepted"], ran.json["refusal"]) == (0, True, None)
    assert (ran.json["standing"]["threshold"], ran.json["standing"]["missing"], ran.json["root_version"]) == (2, 0, 1)
    assert [(each["name"], each["problem"]) for each in ran.json["artifacts"]] == [("rootfs.full", None)]


def test_artifacts_may_be_left_out(otabridge):
    """For an approver who holds release.json alone."""
    publishable()
    ARTIFACT.unlink()

    assert otabridge("release", "verify", FILE, "--no-artifacts").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("verify", "nowhere"), "release nowhere cannot be read: No such file or directory"),
        (("verify", "rel", "--trust", "nowhere"), "nowhere/1.root.json is missing"),
        (("verify", "rel", "--floor", "3"), "describe a device: give its --model too"),
        (("verify", "rel", "--at", "noon"), "--at 'noon': write"),
        (("show", "nowhere"), "release nowhere cannot be read"),
        (("sign", "rel", "--key", "nobody.pem"), "public key file nobody.pub.json cannot be read"),
        (("publish", "rel", "--fleet", "factory"), "otabridge.toml: "),
    ],
    ids=["no release", "no trust", "half a device", "no time", "nothing to show", "no key", "no configuration"],
)
def test_misuse_is_a_sentence(otabridge, arguments, says):
    """Exit code 2 and no traceback."""
    publishable()
    ran = otabridge("release", *arguments)

    assert (ran.exit_code, says in ran.err) == (2, True)


# --- publish ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def fleets(monkeypatch):
    """Two fleets of a configuration, in memory."""
    found = {name: FakeFleet(name, ()) for name in ("factory", "office")}
    monkeypatch.setattr("bridge.wiring.open_fleet", lambda _config, name: found[name])
    return found


@pytest.fixture
def published(otabridge, fleets):
    """`published()` runs the command for both fleets."""
    publishable()
    Path("otabridge.toml").write_text('[fleets.factory]\ncloud = "aws"\n[fleets.office]\ncloud = "azure"\n')
    assert fleets
    return lambda: otabridge("release", "publish", "rel", "--fleet", "factory", "--fleet", "office", "-o", "json")


def test_a_release_is_published_to_every_fleet(published, fleets):
    """And again, without sending anything twice."""
    for _ in range(2):
        ran = published()
        assert (ran.exit_code, ran.json) == (0, {"factory": "published", "office": "published"})
    assert [len(fleet.puts) for fleet in fleets.values()] == [1, 1]


def test_a_fleet_that_fails_is_named(published, fleets):
    """The other one has its artifact; the exit code says that not all is done."""
    fleets["factory"].hook = Refuse(("put_artifact",))
    ran = published()

    assert (ran.exit_code, ran.json) == (1, {"factory": "fleet factory: throttled", "office": "published"})


def test_an_unverifiable_release_is_never_published(published, fleets):
    """A byte of the artifact differs: no fleet hears of it."""
    flip(ARTIFACT, 100)
    ran = published()

    assert (ran.exit_code, fleets["factory"].puts) == (15, [])
