"""A terminal's vault as the city wants it used: key versions that are out of use are not tried."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509

    from keys.vault import CardKey, KeyInfo, Role, Vault
    from terminals.bundles.rules import Rules


class InUse:
    """Implements `keys.vault.Vault` over another one."""

    def __init__(self, vault: Vault, rules: Rules) -> None:
        self._vault = vault
        self._rules = rules

    def versions(self, role: Role) -> list[int]:
        """The versions held and in use, newest first."""
        return self._rules.key_versions(role, self._vault.versions(role))

    def current(self, role: Role) -> int:
        """The version for new cards; raises KeyMissing."""
        return self._vault.current(role)

    def card_key(self, role: Role, version: int, uid: bytes) -> CardKey:
        """The diversified key of one card; raises KeyMissing."""
        return self._vault.card_key(role, version, uid)

    def sign(self, label: str, message: bytes) -> bytes:
        """An Ed25519 signature, 64 bytes; raises KeyMissing."""
        return self._vault.sign(label, message)

    def public_key(self, label: str) -> bytes:
        """The raw 32 bytes of an Ed25519 public key; raises KeyMissing."""
        return self._vault.public_key(label)

    def issue_certificate(self, label: str, builder: x509.CertificateBuilder) -> x509.Certificate:
        """Sign a certificate; raises KeyMissing."""
        return self._vault.issue_certificate(label, builder)

    def contents(self) -> list[KeyInfo]:
        """What the vault holds, without saying secrets."""
        return self._vault.contents()
