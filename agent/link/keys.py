"""The host's own key, and the control plane's keys that it trusts."""

from __future__ import annotations

import binascii
from collections.abc import Mapping

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from agent.link.settings import LinkSettings, write_private
from agent.protocol.versions import key_id


class HostKey:
    """The Ed25519 key that proves who this host is."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @property
    def public(self) -> bytes:
        """The raw public key, 32 bytes."""
        return self._key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


def load_or_make(settings: LinkSettings) -> HostKey:
    """Read the host's key; make it, 0600, if there is none."""
    path = settings.key_file
    if path.exists():
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError(f"{path} is not an Ed25519 key")
        return HostKey(key)
    key = Ed25519PrivateKey.generate()
    write_private(
        path,
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
    return HostKey(key)


class Trusted:
    """The control plane's public keys, by the SHA-256 that names each."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        self._keys: dict[str, Ed25519PublicKey] = {}
        for kid, value in keys.items():
            raw = binascii.unhexlify(value)
            if key_id(raw) != kid:
                raise ValueError(f"the key named {kid} has another digest")
            self._keys[kid] = Ed25519PublicKey.from_public_bytes(raw)

    def verify(self, kid: str, sig: bytes, message: bytes) -> bool:
        """Whether the trusted key of that name signed the message."""
        key = self._keys.get(kid)
        return key is not None and _holds(key, sig, message)

    def any(self, sig: bytes, message: bytes) -> bool:
        """Whether some trusted key signed the message."""
        return any(_holds(key, sig, message) for key in self._keys.values())


def _holds(key: Ed25519PublicKey, sig: bytes, message: bytes) -> bool:
    try:
        key.verify(sig, message)
    except InvalidSignature:
        return False
    return True


def spki_of(certificate: bytes) -> str:
    """SHA-256 of the public key in a DER certificate, hexadecimal."""
    public = x509.load_der_x509_certificate(certificate).public_key()
    digest = hashes.Hash(hashes.SHA256())
    digest.update(public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))
    return digest.finalize().hex()
