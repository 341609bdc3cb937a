"""Matches that were made, found again."""
