"""A night as its page lists it."""
