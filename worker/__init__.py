"""The Celery side: thin tasks that decode, store, publish. Never imports `web`."""
