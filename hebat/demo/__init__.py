"""The demo: one business day of an invented city quarter, planned from a seed and run through the real parts."""
