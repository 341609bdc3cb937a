"""What can go wrong with keys, envelopes, money and time.

KeysError
 ├── MoneyError            an amount that is no whole number of sen, or of rupiah
 ├── VaultError            a vault that does not open, or lacks the key asked for
 │    ├── VaultLocked      wrong passphrase, or the file is not what was written
 │    ├── KeyMissing       no such purpose and version in this vault
 │    └── KeyMisused       the key exists, but not for this
 ├── CeremonyError         a component whose check value is not the one announced
 ├── EnvelopeError         bytes that are no signed envelope
 │    └── SignatureWrong   a well-formed envelope that this key did not sign
 └── IdentityError         a certificate that proves nothing here
"""


class KeysError(Exception):
    """Root of this package's errors. Each says what happened and what to do."""


class MoneyError(KeysError):
    """An amount that is no whole number of sen, or of rupiah where the chip needs one."""


class VaultError(KeysError):
    """A vault that does not open, or lacks the key asked for."""


class VaultLocked(VaultError):
    """The passphrase is wrong, or the vault's file is not what was written."""


class KeyMissing(VaultError):
    """No such purpose and version in this vault."""


class KeyMisused(VaultError):
    """The key exists, but not for this purpose."""


class CeremonyError(KeysError):
    """A component whose check value is not the one announced."""


class EnvelopeError(KeysError):
    """Bytes that are no signed envelope."""


class SignatureWrong(EnvelopeError):
    """A well-formed envelope that this key did not sign."""


class IdentityError(KeysError):
    """A certificate that proves nothing here: other issuer, out of date, no role."""
