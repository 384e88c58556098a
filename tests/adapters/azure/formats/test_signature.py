"""The signature of an update manifest: one chain verifies, and nothing near it does."""

from __future__ import annotations

import base64
import dataclasses
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.azure.formats.root_keys import KeyStore, RootKey, UntrustedRootKeys, parse_root_keys
from adapters.azure.formats.signature import MAX_SIGNATURE, SignatureFault, SignatureRefused, verify
from bridge.release.errors import FailureCode
from tests.adapters.azure.formats import jws
from tests.adapters.azure.formats.hostile import values
from tests.adapters.azure.formats.published import (
    PRODUCTION_ROOT,
    PRODUCTION_SIGNER_HASH,
    deployment,
    needs_samples,
    production_roots,
)

MANIFEST = '{"manifestVersion":"5","note":"Gr\u00fc\u00dfe"}'
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@pytest.fixture(scope="module")
def production():
    """A device with Microsoft's roots."""
    return KeyStore(parse_root_keys(json.dumps(production_roots()).encode()))


def accepts(manifest: str, signature: str, keys: KeyStore) -> bool:
    """Whether it verifies; any error but a refusal is one of the test."""
    try:
        verify(manifest, signature, keys)
    except SignatureRefused:
        return False
    return True


def neighbour(char: str) -> str:
    """Another letter of base64url: the last of its six bits is turned, so that a spare bit is too."""
    return ALPHABET[ALPHABET.index(char) ^ 1] if char in ALPHABET else "A"


def changed(text: str, at: int, char: str) -> str:
    """`text` with one other character."""
    return text[:at] + char + text[at + 1 :]


@needs_samples
def test_what_microsoft_signed_verifies_with_microsofts_roots(production):
    """A deployment as the service sent it, with the keys of production."""
    service = deployment()

    verify(service["updateManifest"], service["updateManifestSignature"], production)


@needs_samples
def test_every_change_of_the_manifest_is_refused(production):
    """One bit of each of its bytes."""
    manifest, signature = deployment()["updateManifest"], deployment()["updateManifestSignature"]

    flipped = (changed(manifest, at, chr(ord(manifest[at]) ^ 1)) for at in range(len(manifest)))

    assert not [text for text in flipped if accepts(text, signature, production)]
    assert not accepts(manifest + " ", signature, production)
    assert not accepts(json.dumps(json.loads(manifest)), signature, production)


@needs_samples
def test_every_change_of_the_signature_is_refused(production):
    """One bit behind each of its characters, also where base64 has bits to spare."""
    manifest, signature = deployment()["updateManifest"], deployment()["updateManifestSignature"]

    flipped = (changed(signature, at, neighbour(signature[at])) for at in range(len(signature)))

    assert not [text for text in flipped if accepts(manifest, text, production)]


@needs_samples
def test_every_change_of_the_root_key_is_refused(production):
    """One bit of each octet of modulus and exponent: the key that verifies is that key."""
    manifest, signature = deployment()["updateManifest"], deployment()["updateManifestSignature"]
    root = production.roots[PRODUCTION_ROOT]
    others = [dataclasses.replace(root, n=root.n ^ 1 << bit) for bit in range(0, root.n.bit_length() + 8, 8)]
    others += [dataclasses.replace(root, e=root.e ^ 1 << bit) for bit in range(24)]

    assert accepts(manifest, signature, KeyStore({PRODUCTION_ROOT: root}))
    assert not [key for key in others if accepts(manifest, signature, KeyStore({PRODUCTION_ROOT: key}))]


@needs_samples
def test_every_change_of_the_pinned_file_is_refused():
    """Of each character of the root in it: the file does not parse, or holds another root."""
    manifest, signature = deployment()["updateManifest"], deployment()["updateManifestSignature"]
    text = json.dumps({PRODUCTION_ROOT: production_roots()[PRODUCTION_ROOT]})
    meaning = [match.start() for match in re.finditer(r"[A-Za-z0-9_.-]", text)]
    survivors = []
    for at in meaning:
        try:
            keys = parse_root_keys(changed(text, at, neighbour(text[at])).encode())
        except UntrustedRootKeys:
            continue
        if accepts(manifest, signature, KeyStore(keys)):
            survivors.append(at)

    assert survivors == []


@needs_samples
def test_the_other_production_root_does_not_vouch_for_it(production):
    """The key id picks one root; a root under a false name is none."""
    manifest, signature = deployment()["updateManifest"], deployment()["updateManifestSignature"]
    other = dataclasses.replace(production.roots["ADU.200703.R"], kid=PRODUCTION_ROOT)

    with pytest.raises(SignatureRefused, match=r"not signed by the root ADU\.200702\.R") as caught:
        verify(manifest, signature, KeyStore({PRODUCTION_ROOT: other}))
    assert caught.value.fault is SignatureFault.SIGNATURE


@needs_samples
@pytest.mark.parametrize(
    ("taken_away", "fault", "said"),
    [
        ({"disabled_roots": frozenset({PRODUCTION_ROOT})}, SignatureFault.ROOT_DISABLED, "ADU.200702.R has been"),
        (
            {"disabled_signing_keys": frozenset({PRODUCTION_SIGNER_HASH})},
            SignatureFault.SIGNING_KEY_DISABLED,
            "ADU.210609.R.S has been disabled",
        ),
        ({"roots": {}}, SignatureFault.ROOT_UNKNOWN, "this device knows none"),
    ],
)
def test_what_microsoft_disables_stops_verifying(production, taken_away, fault, said):
    """A root by its id, a signing key by the hash that Microsoft's package lists it under."""
    service = deployment()

    with pytest.raises(SignatureRefused, match=re.escape(said)) as caught:
        verify(
            service["updateManifest"], service["updateManifestSignature"], dataclasses.replace(production, **taken_away)
        )
    assert (caught.value.fault, caught.value.code) == (fault, FailureCode.UNSIGNED)


def test_our_own_chain_verifies():
    """Made by another program's reading of the format: with standard base64 or base64url for the key's numbers."""
    url = {**jws.jwk(), "n": jws.url64(jws.octets("signer-1"))}

    verify(MANIFEST, jws.signature(MANIFEST), jws.store())
    verify(MANIFEST, jws.signature(MANIFEST, jws.sjwk(payload=url)), jws.store())
    verify(MANIFEST, jws.signature(MANIFEST, header={"alg": "rs256", "sjwk": jws.sjwk()}), jws.store())


CASES = {
    "another manifest": (lambda: jws.signature(MANIFEST + " "), SignatureFault.OTHER_MANIFEST, "another manifest"),
    "two parts": (lambda: jws.signature(MANIFEST).rpartition(".")[0], SignatureFault.STRUCTURE, "no JWS"),
    "padding": (lambda: jws.signature(MANIFEST) + "=", SignatureFault.STRUCTURE, "base64url"),
    "too long": (lambda: "A" * (MAX_SIGNATURE + 1), SignatureFault.STRUCTURE, "characters that are no JWS"),
    "no letters of base64": (lambda: "\u00e4.b.c", SignatureFault.STRUCTURE, "no JWS"),
    "header is no JSON": (lambda: "AAAA.AAAA.AAAA", SignatureFault.HEADER, "header of the JWS"),
    "no sjwk": (lambda: jws.signature(MANIFEST, header={"alg": "RS256"}), SignatureFault.HEADER, "sjwk"),
    "a key in the header": (
        lambda: jws.signature(MANIFEST, header={"alg": "RS256", "jwk": jws.jwk("thief")}, by="thief"),
        SignatureFault.HEADER,
        "sjwk",
    ),
    "alg none": (
        lambda: jws.signature(MANIFEST, header={"alg": "none", "sjwk": jws.sjwk()}),
        SignatureFault.ALGORITHM,
        "made with 'none'",
    ),
    "alg none inside": (
        lambda: jws.signature(MANIFEST, jws.sjwk({"alg": "HS256", "kid": "root-1"})),
        SignatureFault.ALGORITHM,
        "made with 'HS256'",
    ),
    "sjwk is no JWS": (lambda: jws.signature(MANIFEST, "x"), SignatureFault.SIGNING_KEY, "no JWS"),
    "no kid": (lambda: jws.signature(MANIFEST, jws.sjwk({"alg": "RS256"})), SignatureFault.ROOT_MISSING, "no root"),
    "unknown kid": (
        lambda: jws.signature(MANIFEST, jws.sjwk({"alg": "RS256", "kid": "root-9"}, by="root-9")),
        SignatureFault.ROOT_UNKNOWN,
        "its root is root-9; this device knows root-1",
    ),
    "signing key of a thief": (
        lambda: jws.signature(MANIFEST, jws.sjwk(payload=jws.jwk("thief"), by="thief"), by="thief"),
        SignatureFault.SIGNATURE,
        "not signed by the root root-1",
    ),
    "manifest signed by a thief": (
        lambda: jws.signature(MANIFEST, by="thief"),
        SignatureFault.SIGNATURE,
        "not made by the signing key signer-1",
    ),
    "signed by the root itself": (
        lambda: jws.signature(MANIFEST, by="root-1"),
        SignatureFault.SIGNATURE,
        "not made by the signing key signer-1",
    ),
    "no RSA key": (
        lambda: jws.signature(MANIFEST, jws.sjwk(payload={**jws.jwk(), "kty": "oct"})),
        SignatureFault.SIGNING_KEY,
        "kty",
    ),
    "exponent one": (
        lambda: jws.signature(MANIFEST, jws.sjwk(payload={**jws.jwk(), "e": "AQ=="})),
        SignatureFault.SIGNING_KEY,
        "exponent 1",
    ),
    "short key": (
        lambda: jws.signature(MANIFEST, jws.sjwk(payload={**jws.jwk(), "n": base64.b64encode(b"\xff" * 128).decode()})),
        SignatureFault.SIGNING_KEY,
        "1024 bits",
    ),
    "no hash": (
        lambda: jws.compact("signer-1", {"alg": "RS256", "sjwk": jws.sjwk()}, {}),
        SignatureFault.STRUCTURE,
        "sha256",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_refusal_names_its_fault(case):
    """By the numbers of Microsoft's agent, and in words."""
    make, fault, said = CASES[case]

    with pytest.raises(SignatureRefused, match=re.escape(said)) as caught:
        verify(MANIFEST, make(), jws.store())
    assert caught.value.fault is fault
    assert str(caught.value).startswith("signature of the update manifest: ")


def test_text_that_no_utf8_can_write_is_refused():
    """A twin may hold half of a surrogate pair; nobody can have signed it."""
    with pytest.raises(SignatureRefused):
        verify(MANIFEST + "\ud800", jws.signature(MANIFEST), jws.store())
    with pytest.raises(SignatureRefused):
        verify(MANIFEST, "\ud800.\ud800.\ud800", jws.store())


@settings(deadline=None)
@given(st.text() | st.from_regex(r"\A[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}\Z"))
def test_no_text_is_a_signature(text):
    """Whatever it is, it is refused, and nothing else happens."""
    assert not accepts(MANIFEST, text, jws.store())


@settings(deadline=None)
@given(values, values, values)
def test_no_json_in_its_parts_is_a_signature(header, payload, key):
    """Signed properly, but not what a header, a payload or a key is."""
    made = jws.compact("signer-1", header, payload)
    inner = jws.compact("root-1", {"alg": "RS256", "kid": "root-1"}, key)

    assert not accepts(MANIFEST, made, jws.store())
    assert not accepts(MANIFEST, jws.signature(MANIFEST, inner), jws.store())


def test_a_root_that_is_no_key_verifies_nothing():
    """Even where somebody has built the store by hand."""
    assert not accepts(MANIFEST, jws.signature(MANIFEST), KeyStore({"root-1": RootKey("root-1", 0, 0)}))
