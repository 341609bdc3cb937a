"""The table of issued cards."""
