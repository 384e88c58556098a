"""The way of a store from each schema to the next, as Alembic wants it. What was released is not edited."""
