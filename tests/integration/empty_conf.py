"""gunicorn takes the gunicorn.conf.py of the folder it runs in; these tests want none of it."""
