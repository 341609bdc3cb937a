"""Kills a process that opens a virtual account, and one that links, tops up, sweeps and ends, at each of its steps: `python -m tests.settlement.saving_kills FOLDER` prints how many there were.

A process of its own, without threads when it forks: each fork opens ledger and bank, and kills itself with SIGKILL before its n-th commit or call.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from keys.clock import UnixMs
from keys.money import Sen
from ledger.cardholder.savings import LinkState, Progress
from settlement.banks.desk import QUIET_MS
from tests.settlement.banked import NOON, make_vault
from tests.settlement.saved import ALL, CODE, KSH, Saved, make_sealing, rupiah

if TYPE_CHECKING:
    from keys.partner import PartnerVault
    from ledger.cardholder.sealing import Sealing

STEPS_MAX = 80


def main(folder: Path) -> int:
    """How many steps the stories have."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    vault, sealing = make_vault(folder), make_sealing(folder)
    Saved.make(folder, vault, sealing).close()
    steps, at = 0, NOON
    for story in (opening, pocket):
        for cut in range(STEPS_MAX):
            pid = os.fork()
            if pid == 0:
                saved = Saved.reopened(folder, vault, sealing, at)
                kill_before(saved, cut)
                story(saved, f"c{cut}")
                os._exit(0)
            _, status = os.waitpid(pid, 0)
            look_after(folder, vault, sealing, UnixMs(at + QUIET_MS + 1))
            at = UnixMs(at + QUIET_MS + 2)
            if os.waitstatus_to_exitcode(status) == 0:
                break
            assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL, status
            steps += 1
    return steps


def kill_before(saved: Saved, left: int) -> None:
    """Have the process killed before its commit or call of that number."""

    def counted(real: Any) -> Any:
        def step(one: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(one)

        return step

    saved.banked.wire.send = counted(saved.banked.wire.send)  # type: ignore[method-assign]
    saved.banked.ledger.writer.submit = counted(saved.banked.ledger.writer.submit)  # type: ignore[method-assign]


def opening(saved: Saved, _name: str) -> None:
    """Open a virtual account."""
    saved.desk.number(KSH, "bni")


def pocket(saved: Saved, name: str) -> None:
    """Link, top up, sweep, end."""
    saved.desk.link(KSH, "bni", CODE, ALL)
    ordinal = saved.desk.of(KSH)[0].ordinal
    assert saved.desk.move(KSH, ordinal, rupiah(10_000), f"{name}u").progress is Progress.DONE
    assert saved.desk.move(KSH, ordinal, Sen(-rupiah(10_000)), f"{name}d").progress is Progress.DONE
    saved.desk.revoke(KSH, ordinal)


def look_after(folder: Path, vault: PartnerVault, sealing: Sealing, at: UnixMs) -> None:
    """What starts next brings everything to its end, and nothing happened twice."""
    saved = Saved.reopened(folder, vault, sealing, at)
    saved.desk.resume()
    assert Progress.OPEN not in {one.progress for one in saved.desk.orders(KSH)}
    assert {one.state for one in saved.desk.of(KSH)} <= {LinkState.ACTIVE, LinkState.REVOKED}
    saved.check()
    with saved.banked.bank.books.session() as session:
        assert session.number_of_virtual_accounts() <= 1
    for one in saved.desk.of(KSH):
        if one.state is LinkState.ACTIVE:
            saved.desk.revoke(KSH, one.ordinal)
    saved.close()


if __name__ == "__main__":
    print(main(Path(sys.argv[1])))  # noqa: T201  what the test reads
