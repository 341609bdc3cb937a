"""Payments to banks: which rail, which file, who let it go, and what the bank says became of it."""
