"""An empty configuration: gunicorn would use the gunicorn.conf.py of its working directory."""
