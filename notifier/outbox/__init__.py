"""Tables and statements that run in an application's own transaction; the library's only SQLAlchemy."""
