"""The migrations of our tables (alembic)."""
