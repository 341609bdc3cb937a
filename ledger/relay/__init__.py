"""Loads that the ledger runs itself, card and kiosk far away: sessions, their intents, and the rolling of card keys."""
