"""Matching expected items against statement lines, in named passes."""
