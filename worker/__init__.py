"""The Celery side: small tasks that decode, store and publish. Never imports `web`."""
