"""Disputes: claims against banks and parties, with evidence and a deadline."""
