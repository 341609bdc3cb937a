"""Issued cards: what is known of one, and their table."""
