"""`python -m worker`: Celery's command line for the service's own application.

`celery -A worker.app` puts the working directory first on the path while it imports (`cwd_in_path` in
celery/utils/imports.py). That may be the folder of an application that has a `models.py` or a `worker.py` of
its own. Here our modules are imported before, and the application is passed as an object.
"""

from celery.bin.celery import celery

from worker import tasks
from worker.app import app

__all__ = ["tasks"]

if __name__ == "__main__":
    celery.params[0].default = app  # as `Celery.start` does
    # Without `auto_envvar_prefix`: CELERY_… in the environment are meant for the application's own Celery.
    celery(prog_name="celery")
