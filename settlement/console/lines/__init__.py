"""Lines, items and what stands behind them, from the database."""
