"""The service's SQLAlchemy: its tables, and the store that reads and writes them.

Nothing here knows Celery, kombu or Flask. The store's functions take a connection inside a transaction, which
the caller begins and ends (`notifier.outbox.engine.Database`).
"""
