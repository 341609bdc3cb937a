"""Bring a database to the newest schema."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config


def upgrade(url: str) -> None:
    """Run every step that the database lacks; a database that is up to date stays as it is."""
    configuration = Config()
    configuration.set_main_option("script_location", str(Path(__file__).parent))
    engine = sa.create_engine(url)
    try:
        with engine.begin() as connection:
            configuration.attributes["connection"] = connection
            command.upgrade(configuration, "head")
    finally:
        engine.dispose()
