"""Build the environment of child processes.

The service may be started in the folder and with the environment of an application that uses Celery and
gunicorn itself, and has packages called `models` or `web`. None of that is meant for the service.
"""

import os
from pathlib import Path

#: What Celery's and gunicorn's command lines read from the environment (celery/bin/celery.py, `envvar`;
#: gunicorn/config.py). The service has settings for the same.
FOREIGN = {
    "APP", "BROKER_URL", "CONFIG_MODULE", "GUNICORN_CMD_ARGS", "LOADER", "RESULT_BACKEND", "SKIP_CHECKS",
    "WEB_CONCURRENCY", "WORKDIR",
}  # fmt: skip
PREFIX = "CELERY_"
HERE = str(Path(__file__).resolve().parents[1])


def child_environment() -> dict[str, str]:
    """Return this process's environment without what is meant for others.

    With PYTHONSAFEPATH a child has neither the working directory nor its script's folder on its path, and its
    own children neither (https://docs.python.org/3/using/cmdline.html#envvar-PYTHONSAFEPATH). What PYTHONPATH
    names stays, after the service's own folder: an application's `models.py` is not ours.
    """
    own = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    theirs = own.get("PYTHONPATH")
    return {name: value for name, value in own.items() if not name.startswith(PREFIX)} | {
        "PYTHONSAFEPATH": "1",
        **({"PYTHONPATH": os.pathsep.join((HERE, theirs))} if theirs else {}),
    }
