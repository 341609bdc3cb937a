"""Proposals: entries that one person proposes and another approves."""
