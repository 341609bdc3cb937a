"""One relayed load under way: where its script stands, and what was answered last. Replays are refused, repeats get the same answer."""

from __future__ import annotations

import secrets
import threading
from typing import TYPE_CHECKING, Any, Final

from card.apdu import ISO_DATA_MAX
from card.batch import RELAYED_FROM, Context
from card.far import BATCH_MAX
from keys import cbor
from keys.errors import CborMalformed
from ledger.errors import BatchMalformed, LoadStepRefused, Overloaded
from ledger.relay.told import Step, Told

if TYPE_CHECKING:
    from card.batch import TapRecord
    from card.far import Script
    from keys.identity import TerminalCertificate
    from ledger.intake.cards.issued import Card
    from ledger.intake.loads import Admitted

TOKEN_BYTES: Final = 16
_ANSWER_MAX: Final = ISO_DATA_MAX + 3
_FIELDS: Final = 3
_STEPS_MAX: Final = 64


def parse_step(payload: bytes) -> tuple[bytes, int, list[bytes]]:
    """Session, step and the card's answers from CBOR; raises BatchMalformed."""
    try:
        fields: Any = cbor.decoded(payload)
    except CborMalformed:
        raise BatchMalformed("the step of a load is no CBOR") from None
    if not isinstance(fields, list) or len(fields) != _FIELDS:
        raise BatchMalformed("a load's step is an array of session, number and answers")
    token, number, answers = fields
    if not isinstance(token, bytes) or not isinstance(number, int) or not isinstance(answers, list):
        raise BatchMalformed("a load's step is an array of session, number and answers")
    sized = all(isinstance(answer, bytes) and len(answer) <= _ANSWER_MAX for answer in answers)
    if len(answers) > BATCH_MAX or not sized:
        raise BatchMalformed(
            f"a load's step carries at most {BATCH_MAX} answers of at most {_ANSWER_MAX} bytes"
        )
    return token, number, answers


def asked_at(payload: bytes) -> int:
    """The moment at which a terminal asks what waits, from CBOR [asked at]; raises BatchMalformed."""
    try:
        fields: Any = cbor.decoded(payload)
    except CborMalformed:
        fields = None
    if not isinstance(fields, list) or len(fields) != 1 or type(fields[0]) is not int:
        raise BatchMalformed("who asks what waits says when: an array of the time")
    return fields[0]


class LoadSession:
    """A load's session; its script runs in the thread of whoever brings the card's answers, and waits for nobody."""

    def __init__(self, admitted: Admitted, deadline: float) -> None:
        self.token = secrets.token_bytes(TOKEN_BYTES)
        self.admitted = admitted
        self.deadline = deadline
        self.lock = threading.Lock()
        self.intended: TapRecord | None = None
        self.told: Told | None = None
        self.over = False
        self._script: Script[Told] | None = None
        self._last: tuple[int, bytes, Step] | None = None
        self._number = 0

    @property
    def terminal(self) -> int:
        """The kiosk."""
        return self.admitted.certificate.terminal

    @property
    def certificate(self) -> TerminalCertificate:
        """The kiosk's certificate."""
        return self.admitted.certificate

    @property
    def card(self) -> Card:
        """The card that the kiosk named."""
        return self.admitted.card

    @property
    def uid(self) -> bytes:
        """Its UID, 7 bytes."""
        return self.admitted.request.uid

    @property
    def sequence(self) -> int:
        """The number of this load's record in the kiosk's name."""
        return RELAYED_FROM + self.admitted.request.request

    @property
    def context(self) -> Context:
        """What its record says besides what the card signed."""
        request = self.admitted.request
        if request.locks:
            return Context(rules=("locked",))
        load = ("wallet",) if request.ordered else ("cash",)
        rules = load if request.sale is None else request.sale.rules
        return Context(rules=rules, authorisation=self.admitted.hold)

    def begun(self, script: Script[Told]) -> Step:
        """Start; the first commands."""
        self._script = script
        return self._on(0, b"", None)

    def repeated(self, number: int, digest: bytes) -> Step | None:
        """The answer that was given to this very message, if it was the last one."""
        last = self._last
        return last[2] if last and (last[0], last[1]) == (number, digest) else None

    def take(self, number: int, digest: bytes, answers: list[bytes]) -> Step:
        """The card's answers to the commands of a step; what comes next.

        Raises LoadStepRefused for a step that is not due, Overloaded while another message of this session is worked on.
        """
        if not self.lock.acquire(blocking=False):
            raise Overloaded("this load is being worked on: ask again")
        try:
            again = self.repeated(number, digest)
            if again is not None:
                return again
            if self.over or number != self._number or number >= _STEPS_MAX:
                raise LoadStepRefused(
                    f"step {number} of this load is not due: it is over, or this is a replay"
                )
            return self._on(number, digest, answers)
        finally:
            self.lock.release()

    def _on(self, number: int, digest: bytes, answers: list[bytes] | None) -> Step:
        assert self._script is not None  # noqa: S101  `begun` gave it
        apdus: list[bytes] = []
        try:
            apdus = next(self._script) if answers is None else self._script.send(answers)
        except StopIteration as end:
            self.told, self.over = end.value, True
        except BaseException:
            self.over = True
            raise
        self._number = number + 1
        step = Step(self.token, self._number, self.admitted.hold, tuple(apdus), self.told)
        self._last = (number, digest, step)
        return step

    def close(self) -> None:
        """No further step; the script's clean-up is the desk's."""
        self.over = True
        if self._script is not None:
            self._script.close()
