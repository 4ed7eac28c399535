"""The database's revisions (Alembic), and the declared tables that they must arrive at."""
