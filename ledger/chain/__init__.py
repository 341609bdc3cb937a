"""The chain in its tables: blocks, their documents, and the business dates that are closed."""
