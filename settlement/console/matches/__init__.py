"""Matches and suggestions as the console lists them."""
