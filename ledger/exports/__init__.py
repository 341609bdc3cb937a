"""A ledger as files for other programs (Parquet, CSV), and a whole one taken in again."""
