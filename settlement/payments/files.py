"""A window's payment files, bank by bank: pain.001, or the bank's own table where the city keeps a template for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keys.money import Sen
from settlement.kept import PaymentFile
from settlement.payments import pain001, table
from settlement.payments.table import template_of
from settlement.rulebook.model import RuleKind
from settlement.statements.reading import digest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from keys.clock import Day, UnixMs
    from settlement.items import Item
    from settlement.participants import Participants
    from settlement.payments.table import Template
    from settlement.rulebook.book import Rulebook


def templates_of(rulebook: Rulebook) -> dict[int, Template]:
    """The templates that hold now, by the bank's code; raises RuleRefused."""
    pages = rulebook.current(RuleKind.PAYMENT_TEMPLATE)
    return {int(page.name): template_of(page.told) for page in pages if page.told is not None}


def payment_files(
    window: Day,
    closed_at: UnixMs,
    expected: Sequence[Item],
    participants: Participants,
    templates: Mapping[int, Template] | None = None,
) -> list[PaymentFile]:
    """The files that ask each bank for its payments; the same items give the same bytes."""
    files = []
    for code in sorted({item.bank for item in expected}):
        bank, template = participants.bank(code), (templates or {}).get(code)
        if template is not None:
            name = table.file_name(window, code)
            content = table.payment_table(window, bank, expected, participants, template)
        else:
            name = pain001.file_name(window, code)
            content = pain001.payment_file(window, bank, expected, participants, closed_at)
        if content:
            amounts = [-item.amount for item in expected if item.bank == code and item.rail is not None]
            files.append(
                PaymentFile(window, code, name, digest(content), len(amounts), Sen(sum(amounts)), content)
            )
    return files
