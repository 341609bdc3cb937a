"""Schema migrations of a city's database: alembic, forward only, on SQLite and PostgreSQL."""
