"""CommitReaderID, CommitTransaction, AbortTransaction on the chip: what is pending becomes real, counted and signed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from card import tmac
from card.apdu import Ins, Status
from card.channel import CommMode
from card.commands import NEVER
from card.virtual.refusal import Refusal
from card.virtual.session import answered, opened

if TYPE_CHECKING:
    from collections.abc import Callable

    from card.virtual.application import TransactionMac
    from card.virtual.chip import VirtualCard
    from card.virtual.session import Session


def commit_reader_id(card: VirtualCard, payload: bytes) -> bytes:
    """Who commits; answers who committed last, encrypted for the holder of the Transaction MAC key."""
    session, mac = card.session, card.application.tmac
    if mac is None or session is None:
        raise Refusal(Status.PERMISSION_DENIED)
    if not mac.settings.allows(session.key_no, "read_write"):
        raise Refusal(Status.PERMISSION_DENIED)
    reader, body = opened(session, Ins.COMMIT_READER_ID, payload, CommMode.MAC, tmac.READER_ID_BYTES)
    if body or session.reader is not None:
        raise Refusal(Status.LENGTH_ERROR if body else Status.PERMISSION_DENIED)
    _, enc_key = tmac.session_keys(mac.key, card.uid, mac.tmc + 1)
    previous = tmac.encrypted_reader(enc_key, mac.reader)
    session.reader = reader
    session.tmi += tmac.reader_entry(reader, previous)
    return answered(session, previous, CommMode.MAC)


def commit(card: VirtualCard, payload: bytes) -> bytes:
    """CommitTransaction; with option 01 the answer is the new counter and the Transaction MAC Value."""
    session, application = card.session, card.application
    mode = CommMode.MAC if session else CommMode.PLAIN
    header, option = opened(session, Ins.COMMIT_TRANSACTION, payload, mode, 0)
    if header or option not in {b"", b"\x00", b"\x01"}:
        raise Refusal(Status.PARAMETER_ERROR)
    if not any(file.changed for file in application.files.values()):
        raise Refusal(Status.NO_CHANGES)
    signed = b"" if application.tmac is None else _signed(card, application.tmac, session)
    for file in application.files.values():
        file.commit()
    if session is not None:
        session.forget()
    return answered(session, signed if option == b"\x01" else b"", mode)


def _signed(card: VirtualCard, mac: TransactionMac, session: Session | None) -> bytes:
    named = mac.settings.rights[0].read_write != NEVER
    if session is None or (named and session.reader is None) or mac.tmc >= tmac.TMC_MAX:
        raise Refusal(Status.PERMISSION_DENIED)
    mac_key, _ = tmac.session_keys(mac.key, card.uid, mac.tmc + 1)
    mac.tmv = tmac.tmv(mac_key, bytes(session.tmi))
    mac.tmc += 1
    if session.reader is not None:
        mac.reader = session.reader
    return mac.content


def abort(card: VirtualCard, payload: bytes) -> bytes:
    """AbortTransaction: forget what is pending, keep the session."""
    session = card.session
    mode = CommMode.MAC if session else CommMode.PLAIN
    _, body = opened(session, Ins.ABORT_TRANSACTION, payload, mode, 0)
    if body:
        raise Refusal(Status.LENGTH_ERROR)
    card.application.rollback()
    if session is not None:
        session.forget()
    return answered(session, b"", mode)


COMMANDS: dict[int, Callable[[VirtualCard, bytes], bytes]] = {
    Ins.COMMIT_READER_ID: commit_reader_id,
    Ins.COMMIT_TRANSACTION: commit,
    Ins.ABORT_TRANSACTION: abort,
}
