"""The wallet desk: opens, freezes and closes wallets, sends money between them, pays by QR."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from keys.clock import day_of, local
from keys.money import Sen
from ledger.errors import OrderInvalid, WalletRefused
from ledger.orders.order import AMOUNT_MAX, wallet_of
from ledger.rules import AccountRules, RuleFlag, change
from ledger.transfer import Result
from ledger.wallets import store
from ledger.wallets.keyed import Keyed
from ledger.wallets.limits import rules_on
from ledger.wallets.ordering import ORDERS, Confirm, PlaceTransfer, asked_of, refused
from ledger.wallets.qr import PayByQr, read_payment
from ledger.wallets.sending import Arrive, End, Leave
from ledger.wallets.store import Sent, State

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from keys.clock import Clock
    from ledger.balance import Balance
    from ledger.book import Ledger
    from ledger.chart import AccountId
    from ledger.orders.order import Caller
    from ledger.transaction import Posted, PostedRows, Transaction
    from ledger.transfer import Transfer
    from ledger.wallets.qr import QrPayment
    from ledger.wallets.store import Placed

REFERENCE_CHARACTERS_MAX: Final = 64
ON_THEIR_WAY_MAX: Final = 10_000
_BY_PEOPLE: Final = RuleFlag.DEBITS_FROZEN | RuleFlag.CREDITS_FROZEN | RuleFlag.CLOSED


@dataclass(slots=True)
class _Rules:
    """Changes a wallet's rules as they are at that moment: flags taken and set, limits of the day."""

    wallet: AccountId
    taken: RuleFlag
    given: RuleFlag
    registered: bool | None
    document: bytes = field(default=b"", init=False)

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
        """The change; raises WalletRefused where a wallet with money is to be closed, or a closed one changed."""
        now = tx.rules(self.wallet)
        if RuleFlag.CLOSED in now.flags:
            raise WalletRefused("the wallet is closed: it stays so")
        held = tx.balance(self.wallet)
        empty = (
            held.credits_posted == held.debits_posted and not held.debits_pending and not held.credits_pending
        )
        if RuleFlag.CLOSED in self.given and not empty:
            raise WalletRefused("the wallet holds money, or money is on its way: pay it out first")
        flags = now.flags & (_BY_PEOPLE | RuleFlag.BLOCKED) & ~self.taken | self.given
        rules = AccountRules(flags | RuleFlag.DEBITS_WITHIN_CREDITS, now.ceiling, now.monthly)
        if self.registered is not None:
            day = day_of(local(tx.received_at).date())
            rules = rules_on(day, registered=self.registered, flags=flags)
        return (change(self.wallet, rules, tx.received_at),)

    def settle(self, posted: PostedRows, _tx: Transaction) -> Posted:
        """What became of it."""
        return next(iter(posted))


class WalletDesk:
    """Works on wallets by card number; safe to use from several threads."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock

    def open(self, card: str, *, registered: bool = True) -> AccountRules:
        """Give a wallet today's limits; again after they changed, or a card was registered."""
        return self._change(card, registered=registered)

    def freeze(self, card: str, *, incoming: bool = False) -> AccountRules:
        """Nothing leaves the wallet any more; nothing comes in either with `incoming`."""
        return self._change(
            card, given=RuleFlag.DEBITS_FROZEN | (RuleFlag.CREDITS_FROZEN if incoming else RuleFlag.NONE)
        )

    def unfreeze(self, card: str) -> AccountRules:
        """Let it be used again."""
        return self._change(card, taken=RuleFlag.DEBITS_FROZEN | RuleFlag.CREDITS_FROZEN)

    def close(self, card: str) -> AccountRules:
        """Close an empty wallet, for good."""
        return self._change(card, given=RuleFlag.CLOSED)

    def _change(
        self,
        card: str,
        *,
        taken: RuleFlag = RuleFlag.NONE,
        given: RuleFlag = RuleFlag.NONE,
        registered: bool | None = None,
    ) -> AccountRules:
        wallet = wallet_of_holder(card)
        done = self._ledger.writer.submit(_Rules(wallet, taken, given, registered)).result()
        if done.result is not Result.POSTED:
            raise WalletRefused(f"the books refuse it: {_words(done.result)}")
        return self._ledger.rules(wallet)

    def send(self, reference: str, source: str, target: str, amount: Sen) -> Sent:
        """Send money between wallets; the same reference again gives the same transfer. It has arrived, or came back, when this returns.

        Raises WalletRefused: short, frozen, closed, over a limit on either side, a reference of another transfer.
        """
        debit, credit = _sides(source, target, amount)
        if not reference or len(reference) > REFERENCE_CHARACTERS_MAX or not reference.isprintable():
            raise WalletRefused(f"a reference has 1 to {REFERENCE_CHARACTERS_MAX} printable characters")
        if reference.startswith(ORDERS):
            raise WalletRefused(
                f"references that begin with {ORDERS} are those of ordered transfers: take another"
            )
        return self._sent(Leave(Sent(reference, debit, credit, amount, State.HELD)))

    def order(
        self,
        caller: Caller,
        source: str,
        target: str,
        amount: Sen,
        said: Callable[[Placed, Balance], dict[str, Any]],
    ) -> bytes:
        """Order a transfer for a client, under its key: the money is held until it is confirmed, or for a quarter of an hour. The answer, as `said` makes it of the order and of the wallet right after it.

        Raises WalletRefused, KeyReused.
        """
        unit = PlaceTransfer(caller.client.name, *_sides(source, target, amount), amount)
        return self._keyed(
            Keyed(
                unit,
                caller,
                lambda done: done if isinstance(done, WalletRefused) else said(done, unit.wallet),
            )
        )

    def _keyed(self, unit: Keyed) -> bytes:
        done: bytes | WalletRefused = self._ledger.writer.submit(unit).result()
        if isinstance(done, WalletRefused):
            raise done
        return done

    def confirm(self, client: str, number: int) -> Sent:
        """Send what a client ordered; confirmed again, it is the same transfer. It has arrived when this returns.

        Raises WalletRefused: no such order, one that is over, a wallet that may not take it.
        """
        with self._ledger.database.transaction() as connection:
            placed = store.order_of(connection, number)
        if placed is None or placed.client != client:
            raise WalletRefused(f"you ordered no transfer {number}: order one first")
        return self._sent(Confirm(asked_of(placed), hold=number))

    def _sent(self, unit: Leave) -> Sent:
        left = self._ledger.writer.submit(unit).result()
        if isinstance(left, Result):
            raise refused(left)
        sent = self._brought_on(left)
        if sent.state is State.FAILED:
            raise WalletRefused(
                f"the other wallet may not take it ({_words(sent.result)}): the money is back"
            )
        return sent

    def resume(self) -> list[Sent]:
        """Bring every transfer that is on its way to its end: after a start."""
        with self._ledger.database.transaction() as connection:
            waiting = store.held(connection, ON_THEIR_WAY_MAX)
        return [self._brought_on(one) for one in waiting]

    def _brought_on(self, sent: Sent) -> Sent:
        if sent.state is not State.HELD:
            return sent
        arrived = self._ledger.writer.submit(Arrive(sent)).result()
        state = self._ledger.writer.submit(End(sent, arrived)).result()
        return Sent(sent.reference, *sent.asked, state, arrived, sent.hold, sent.changed_at)

    def pay_by_qr(self, card: str, text: str, amount: Sen | None = None, tip: Sen = Sen(0)) -> QrPayment:
        """Pay a merchant by its code; a dynamic one once, whoever pays.

        Raises QrRefused for the code, WalletRefused for the wallet.
        """
        payment = read_payment(text, amount, tip)
        done = self._ledger.writer.submit(PayByQr(wallet_of_holder(card), payment)).result()
        if done.result is not Result.POSTED:
            raise refused(done.result)
        return payment


def _sides(source: str, target: str, amount: Sen) -> tuple[AccountId, AccountId]:
    """The two wallets of a transfer; raises WalletRefused where it makes no sense."""
    debit, credit = wallet_of_holder(source), wallet_of_holder(target)
    if debit == credit:
        raise WalletRefused("both wallets are the same")
    if not 0 < amount <= AMOUNT_MAX:
        raise WalletRefused(f"an amount is from 1 to {AMOUNT_MAX} sen")
    return debit, credit


def wallet_of_holder(card: str) -> AccountId:
    """The wallet of a card by its 16 digits; raises WalletRefused."""
    try:
        return wallet_of(card)
    except OrderInvalid as error:
        raise WalletRefused(str(error)) from None


def _words(result: Result) -> str:
    return result.name.lower().replace("_", " ")
