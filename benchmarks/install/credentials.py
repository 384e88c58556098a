"""A certificate and keys for the tools that verify signatures, made once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.install.payload import made
from benchmarks.install.programs import run

RSA_BITS = "2048"
DAYS = "3650"


@dataclass(frozen=True, slots=True)
class Credentials:
    """PEM files: a self-signed certificate and its key for CMS, an RSA pair for bare signatures."""

    certificate: Path
    key: Path
    rsa_private: Path
    rsa_public: Path


def credentials_in(folder: Path) -> Credentials:
    """Raises: Unavailable without openssl."""
    keys = made(folder / "credentials", _make)
    return Credentials(keys / "cert.pem", keys / "key.pem", keys / "rsa.pem", keys / "rsa.pub.pem")


def _make(folder: Path) -> None:
    folder.mkdir()
    subject = ["-subj", "/CN=bench", "-days", DAYS]
    new = ["-newkey", f"rsa:{RSA_BITS}", "-nodes", "-keyout", "key.pem", "-out", "cert.pem"]
    run(["openssl", "req", "-x509", *new, *subject], folder=folder)
    run(["openssl", "genrsa", "-traditional", "-out", "rsa.pem", RSA_BITS], folder=folder)
    run(["openssl", "rsa", "-in", "rsa.pem", "-pubout", "-out", "rsa.pub.pem"], folder=folder)
