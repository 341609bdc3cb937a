"""A kiosk without a program: it signs load requests and steps as a test wants them, over a desk in this process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cbor2

from card import far
from card.batch import LOAD_CONTENT_TYPE, LOCK_CONTENT_TYPE, ORDERED_CONTENT_TYPE, STEP_CONTENT_TYPE
from keys.identity import TerminalRole

if TYPE_CHECKING:
    from card.virtual import VirtualCard
    from hebat.issuing import Issued
    from ledger.relay.desk import LoadDesk
    from ledger.relay.told import Step, Told
    from tests.ledger.desk import Desk, Scene

AGENT = 701


@dataclass
class Kiosk:
    """One kiosk; `line` is the ledger's desk, which a test may exchange for that of a ledger started anew."""

    scene: Scene
    number: int
    line: LoadDesk
    sent: list[bytes] = field(default_factory=list)
    requests: int = 0

    def __post_init__(self) -> None:
        self.desk: Desk = self.scene.desk(self.number, TerminalRole.KIOSK, AGENT)

    def asked(self, uid: bytes, amount: int, content_type: str = LOAD_CONTENT_TYPE) -> bytes:
        """A signed request under the next number."""
        self.requests += 1
        payload = cbor2.dumps([uid, amount, self.requests, self.scene.clock.now()], canonical=True)
        return self.desk.seal(payload, content_type)

    def begin(self, card: Issued, amount: int = 20_000) -> Step:
        """Ask for a load of a card."""
        self.sent.append(self.asked(card.chip.uid, amount))
        return self.line.begin(self.sent[-1])

    def begin_ordered(self, card: Issued) -> Step:
        """Ask for what a card's holder ordered."""
        self.sent.append(self.asked(card.chip.uid, 0, ORDERED_CONTENT_TYPE))
        return self.line.begin(self.sent[-1])

    def answered(self, step: Step, answers: list[bytes]) -> bytes:
        """The signed message that carries a card's answers."""
        payload = cbor2.dumps([step.session, step.number, answers], canonical=True)
        return self.desk.seal(payload, STEP_CONTENT_TYPE)

    def go_on(self, step: Step, chip: VirtualCard) -> Step:
        """Carry one batch to the card, and its answers back."""
        self.sent.append(self.answered(step, far.carried(chip, step.apdus)))
        return self.line.step(self.sent[-1])

    def until(self, step: Step, chip: VirtualCard, number: int) -> Step:
        """Carry on until a step is due."""
        while step.number < number and step.outcome is None:
            step = self.go_on(step, chip)
        return step

    def load(self, card: Issued, amount: int = 20_000) -> Told:
        """A whole load."""
        card.chip.leave_field()
        return self.carried(self.begin(card, amount), card)

    def write(self, card: Issued) -> Told:
        """The whole of what a card's holder ordered."""
        card.chip.leave_field()
        return self.carried(self.begin_ordered(card), card)

    def lock(self, card: Issued) -> Told:
        """The whole of what locks a blocked card."""
        card.chip.leave_field()
        self.sent.append(self.asked(card.chip.uid, 0, LOCK_CONTENT_TYPE))
        return self.carried(self.line.begin(self.sent[-1]), card)

    def carried(self, step: Step, card: Issued) -> Told:
        """Carry on to the end."""
        while step.apdus:
            step = self.go_on(step, card.chip)
        assert step.outcome is not None
        return step.outcome
