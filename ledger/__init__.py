"""Accounts, posting rules, balance engine, journal, intake of signed batches, balance pages."""
