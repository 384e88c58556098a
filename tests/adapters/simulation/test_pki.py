"""The test CA signs certificates that TLS accepts on loopback."""

from __future__ import annotations

import ipaddress
import ssl

from cryptography import x509

from adapters.simulation.pki import CertificateAuthority


def test_a_device_certificate_carries_its_name_and_the_ca_signed_it(tmp_path):
    """The common name is the device's identity on both clouds."""
    authority = CertificateAuthority(tmp_path)
    pair = authority.device("pump-1")
    certificate = x509.load_pem_x509_certificate(pair.cert_file.read_bytes())
    issuer = x509.load_pem_x509_certificate(authority.ca_file.read_bytes())

    certificate.verify_directly_issued_by(issuer)
    assert certificate.subject.rfc4514_string() == "CN=pump-1"


def test_the_server_certificate_covers_loopback(tmp_path):
    """Names and addresses that SDKs connect to in tests."""
    pair = CertificateAuthority(tmp_path).server(names=("hub.example",), addresses=("127.0.0.9",))
    certificate = x509.load_pem_x509_certificate(pair.cert_file.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value

    assert {"localhost", "hub.example"} <= set(names.get_values_for_type(x509.DNSName))
    wanted = {ipaddress.ip_address(each) for each in ("127.0.0.1", "127.0.0.9", "::1")}
    assert wanted <= set(names.get_values_for_type(x509.IPAddress))


def test_a_key_belongs_to_its_certificate_and_to_its_owner_only(tmp_path):
    """OpenSSL loads the pair; others cannot read the key."""
    pair = CertificateAuthority(tmp_path).device("pump-1", "things/pump-1")

    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(pair.cert_file, pair.key_file)
    assert pair.key_file == tmp_path / "things" / "pump-1.key"
    assert pair.key_file.stat().st_mode & 0o077 == 0
