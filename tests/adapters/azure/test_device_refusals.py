"""Goals of every form: those that are none of ours, and those that are in an unusual way."""

from __future__ import annotations

import pytest
from werkzeug.wrappers import Response

from bridge.release.report import Outcome, Report

WAIT = 30.0
DEVICE = "device-1"
STAGE = "ob-spring-1"
INSTALLED = Report(Outcome.INSTALLED, "b", "2.0.0")


def other_manifest(text):
    """Not what was signed, though it means the same."""
    return text.replace("{", "{ ", 1)


def without_release(manifest):
    """Our handler, without its metadata."""
    step = manifest["instructions"]["steps"][0]
    step["files"] = [each for each in step["files"] if manifest["files"][each]["fileName"] != "release.json"]
    return manifest


def another_release(deployer):
    """The content server has another file than the one whose hash is signed."""
    deployer.stored["/release.json"] = deployer.stored["/release.json"].replace(b"2", b"3", 1)


def no_release(deployer):
    """The content server has none at all."""
    del deployer.stored["/release.json"]


def other_keys(deployer):
    """A root key package that nobody vouches for."""
    deployer.stored["/package.json"] = b"{}"


def disabled_key(deployer):
    """The newest root key package disables the key that signed."""
    deployer.root_key_package(disabled=True, version=2)


NOTHING_ODD = {}
REFUSALS = [
    ("foreign", {"handler": "microsoft/apt:1"}, None, "3200006B", "rejected", "needs microsoft/apt:1, expected"),
    ("later", {"handler": "otabridge/release:2"}, None, "3200006B", "rejected", "update the agent"),
    ("malformed", {"mutate": without_release}, None, "32000064", "rejected", "release.json is not among the files"),
    ("tampered", {"tamper": other_manifest}, None, "80300001", "rejected", "signature of the update manifest"),
    ("altered", NOTHING_ODD, another_release, "32000069", "rejected", "is not the file whose hash is signed"),
    ("absent", NOTHING_ODD, no_release, "320000C9", "failed", "the server answered 404"),
    ("strange keys", NOTHING_ODD, other_keys, "3200006A", "rejected", "root key package"),
    ("disabled key", NOTHING_ODD, disabled_key, "A0000005", "rejected", "signature of the update manifest"),
    ("altered detached", {"detached": True}, None, "32000069", "rejected", "is not the file whose hash is signed"),
]


@pytest.mark.parametrize(
    ("odd", "change", "code", "word", "detail"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS]
)
def test_what_is_no_offer_is_reported_once(
    *, channel, opened, deployer, package, history, odd, change, code, word, detail
):
    """The agent never sees it; whoever deployed it reads why, and a restart does not say it again."""
    workflow = deployer.deploy(package, stage=STAGE, **odd)
    if "detached" in odd:
        deployer.stored["/whole.updatemanifest.json"] += b" "
        deployer.stored["/whole.updatemanifest.json"] = deployer.stored["/whole.updatemanifest.json"][1:]
    if change:
        change(deployer)

    assert channel.next_offer(0.1) is None
    restarted = opened()
    assert restarted.next_offer(0.1) is None

    assert deployer.result == (255, 0, code, workflow)
    assert detail in deployer.agent["lastInstallResult"]["resultDetails"]
    assert deployer.reported["otabridge"]["standing"] == f"{STAGE}/{word}"
    assert deployer.acknowledged
    assert history.states == [(255, workflow)]


def test_an_unsigned_deployment_is_refused(channel, deployer, package):
    """A signature that is none at all."""
    workflow = deployer.deploy(package)
    deployer.write({"deviceUpdate": {"service": {"updateManifestSignature": "a.b.c"}}})

    assert channel.next_offer(0.1) is None

    state, _, code, echoed = deployer.result
    assert (state, code[:5], echoed) == (255, "A0200", workflow)


def test_a_goal_without_a_manifest_is_refused(channel, deployer, package):
    """Malformed, but its workflow can be answered."""
    workflow = deployer.deploy(package)
    deployer.write({"deviceUpdate": {"service": {"updateManifest": None}}})

    assert channel.next_offer(0.1) is None

    assert deployer.result == (255, 0, "32000064", workflow)
    assert deployer.acknowledged


def test_a_goal_that_makes_no_sense_is_passed_over(channel, deployer, package, caplog):
    """Nothing in it could be answered; a later goal is taken up as usual."""
    deployer.write({"deviceUpdate": {"__t": "c", "service": {"workflow": {"action": 1, "id": "x"}}}})
    assert channel.next_offer(0.1) is None
    assert "workflow.action" in caplog.text

    workflow = deployer.deploy(package)

    assert channel.next_offer(WAIT).id == workflow


def test_a_detached_manifest_is_fetched(channel, deployer, package):
    """The twin holds the short form, whose one file is the whole."""
    deployer.deploy(package, detached=True)

    offer = channel.next_offer(WAIT)
    channel.conclude(offer.id, INSTALLED)

    assert offer.release == package.document
    assert deployer.agent["installedUpdateId"] == '{"provider":"acme","name":"gateway-os","version":"2.0.0"}'


def test_a_goal_without_a_root_key_package_is_followed(channel, deployer, package):
    """Services of other contract models name none."""
    deployer.deploy(package, package_url=False)

    assert channel.next_offer(WAIT).release == package.document


def test_a_known_root_key_package_is_said_to_be_known(channel, opened, deployer, package, kit):
    """The second deployment names the package of the first, which was kept over a restart."""
    deployer.deploy(package)
    channel.conclude(channel.next_offer(WAIT).id, INSTALLED)

    restarted = opened()
    workflow = deployer.deploy(kit.package(b"next", version="2.1.0"))
    restarted.conclude(restarted.next_offer(WAIT).id, INSTALLED)

    assert deployer.result == (0, 700, "00000000,A0000FFF", workflow)


def test_a_disabled_key_stays_disabled_over_a_restart(channel, opened, deployer, package, kit):
    """Also where a later goal names no package, or an older one."""
    deployer.deploy(package)
    disabled_key(deployer)
    assert channel.next_offer(0.1) is None

    restarted = opened()
    deployer.deploy(kit.package(b"next", version="2.1.0"), package_url=False)
    assert restarted.next_offer(0.1) is None
    assert deployer.result[2] == "A0000005"
    deployer.deploy(kit.package(b"next", version="2.1.1"))
    assert restarted.next_offer(0.1) is None

    assert deployer.result[2] == "3200006A"
    assert "version 1; this device has 2" in deployer.agent["lastInstallResult"]["resultDetails"]


def test_root_keys_that_cannot_be_kept_fail_the_deployment(opened, deployer, package, tmp_path):
    """Trusting keys until the next restart only would bring disabled ones back; the message names the file."""
    channel = opened(root_key_package_file=str(tmp_path / "absent" / "package.json"))
    workflow = deployer.deploy(package, stage=STAGE)

    assert channel.next_offer(0.1) is None

    assert deployer.result == (255, 0, "320001F5", workflow)
    assert "absent/package.json cannot be written: No such file" in deployer.agent["lastInstallResult"]["resultDetails"]
    assert deployer.reported["otabridge"]["standing"] == f"{STAGE}/failed"


@pytest.mark.parametrize("torn", [b"", b"\x00" * 700, b'{"protected": {"version": 9'])
def test_a_torn_root_key_package_is_replaced(opened, deployer, package, tmp_path, torn):
    """The next one that the pinned roots vouch for takes its place."""
    (tmp_path / "package.json").write_bytes(torn)
    deployer.deploy(package)

    assert opened().next_offer(WAIT).release == package.document

    assert (tmp_path / "package.json").read_bytes() == deployer.stored["/package.json"]


MALICE = ["http://127.0.0.1:99999/x", "http://[", "http://a:b/", "//["]


@pytest.mark.parametrize("url", MALICE)
def test_a_url_that_is_none_is_an_answer_and_no_crash(channel, deployer, package, url):
    """Else the agent would die of its twin at every start."""
    workflow = deployer.deploy(package)
    deployer.write({"deviceUpdate": {"service": {"rootKeyPackageUrl": url}}})

    assert channel.next_offer(0.1) is None

    assert deployer.result == (255, 0, "320000C9", workflow)


def test_files_that_are_away_for_a_while_are_waited_for(channel, deployer, package):
    """Nothing is reported until it is known what the deployment is."""
    deployer.planned["/release.json"] = [Response("busy", 503), Response("busy", 503)]
    workflow = deployer.deploy(package)

    assert channel.next_offer(WAIT).id == workflow


def test_a_renewed_offer_has_the_urls_of_now_and_costs_no_download(channel, deployer, package):
    """The service may write others at any time."""
    deployer.deploy(package)
    offer = channel.next_offer(WAIT)
    fetched = len(deployer.asked)
    service = deployer.hub.desired(DEVICE)["deviceUpdate"]["service"]
    moved = {name: f"{url}?moved" for name, url in service["fileUrls"].items()}
    deployer.write({"deviceUpdate": {"service": {"fileUrls": moved}}})

    renewed = channel.renew(offer.id)

    assert renewed.release == offer.release
    assert renewed.urls[package.artifact.name] == f"{offer.urls[package.artifact.name]}?moved"
    assert len(deployer.asked) == fetched
