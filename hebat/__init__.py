"""Composition root: settings, wiring, the `hebat` command, the HTTP application, the demo day."""
