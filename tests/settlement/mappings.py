"""Mappings of three Indonesian banks' tables, as staff would write them; docs/statements.md shows the same."""

from __future__ import annotations

from typing import Any

MANDIRI_CMS: dict[str, Any] = {
    "delimiter": "\t",
    "header": ["Date", "Description", "Amount", "Balance"],
    "columns": {"booking_date": 1, "value_date": 2, "text": [3, 4], "amount": 5, "balance": 6},
    "date_format": "dd/mm",
    "decimal": ",",
    "thousands": ".",
    "sign": "suffix",
    "labels": {"account": "Account No", "currency": "Currency", "period": "Period"},
    "end": ["- End Of Statement -"],
}
MANDIRI_MCM: dict[str, Any] = {
    "header": ["Account No", "Date", "Val. Date", "Debit", "Credit"],
    "columns": {
        "account": "Account No",
        "booking_date": "Date",
        "value_date": "Val. Date",
        "text": [5, 6],
        "reference": "Reference No.",
        "debit": "Debit",
        "credit": "Credit",
    },
    "date_format": "dd/mm/yy",
    "sign": "columns",
}
KLIKBCA: dict[str, Any] = {
    "delimiter": "\t",
    "header": ["Date", "Description", "branch", "Amount", "Balance"],
    "cells": 6,
    "columns": {"booking_date": 1, "text": 2, "amount": 4, "mark": 5, "balance": 6},
    "date_format": "dd/mm",
    "sign": "mark",
    "labels": {
        "account": "Account Number",
        "currency": "Currency",
        "period": "Period",
        "opening": "Starting Balance",
        "closing": "Ending Balance",
    },
}
