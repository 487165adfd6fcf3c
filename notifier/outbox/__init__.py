"""What an application writes in its own transaction, and the library's only SQLAlchemy."""
