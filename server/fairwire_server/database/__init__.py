"""PostgreSQL: the pool, named queries, migrations, the embedded engine. asyncpg lives here and in `*/store.py`."""
