"""What can go wrong with keys, envelopes, money and time.

KeysError
 ├── MoneyError            an amount that is no whole number of sen, or of rupiah
 ├── VaultError            a vault that does not open, or lacks the key asked for
 │    ├── VaultLocked      wrong passphrase, or the file is not what was written
 │    ├── VaultSwapped     a sound vault, but another one than asked for
 │    ├── VaultRolledBack  an older state than the one on record
 │    ├── TokenError       the PKCS#11 module or token does not do what was asked
 │    ├── KeyMissing       no such purpose and version in this vault
 │    └── KeyMisused       the key exists, but not for this
 │         └── KeyRetired  the key exists, and is in use no more
 ├── CeremonyError         a component whose check value is not the one announced
 ├── ShareError            shares of a backup that do not make its key
 ├── KeyBlockError         a key block that is changed, or under another transport key
 ├── CborMalformed         bytes that are no CBOR of ours
 ├── EnvelopeError         bytes that are no signed envelope
 │    └── SignatureWrong   a well-formed envelope that this key did not sign
 ├── FreshQrUnreadable     a fresh balance in a QR code that no terminal wrote
 ├── FreshQrExpired        one that is older than two minutes, or from the future
 ├── PublicKeyUnusable     what was given as a public key is none
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


class VaultSwapped(VaultError):
    """A sound vault that is another one than asked for."""


class VaultRolledBack(VaultError):
    """The vault is in an older state than the one on record, or has left its history."""


class TokenError(VaultError):
    """The PKCS#11 module or token does not do what was asked."""


class KeyMissing(VaultError):
    """No such purpose and version in this vault."""


class KeyMisused(VaultError):
    """The key exists, but not for this purpose."""


class KeyRetired(KeyMisused):
    """The key exists, and is in use no more."""


class CeremonyError(KeysError):
    """A component whose check value is not the one announced."""


class ShareError(KeysError):
    """Shares of a backup that do not make its key."""


class KeyBlockError(KeysError):
    """A key block that is changed, under another transport key, or of another kind."""


class CborMalformed(KeysError):
    """Bytes that are no CBOR, or hold what no format of this system has."""


class EnvelopeError(KeysError):
    """Bytes that are no signed envelope."""


class SignatureWrong(EnvelopeError):
    """A well-formed envelope that this key did not sign."""


class FreshQrUnreadable(KeysError):
    """A fresh balance in a QR code that no terminal wrote."""


class FreshQrExpired(KeysError):
    """A fresh balance that is older than two minutes, or from the future."""


class PublicKeyUnusable(KeysError):
    """What was given as a public key is none, or is of another kind."""


class IdentityError(KeysError):
    """A certificate that proves nothing here: other issuer, out of date, no role."""
