"""Root keys: which packages a device takes, and what they change."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.azure.formats.root_keys import (
    MAX_PACKAGE_BYTES,
    KeyStore,
    RolledBackRootKeys,
    UntrustedRootKeys,
    accept_package,
    parse_root_keys,
    signing_key_hash,
)
from adapters.azure.formats.signature import SignatureFault, SignatureRefused, verify
from bridge.release.errors import FailureCode, ReleaseError
from tests.adapters.azure.formats import jws
from tests.adapters.azure.formats.hostile import spoilt, values
from tests.adapters.azure.formats.published import PRODUCTION_SIGNER_HASH, deployment, needs_samples, production_roots

PINNED = {name: jws.root(name) for name in ("root-1", "root-2")}
FRESH = KeyStore(PINNED)


def accept(part, signers=None, *, current=FRESH, escaped=False, allow_test=False):
    """A package with `part`, signed by all its keys unless others are given."""
    return accept_package(jws.package(part, signers, escaped=escaped), PINNED, current, allow_test=allow_test)


@needs_samples
def test_microsofts_roots_parse():
    """Four keys of 3072 bits, whose modulus begins with a zero octet."""
    keys = parse_root_keys(json.dumps(production_roots()).encode())

    assert set(keys) == {"ADU.200702.R", "ADU.200703.R", "ADU.200702.R.T", "ADU.200703.R.T"}
    assert {(key.n.bit_length(), key.e) for key in keys.values()} == {(3072, 65537)}


def test_the_leading_zero_octet_changes_nothing():
    """With it and without it the key is the same."""
    texts = [json.dumps({"root-1": jws.entry("root-1", zero=zero)}).encode() for zero in (b"", b"\0")]

    assert [parse_root_keys(text) for text in texts] == [{"root-1": jws.root("root-1")}] * 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "not JSON in UTF-8"),
        (b"\xff", "not JSON in UTF-8"),
        (b"[" * 60_000, "not JSON in UTF-8"),
        (b'{"a": NaN}', "NaN is no number of JSON"),
        (b'{"a": 1, "a": 2}', "a member is named twice"),
        (b" " * (MAX_PACKAGE_BYTES + 1), "the limit is 65536"),
        (b"{}", "the file names none"),
        (b"[]", "Expected `object`"),
        (json.dumps({"r": {**jws.entry("root-1"), "keyType": "EC"}}).encode(), "keyType"),
        (json.dumps({"r": {**jws.entry("root-1"), "e": 3}}).encode(), "root keys: r: an RSA key of 2048 bits with"),
        (json.dumps({"r": {**jws.entry("root-1"), "n": "AQAB"}}).encode(), "a modulus of 17 bits"),
        (json.dumps({"r": {**jws.entry("root-1"), "n": "A"}}).encode(), "no base64url"),
        (json.dumps({"r": {**jws.entry("root-1"), "n": "A" * 9000}}).encode(), "length <="),
        (json.dumps({"r": jws.entry("root-1", zero=b"\0\0")}).encode(), "root keys: r: a modulus of 2048 bits"),
        (json.dumps({"r\n": jws.entry("root-1")}).encode(), "root keys: "),
    ],
)
def test_what_is_no_file_of_roots_is_refused(text, said):
    """In words that name the key and what is wrong."""
    with pytest.raises(UntrustedRootKeys, match=re.escape(said)) as caught:
        parse_root_keys(text)
    assert caught.value.code is FailureCode.UNTRUSTED_ROOT


def test_a_package_adds_a_root():
    """What the new root signs verifies from then on; what it signed before did not."""
    manifest = "{}"
    signed = jws.signature(manifest, jws.sjwk({"alg": "RS256", "kid": "root-3"}, by="root-3"))
    store = accept(jws.protected("root-1", "root-2", "root-3"))

    verify(manifest, signed, store)
    assert store.version == 2
    with pytest.raises(SignatureRefused):
        verify(manifest, signed, FRESH)


def test_a_package_disables_keys():
    """A root by its id; a signing key by its hash."""
    manifest, digest = "{}", signing_key_hash(jws.root("signer-1").n, 65537)
    no_signer = accept(jws.protected(disabledSigningKeys=[{"alg": "SHA256", "hash": digest}]))
    no_root = accept(jws.protected(disabledRootKeys=["root-1"]))

    for store, fault in [(no_signer, SignatureFault.SIGNING_KEY_DISABLED), (no_root, SignatureFault.ROOT_DISABLED)]:
        with pytest.raises(SignatureRefused) as caught:
            verify(manifest, jws.signature(manifest), store)
        assert caught.value.fault is fault


@needs_samples
def test_the_hash_of_a_signing_key_is_the_one_that_microsoft_publishes():
    """SHA-256 of PKCS#1, not of SubjectPublicKeyInfo."""
    header = deployment()["updateManifestSignature"].partition(".")[0]
    sjwk = json.loads(jws.base64.urlsafe_b64decode(header + "=="))["sjwk"]
    jwk = json.loads(jws.base64.urlsafe_b64decode(sjwk.split(".")[1] + "=="))

    n = int.from_bytes(jws.base64.b64decode(jwk["n"] + "=="), "big")

    assert jwk["kid"] == "ADU.210609.R.S"
    assert signing_key_hash(n, 65537) == PRODUCTION_SIGNER_HASH


def test_the_same_package_again_changes_nothing():
    """Equal to the store that it made, so that a channel can tell it is unchanged; with other spaces too."""
    part = jws.protected()
    store = accept(part)

    assert accept(part, current=store) == store
    assert accept_package(jws.package(part).replace(b"\n", b" "), PINNED, store) == store


@pytest.mark.parametrize("escaped", [False, True])
def test_both_ways_to_write_a_slash_verify(escaped):
    """Upstream's writer escapes it in the bytes that are signed, others do not."""
    part = jws.protected(publisher="https://example.com/keys")

    assert accept(part, escaped=escaped) == accept(part)


def test_signatures_stand_in_the_order_of_the_keys():
    """The second signature is the second key's, whatever the pinned file's order."""
    part = jws.protected("root-2", "root-1")

    assert accept(part).version == 2
    with pytest.raises(UntrustedRootKeys, match="the signature of the pinned root root-1 is wrong"):
        accept(part, ("root-1", "root-2"))


@pytest.mark.parametrize(
    ("part", "signers", "said"),
    [
        (jws.protected(), ("root-1",), "1 signatures for 2 root keys"),
        (jws.protected(), (), "0 signatures for 2 root keys"),
        (jws.protected(), ("root-1", "root-2", "root-1"), "3 signatures for 2 root keys"),
        (jws.protected(), ("root-1", "thief"), "the signature of the pinned root root-2 is wrong"),
        (jws.protected("root-1", "thief"), None, "the pinned root root-2 is not in it"),
        (jws.protected("thief"), None, "the pinned root root-1 is not in it"),
        (jws.protected(isTest=True), None, "it is for tests (isTest)"),
        (jws.protected(disabledSigningKeys=[{"alg": "MD5", "hash": "AAAA"}]), None, "alg"),
        (jws.protected(disabledSigningKeys=[{"alg": "SHA256", "hash": "AAAA"}]), None, "AAAA is no SHA-256"),
        (jws.protected(disabledSigningKeys=[{"alg": "SHA256", "hash": "?"}]), None, "disabledSigningKeys"),
        (jws.protected(version=-1), None, ">= 0"),
        (jws.protected(disabledRootKeys=["r"] * 257), None, "length <= 256"),
    ],
)
def test_a_package_that_the_pinned_roots_do_not_vouch_for_is_refused(part, signers, said):
    """Each of them must have signed, in its place."""
    with pytest.raises(UntrustedRootKeys, match=re.escape(said)) as caught:
        accept(part, signers)
    assert caught.value.code is FailureCode.UNTRUSTED_ROOT
    assert str(caught.value).startswith("root key package: ")


def test_a_root_cannot_be_replaced_under_its_own_name():
    """The pinned key counts, also where the package names another one by the same id and that one has signed."""
    part = jws.protected()
    part["rootKeys"]["root-2"] = jws.entry("thief")

    with pytest.raises(UntrustedRootKeys, match="root-2 is wrong"):
        accept(part, ("root-1", "thief"))
    assert accept(part).roots["root-2"] == PINNED["root-2"]


def test_without_pinned_roots_nothing_is_taken():
    """Nobody could vouch for it."""
    with pytest.raises(UntrustedRootKeys, match="no root is pinned"):
        accept_package(jws.package(jws.protected()), {}, KeyStore({}))


def test_every_change_of_a_package_is_refused():
    """One bit of each character that means something: it does not parse, or is not what was signed."""
    part, untouched = jws.protected("root-1"), jws.package(jws.protected("root-1"))
    pinned = {"root-1": PINNED["root-1"]}
    good = accept_package(untouched, pinned, KeyStore(pinned))
    text = json.dumps(json.loads(untouched), separators=(",", ":")).encode()
    survivors = []
    for at in range(len(text)):
        changed = text[:at] + bytes([text[at] ^ 1]) + text[at + 1 :]
        try:
            survivors.append((at, accept_package(changed, pinned, KeyStore(pinned))))
        except UntrustedRootKeys:
            continue

    assert good.version == part["version"]
    assert survivors == []


def test_versions_never_go_back():
    """An older package is refused though its signatures are good; upstream's agent would take it."""
    store = accept(jws.protected(version=3))

    with pytest.raises(RolledBackRootKeys, match="version 2; this device has 3"):
        accept(jws.protected(version=2), current=store)
    assert accept(jws.protected(version=4), current=store).version == 4


def test_a_version_has_one_content():
    """Another package of the same version is refused."""
    store = accept(jws.protected(version=3))

    with pytest.raises(RolledBackRootKeys, match="version 3 with other content"):
        accept(jws.protected(version=3, disabledRootKeys=["root-1"]), current=store)


def test_version_zero_counts_as_a_version():
    """Nothing accepted before differs from a package of version 0 accepted before."""
    store = accept(jws.protected(version=0))

    with pytest.raises(RolledBackRootKeys):
        accept(jws.protected(version=0, published=1), current=store)


def test_packages_for_tests_are_taken_where_allowed():
    """For a device with test roots."""
    assert accept(jws.protected(isTest=True), allow_test=True).version == 2
    assert accept(jws.protected(isTest=False)).version == 2


@settings(deadline=None)
@given(st.binary(max_size=60) | values.map(lambda value: json.dumps(value).encode()))
def test_no_bytes_make_an_error_of_another_kind(text):
    """Refused, whatever they are."""
    for act in (parse_root_keys, lambda data: accept_package(data, PINNED, FRESH)):
        with pytest.raises(ReleaseError):
            act(text)


@settings(deadline=None, max_examples=200)
@given(spoilt(json.loads(jws.package(jws.protected()))))
def test_a_spoilt_package_is_refused_or_the_same(value):
    """One value anywhere replaced or taken out: nothing of it is ever trusted."""
    try:
        store = accept_package(json.dumps(value).encode(), PINNED, FRESH)
    except ReleaseError:
        return
    assert store == accept(jws.protected())


@settings(deadline=None)
@given(spoilt({"root-1": jws.entry("root-1")}))
def test_a_spoilt_file_of_roots_is_refused(value):
    """Or holds that very root, under whatever name."""
    try:
        keys = parse_root_keys(json.dumps(value).encode())
    except ReleaseError:
        return
    assert {dataclasses.replace(key, kid="root-1") for key in keys.values()} == {PINNED["root-1"]}
