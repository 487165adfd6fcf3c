"""The store: every SQL statement that matters, written once.

Each function takes a connection that is inside a transaction (see `notifier.outbox.engine.Database`).
"""
