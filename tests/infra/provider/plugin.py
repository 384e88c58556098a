"""The process that Terraform starts: go-plugin's handshake, a certificate for this one run, and the service.

See go-plugin's docs/guide-plugin-write-non-go.md. Terraform asks for TLS and trusts exactly the certificate in the
handshake line. Its own is not asked for: whoever can reach the port finds schemas and invented values.
"""

from __future__ import annotations

import base64
import os
import sys
import threading
from concurrent import futures
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.infra.provider.document import read_document, read_knowledge
from tests.infra.provider.service import Provider, handler_of

COOKIE = ("TF_PLUGIN_MAGIC_COOKIE", "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2")
"""Not a secret: it tells a person who starts the program by hand that Terraform should."""
ADDRESS = "127.0.0.1:0"
LIFE = timedelta(days=1)
SKEW = timedelta(minutes=5)


def serve(schema: str, knowledge: str) -> None:
    """Serve the schemas in the file `schema`, with the rules in `knowledge`, until Terraform ends it."""
    name, value = COOKIE
    if os.environ.get(name) != value:
        sys.exit("This is a Terraform provider, which Terraform starts; there is nothing to see without it.")
    stop = threading.Event()
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    provider = Provider(read_document(Path(schema)).schemas, read_knowledge(Path(knowledge)), stop)
    server.add_generic_rpc_handlers((handler_of(provider), *_handlers_of_go_plugin(stop)))
    key, certificate = _certificate()
    credentials = grpc.ssl_server_credentials([(key, certificate.public_bytes(serialization.Encoding.PEM))])
    port = server.add_secure_port(ADDRESS, credentials)
    server.start()
    sys.stdout.write(_handshake(port, certificate))
    sys.stdout.flush()
    stop.wait()
    server.stop(grace=0.2).wait()


def _handshake(port: int, certificate: x509.Certificate) -> str:
    der = base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode().rstrip("=")
    return f"1|6|tcp|127.0.0.1:{port}|grpc|{der}\n"


def _handlers_of_go_plugin(stop: threading.Event) -> tuple[grpc.GenericRpcHandler, ...]:
    def shutdown(_request: bytes, _context: grpc.ServicerContext) -> bytes:
        stop.set()
        return b""

    def no_output(_request: bytes, _context: grpc.ServicerContext) -> tuple[bytes, ...]:
        return ()

    ending = {"Shutdown": grpc.unary_unary_rpc_method_handler(shutdown)}
    output = {"StreamStdio": grpc.unary_stream_rpc_method_handler(no_output)}
    return (
        grpc.method_handlers_generic_handler("plugin.GRPCController", ending),
        grpc.method_handlers_generic_handler("plugin.GRPCStdio", output),
    )


def _certificate() -> tuple[bytes, x509.Certificate]:
    """A new key, in PEM, and a certificate for it that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - SKEW, now + LIFE)
    for extension, critical in _extensions():
        builder = builder.add_extension(extension, critical)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return pem, builder.sign(key, hashes.SHA256())


def _extensions() -> tuple[tuple[x509.ExtensionType, bool], ...]:
    uses = dict.fromkeys(
        ("content_commitment", "data_encipherment", "crl_sign", "encipher_only", "decipher_only"), False
    ) | dict.fromkeys(("digital_signature", "key_encipherment", "key_agreement", "key_cert_sign"), True)
    return (
        (x509.BasicConstraints(ca=True, path_length=None), True),
        (x509.KeyUsage(**uses), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (x509.SubjectAlternativeName([x509.DNSName("localhost")]), False),
    )
