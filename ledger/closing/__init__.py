"""Closed windows, kept by the database itself."""
