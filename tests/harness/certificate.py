"""A self-signed certificate, for the servers that speak TLS in a test."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.harness.services import missing


@dataclass(frozen=True)
class Certificate:
    """Two PEM files: the certificate, which a client has to trust, and its key."""

    path: Path
    key: Path


def self_signed(folder: Path, names: str = "IP:127.0.0.1,DNS:localhost") -> Certificate:
    """Create a certificate for `names` (as OpenSSL writes a subjectAltName), valid for two days."""
    openssl = shutil.which("openssl")
    if openssl is None:
        raise missing("openssl is not installed")
    made = Certificate(folder / "cert.pem", folder / "key.pem")
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test",
         "-addext", f"subjectAltName={names}", "-keyout", made.key, "-out", made.path],
        check=True, capture_output=True,
    )  # fmt: skip
    return made
