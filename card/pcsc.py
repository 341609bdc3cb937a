"""Cards in PC/SC readers, through pcscd; the only module that knows pyscard.

It uses PC/SC's own calls (`smartcard.scard`) and none of pyscard's observers: every call's code decides here whether a card may have acted, and every context is
made anew when the service went away. A context belongs to one wait or one card, so threads share nothing. After an interruption PC/SC lets an old
connection speak to whatever card lies there now; a `PcscCard` never does: once lost, it is lost.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self

from card.apdu import GET_UID
from card.errors import (
    Acted,
    CardAbsent,
    CardError,
    CardForeign,
    CardLost,
    ReaderBusy,
    ReaderError,
    ReaderServiceDown,
)
from card.readers import (
    HRESULT_MASK,
    NO_CARD,
    NOT_SENT,
    READER_GONE,
    SERVICE_DOWN,
    Code,
    Presence,
    Seen,
    Slot,
    State,
)
from card.waiting import BUSY_S, POLL_S, Wait
from card.watching import changes

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

try:
    import smartcard.scard
except ImportError:  # a server has no reader, and not the extra
    scard: Any = None
else:
    scard = smartcard.scard

__all__ = ["PcscCard", "Presence", "on_card", "reader_names", "wait_for_card", "watch"]

_OK: Final = b"\x90\x00"
_STATUS_BYTES: Final = 2
_UID_BYTES: Final = frozenset({4, 7, 10})
"""ISO/IEC 14443-3: single, double and triple size."""


class _Context:
    """A connection to the PC/SC service; every method raises ReaderServiceDown where it does not answer."""

    def __init__(self) -> None:
        if scard is None:
            raise ReaderServiceDown("pyscard is not installed: install this project with its extra 'reader'")
        code, self._handle = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
        _checked(code)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Let go; a service that is gone has let go already."""
        scard.SCardReleaseContext(self._handle)

    def readers(self) -> list[str]:
        """Names of the readers, perhaps none."""
        code, names = scard.SCardListReaders(self._handle, [])
        return [] if _checked(code, READER_GONE) in READER_GONE else list(names)

    def slots(self, known: dict[str, int], timeout_s: float) -> list[Slot]:
        """What the readers are like, as soon as that differs from `known` or the time is over; empty where one of them went."""
        asked = list(known.items())
        code, told = scard.SCardGetStatusChange(self._handle, int(timeout_s * 1000), asked)
        allowed = READER_GONE | {Code.TIMEOUT}
        if _checked(code, allowed) in READER_GONE:
            return []
        return [Slot(name, state & ~State.CHANGED, bytes(atr)) for name, state, atr in told]

    def connect(self, reader: str) -> tuple[int, int] | None:
        """Handle and protocol of an exclusive connection; None where no card answers. Raises ReaderBusy."""
        either = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
        code, handle, protocol = scard.SCardConnect(self._handle, reader, scard.SCARD_SHARE_EXCLUSIVE, either)
        code = _checked(code, NO_CARD | {Code.SHARING_VIOLATION})
        if code == Code.SHARING_VIOLATION:
            raise ReaderBusy(f"another program has {reader}: close it")
        return None if code in NO_CARD else (handle, protocol)


def _checked(result: int, allowed: frozenset[Code] | set[Code] = frozenset()) -> int:
    """The result of a call where it is OK or allowed; the error of it otherwise."""
    code = result & HRESULT_MASK
    if code == Code.OK or code in allowed:
        return code
    if code == Code.REFUSED:
        raise ReaderServiceDown(
            "the PC/SC service closed the connection: try again, or let this user in (polkit, org.debian.pcsc-lite)"
        )
    if code in SERVICE_DOWN:
        raise ReaderServiceDown(
            "no PC/SC service answers: start it (systemctl start pcscd) or install it (apt-get install pcscd)"
        )
    raise ReaderError(f"the reader failed: {scard.SCardGetErrorMessage(code)}; plug it in again")


def reader_names() -> list[str]:
    """Names of the readers that are connected, perhaps none. Raises ReaderServiceDown."""
    with _Context() as context:
        return context.readers()


class PcscCard:
    """A card in a reader, for this program alone until `close()`; a Transport.

    Get one from `wait_for_card`. After the first failure it is dead for good: every later transmit raises CardLost (NOT_SENT), also when a card lies
    there again. It belongs to one thread at a time.
    """

    def __init__(self, context: _Context, slot: Slot, handle: int, protocol: int) -> None:
        self.slot = slot
        self.reader = slot.reader
        self.atr = slot.atr
        self._context = context
        self._handle = handle
        self._protocol = scard.SCARD_PCI_T0 if protocol == scard.SCARD_PROTOCOL_T0 else scard.SCARD_PCI_T1
        self._lost = False
        self._closed = False
        try:
            self._uid = self._asked_uid()
        except CardError:
            self._disconnect()
            raise

    def __repr__(self) -> str:
        return f"<PcscCard {self._uid.hex()} in {self.reader}>"

    @property
    def uid(self) -> bytes:
        """The UID that the reader told at the beginning (PC/SC part 3, 3.2.2.1.3): four, seven or ten bytes."""
        return self._uid

    @property
    def lost(self) -> bool:
        """Whether the card is gone, or another has taken its place."""
        return self._lost

    def transmit(self, apdu: bytes) -> bytes:
        """Send a command APDU, return data and the two status bytes.

        Raises CardLost: NOT_SENT where pcscd surely did not pass the command on, UNKNOWN otherwise.
        """
        if self._lost or self._closed:
            raise CardLost(Acted.NOT_SENT)
        result, answer = scard.SCardTransmit(self._handle, self._protocol, list(apdu))
        code = result & HRESULT_MASK
        if code == Code.OK and answer:
            return bytes(answer)
        self._lost = True
        raise CardLost(Acted.NOT_SENT if code in NOT_SENT else Acted.UNKNOWN)

    def _asked_uid(self) -> bytes:
        answer = self.transmit(GET_UID)
        uid = answer[:-_STATUS_BYTES]
        if answer[-_STATUS_BYTES:] != _OK or len(uid) not in _UID_BYTES:
            raise CardForeign("the reader tells no UID of this card: it is not a contactless card")
        return uid

    def close(self) -> None:
        """Give the card up; pcscd takes its power within a second, and with it any session. Again is harmless.

        It is left as it is: where the card has just gone, a reset or a power-off lets pcscd 1.9.9 miss the next card.
        """
        if self._closed:
            return
        self._disconnect()
        self._context.release()

    def _disconnect(self) -> None:
        self._closed = True
        scard.SCardDisconnect(self._handle, scard.SCARD_LEAVE_CARD)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def wait_for_card(
    reader: str | None = None, timeout_s: float | None = None, on_wait: Callable[[], object] | None = None
) -> PcscCard:
    """The card in a reader (None: in any), as soon as there is one; no `timeout_s` is for ever, 0 looks once.

    `on_wait` is called once, where no card is there yet. Raises CardAbsent (time over), ReaderBusy, ReaderMissing, ReaderServiceDown, and CardForeign for a card
    without a UID. Calling again is all that recovery takes.
    """
    context = _Context()
    try:
        return Wait(context, partial(_opened, context), reader, timeout_s, on_wait).card()
    except BaseException:
        context.release()
        raise


def _opened(context: _Context, slot: Slot) -> PcscCard | None:
    """None where the card went again, or another program was quicker."""
    try:
        connected = context.connect(slot.reader)
        return None if connected is None else PcscCard(context, slot, *connected)
    except (CardLost, ReaderBusy):
        return None


def watch(stop: threading.Event, poll_s: float = POLL_S) -> Iterator[Presence]:
    """Insertions, removals, and readers that come and go, from now until `stop`; what is there already comes first.

    A service that dies takes its readers with it, and they come again with the next one.
    """
    yield from changes(_Context, Seen(), stop, poll_s)


def on_card(
    callback: Callable[[PcscCard], object],
    stop: threading.Event,
    reader: str | None = None,
    on_trouble: Callable[[CardError], object] | None = None,
) -> None:
    """Call back once for every card held to a reader (None: to any), until `stop`; the card is closed afterwards.

    A CardError that the callback lets through, and one from opening the card, go to `on_trouble`. After a loss the same card counts as a new one.
    """
    seen = Seen()
    for change in changes(_Context, seen, stop, POLL_S):
        if change.atr is None or reader not in {None, change.reader}:
            continue
        try:
            with wait_for_card(change.reader, timeout_s=BUSY_S) as card:
                _called(callback, card, seen)
        except CardAbsent:
            continue
        except CardError as error:
            if on_trouble is not None:
                on_trouble(error)


def _called(callback: Callable[[PcscCard], object], card: PcscCard, seen: Seen) -> None:
    seen.note(card.slot)
    try:
        callback(card)
    finally:
        if card.lost:
            seen.forget(card.reader)
