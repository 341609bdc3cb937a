"""What the bank tells its client: a payment into a virtual account, signed with the bank's own key, told again under a new id until it is heard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from keys.clock import date_of, day_of, local
from settlement.partner_bank.books import Kept
from settlement.snap import calls, fields, moments, signatures
from settlement.snap.calls import Call
from settlement.snap.codes import Service

if TYPE_CHECKING:
    from keys.clock import UnixMs
    from keys.money import Sen
    from settlement.partner_bank.books import Books

PATH: Final = "/v1.0/transfer-va/payment"
_SERVICE_ID_CHARACTERS: Final = 8


class Teller:
    """The bank's side of notices: books a payment once a request, and makes the call that tells of it."""

    def __init__(self, books: Books, private_key: bytes, partner_id: str) -> None:
        """`private_key`: PEM, unencrypted; a simulated bank's alone."""
        key = serialization.load_pem_private_key(private_key, None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise TypeError("the bank's key is no RSA key")
        self._key = key
        self._books = books
        self._partner_id = partner_id

    def booked(
        self, request: str, number: str, payer: str, ours: str, amount: Sen, now: UnixMs
    ) -> Kept | None:
        """A payer's payment into a virtual account, on the client's account; the same request again is the same. None for an unknown number or payer."""
        with self._books.session() as session:
            opened = session.virtual_account(number)
            if opened is None or session.account(payer) is None or session.account(ours) is None:
                return None
            client, trx = opened
            before = session.kept(client, request)
            if before is not None:
                return before
            day = day_of(local(now).date())
            told = f"{date_of(day):%Y%m%d}{session.number_of_transfers() + 1:08d}"
            kept = Kept(
                client,
                request,
                Service.VA_NOTIFY,
                amount,
                payer,
                number,
                trx,
                now,
                day,
                "00",
                told,
            )
            session.keep(kept)
            session.move(kept, payer, ours)
            return kept

    def call(self, path: str, kept: Kept, external_id: str, now: UnixMs) -> Call:
        """The call that tells of a payment."""
        body = fields.written({
            "partnerServiceId": kept.beneficiary[:_SERVICE_ID_CHARACTERS], "customerNo": kept.beneficiary[_SERVICE_ID_CHARACTERS:],
            "virtualAccountNo": kept.beneficiary, "trxId": kept.text, "paymentRequestId": kept.reference, "paidAmount": fields.amount(kept.amount),
            "trxDateTime": moments.written(kept.at), "referenceNo": kept.bank_reference,
        })  # fmt: skip
        said = moments.written(now)
        proof = self._key.sign(
            signatures.asymmetric_text("POST", path, body, said), padding.PKCS1v15(), hashes.SHA256()
        )
        headers = {
            "Content-Type": "application/json", calls.TIMESTAMP: said, calls.SIGNATURE: signatures.encoded(proof),
            calls.PARTNER: self._partner_id, calls.EXTERNAL_ID: external_id, calls.CHANNEL: "95221",
        }  # fmt: skip
        return Call("POST", path, headers, body)


def new_key() -> tuple[bytes, bytes]:
    """A bank's key pair, PEM: private and public."""
    key = rsa.generate_private_key(65537, 2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return private, key.public_key().public_bytes(serialization.Encoding.PEM, form)
