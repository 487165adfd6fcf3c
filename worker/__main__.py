"""`python -m worker`: Celery's command `worker` for the service's own application.

`celery -A worker.app` puts the working directory first on the path while it imports (`cwd_in_path` in
celery/utils/imports.py). That may be the folder of an application that has a `models.py` or a `worker.py` of
its own. Here our modules are imported before, and the application is passed as an object.

Celery's command line itself (`celery.bin.celery`) is not imported: it imports all other commands too, and a
shell with a prompt, which is a fifth of a worker's start.
"""

import gc

gc.disable()  # what imports make stays: to look for garbage meanwhile is a fifth of their time

from celery.bin.base import CLIContext  # noqa: E402
from celery.bin.worker import worker  # noqa: E402

from worker import tasks  # noqa: E402
from worker.app import app  # noqa: E402

__all__ = ["tasks"]

gc.freeze()
gc.enable()

if __name__ == "__main__":
    # Without `auto_envvar_prefix`: CELERY_… in the environment are meant for the application's own Celery.
    worker(prog_name="worker", obj=CLIContext(app=app, no_color=False, workdir=None, quiet=True))
