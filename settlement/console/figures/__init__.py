"""Figures over days, from the database."""
