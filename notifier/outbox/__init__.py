"""The tables that an application writes in its own transaction; the library's only SQLAlchemy."""
