"""Batches by columns: what nearly every record of a batch is, read, proven and posted without an object of its own.

Nothing here decides anything by itself. A record is *plain* where these kernels are sure of what `card.batch` and `card.evidence` would say of it, and
that is good; every other record is for those two, one by one (docs/decisions/0019-columns.md).
"""
