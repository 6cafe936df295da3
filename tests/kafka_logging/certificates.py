"""A certificate authority and a broker's certificate by it, as PEM files."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.x509.oid import NameOID


def write_authority(folder: Path) -> tuple[Path, x509.Certificate, RSAPrivateKey]:
    """``ca.pem``, and what signs with it."""
    key = generate_private_key(65537, 2048)
    certificate = _builder(key, "test authority", "test authority", authority=True).sign(key, hashes.SHA256())
    path = folder / "ca.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return path, certificate, key


def write_broker(folder: Path, authority: x509.Certificate, signer: RSAPrivateKey) -> Path:
    """``broker.pem``: the key and the certificate of 127.0.0.1."""
    key = generate_private_key(65537, 2048)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    issuer = authority.subject.rfc4514_string().removeprefix("CN=")
    certificate = _builder(key, "broker", issuer, authority=False).add_extension(names, critical=False)
    path = folder / "broker.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    )
    return path


def _builder(key: RSAPrivateKey, subject: str, issuer: str, *, authority: bool) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
