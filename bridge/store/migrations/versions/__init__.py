"""The migrations; Alembic finds them by what they say of themselves."""
