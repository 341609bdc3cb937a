"""Suspense per bank: lines that nobody knows yet, and the entries by which they come and go."""
