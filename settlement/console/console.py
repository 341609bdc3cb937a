"""The console as a whole: every page's address, and the gate before them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from settlement.console.book_pages import BookPages
from settlement.console.break_pages import BreakPages
from settlement.console.claim_pages import ClaimPages
from settlement.console.dispute_pages import DisputePages
from settlement.console.door import DoorPages
from settlement.console.drawing import Drawing
from settlement.console.export_pages import ExportPages
from settlement.console.figures_pages import FiguresPages
from settlement.console.gate import Gate
from settlement.console.import_pages import ImportPages
from settlement.console.intake_pages import IntakePages
from settlement.console.line_pages import LinePages
from settlement.console.match_pages import MatchPages
from settlement.console.nights import NightPages
from settlement.console.office_pages import OfficePages
from settlement.console.overview import OverviewPages
from settlement.console.own_pages import OwnPages
from settlement.console.payment_pages import PaymentPages
from settlement.console.rules_pages import RulesPages
from settlement.console.stray_pages import StrayPages
from settlement.console.worklist import WorklistPages

if TYPE_CHECKING:
    from settlement.console.calls import Page
    from settlement.console.desk import Desk
    from settlement.console.scanning import Scanner


class Console:
    """All pages over one city."""

    def __init__(self, desk: Desk, scanner: Scanner | None = None) -> None:
        drawing = Drawing()
        self.gate = Gate(desk.office, drawing, scanner)
        self.pages: tuple[Page, ...] = (
            *DoorPages(desk.office, drawing).pages(),
            *OwnPages(desk.office, drawing).pages(),
            *OverviewPages(desk, drawing).pages(),
            *WorklistPages(desk, drawing).pages(),
            *BreakPages(desk, drawing).pages(),
            *LinePages(desk, drawing).pages(),
            *ClaimPages(desk, drawing).pages(),
            *DisputePages(desk, drawing).pages(),
            *IntakePages(desk, drawing).pages(),
            *MatchPages(desk, drawing).pages(),
            *PaymentPages(desk, drawing).pages(),
            *RulesPages(desk, drawing).pages(),
            *BookPages(desk, drawing).pages(),
            *ImportPages(desk, drawing).pages(),
            *FiguresPages(desk, drawing).pages(),
            *ExportPages(desk, drawing).pages(),
            *NightPages(desk, drawing).pages(),
            *OfficePages(desk, drawing).pages(),
            *StrayPages(drawing).pages(),
        )
