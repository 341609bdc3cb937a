"""What whoever hands the writer a unit waits for: one lock each, where a Future of the standard library has three and a condition."""

from __future__ import annotations

from concurrent.futures import CancelledError
from threading import Lock
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

_log = structlog.get_logger("ledger")


class Answer:
    """An answer that comes once, from another thread; what may be asked of it is what `concurrent.futures.Future` is asked too.

    Each step that two threads could take at once is one step of the interpreter's own: a lock's, or a list's `pop`.
    """

    __slots__ = ("_awaited", "_calls", "_error", "_gate", "_here", "_value")

    def __init__(self) -> None:
        self._gate = Lock()
        self._gate.acquire()
        self._awaited = [
            True
        ]  # until the writer takes the unit, or its sender takes it back: whoever pops first
        self._calls: list[Callable[[Answer], object]] = []
        self._here = False
        self._value: Any = None
        self._error: BaseException | None = None

    def take(self) -> bool:
        """For the writer: True where the unit is wanted still; from here on it cannot be taken back."""
        return bool(self._awaited) and self._pop()

    def cancel(self) -> bool:
        """Take the unit back; False where the writer has it already."""
        if not self.take():
            return False
        self.fail(CancelledError())
        return True

    def _pop(self) -> bool:
        try:
            return self._awaited.pop()
        except IndexError:  # the other thread was quicker
            return False

    def give(self, value: Any) -> None:
        """Here it is."""
        self._value = value
        self._come()

    def fail(self, error: BaseException) -> None:
        """There is none, but a reason."""
        self._error = error
        self._come()

    def _come(self) -> None:
        self._here = True
        self._gate.release()
        if self._calls:
            self._call()

    def _call(self) -> None:
        while self._calls:
            try:
                call = self._calls.pop()
            except IndexError:  # as above
                return
            try:
                call(self)
            except Exception:  # noqa: BLE001  a fault of whoever is called is no fault of the writer
                _log.exception("a call about an answer failed")

    def done(self) -> bool:
        """True where it is here."""
        return self._here

    def add_done_callback(self, call: Callable[[Answer], object]) -> None:
        """Have something called once it is here, by the thread that brings it; at once where it is here already."""
        self._calls.append(call)
        if self._here:
            self._call()

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Why there is none, None where there is one; waits for it, at most so many seconds. Raises TimeoutError."""
        if not self._here:
            if not self._gate.acquire(timeout=-1 if timeout is None else timeout):
                raise TimeoutError
            self._gate.release()  # for whoever else waits
        return self._error

    def result(self, timeout: float | None = None) -> Any:
        """The answer, as `exception` waits for it; raises the reason where there is none."""
        if self.exception(timeout) is not None:
            raise self._error  # type: ignore[misc]  # mypy does not see that it is the same
        return self._value
