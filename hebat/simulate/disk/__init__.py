"""Simulated disks: SQLite's own file operations, on volumes that fail, fill up, die and forget what was not synced."""
