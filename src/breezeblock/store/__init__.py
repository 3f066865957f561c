"""The database: tables, one module of queries a resource, migrations, and transactions."""
