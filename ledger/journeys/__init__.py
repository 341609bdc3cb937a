"""Journeys: what cards rode, rebuilt from the taps in the books, and the transfers that put a wrong or missing fare right."""
