"""Statements in a bank's own table (CSV, text, XLSX), read by a mapping that staff make."""
