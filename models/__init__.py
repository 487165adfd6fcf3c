"""The only SQLAlchemy of this project: tables, engine, and the store that reads and writes them.

Nothing here knows Celery, kombu or Flask. The store's functions take a connection that is inside
a transaction; the caller decides when it begins and ends (`engine.Database`).
"""
