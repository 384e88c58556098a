"""A throw-away certificate authority: one CA, a loopback server certificate, device certificates."""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LOOPBACK_NAMES = ("localhost", "*.localhost")
_LOOPBACK_ADDRESSES = ("127.0.0.1", "127.0.0.2", "127.0.0.3", "::1")
_VALID = dt.timedelta(days=3650)
_PRIVATE = 0o600


@dataclass(frozen=True)
class KeyPair:
    """PEM files of one certificate and its PKCS#8 private key."""

    name: str
    cert_file: Path
    key_file: Path


class CertificateAuthority:
    """EC P-256 certificates, written as PEM files into one directory.

    The CA's own certificate is `ca.pem`. Its key stays in memory.
    """

    def __init__(self, directory: Path, name: str = "otabridge simulator CA") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.ca_file = directory / "ca.pem"
        self._name = _common_name(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._since = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
        _write_certificate(self.ca_file, self._sign_itself())

    def server(self, name: str = "server", names: tuple[str, ...] = (), addresses: tuple[str, ...] = ()) -> KeyPair:
        """A server certificate for loopback, plus further DNS names and IP addresses."""
        alternatives: list[x509.GeneralName] = [x509.DNSName(each) for each in (*_LOOPBACK_NAMES, *names)]
        alternatives += [x509.IPAddress(ipaddress.ip_address(each)) for each in (*_LOOPBACK_ADDRESSES, *addresses)]
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(_common_name("localhost"), key.public_key())
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False).add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        return self._issue(name, key, builder)

    def device(self, common_name: str, stem: str | None = None) -> KeyPair:
        """A client certificate in files `<stem>.pem` and `<stem>.key`, by default the common name.

        A stem may name a subdirectory, as in `devices/pump-1`.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(_common_name(common_name), key.public_key()).add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        return self._issue(stem or common_name, key, builder)

    def _issue(self, stem: str, key: ec.EllipticCurvePrivateKey, builder: x509.CertificateBuilder) -> KeyPair:
        pair = KeyPair(stem, self.directory / f"{stem}.pem", self.directory / f"{stem}.key")
        pair.cert_file.parent.mkdir(parents=True, exist_ok=True)
        _write_key(pair.key_file, key)
        _write_certificate(pair.cert_file, builder.sign(self._key, hashes.SHA256()))
        return pair

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *, authority: bool = False
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._since)
            .not_valid_after(self._since + _VALID)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
        )

    def _sign_itself(self) -> x509.Certificate:
        builder = self._builder(self._name, self._key.public_key(), authority=True)
        return builder.add_extension(_CA_USAGE, critical=True).sign(self._key, hashes.SHA256())


_CA_USAGE = x509.KeyUsage(
    digital_signature=True,
    key_cert_sign=True,
    crl_sign=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _write_certificate(path: Path, certificate: x509.Certificate) -> None:
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    path.touch(mode=_PRIVATE)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
