"""The environment of the processes that a command starts.

The service may be started in the folder, and with the environment, of an application that uses Celery,
gunicorn and packages called `models` or `web` itself. None of that is meant for the service.
"""

import os

#: What Celery's and gunicorn's command lines read from the environment (celery/bin/celery.py, `envvar`;
#: gunicorn/config.py). The service's own way to say the same are its settings.
FOREIGN = {
    "APP", "BROKER_URL", "CONFIG_MODULE", "GUNICORN_CMD_ARGS", "LOADER", "RESULT_BACKEND", "SKIP_CHECKS",
    "WEB_CONCURRENCY", "WORKDIR",
}  # fmt: skip
PREFIX = "CELERY_"


def child_environment() -> dict[str, str]:
    """Return this process's environment without what is meant for others.

    Python puts neither the working directory nor the folder of a script on the path of a child
    (https://docs.python.org/3/using/cmdline.html#envvar-PYTHONSAFEPATH), nor on that of the child's children.
    """
    own = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    return {name: value for name, value in own.items() if not name.startswith(PREFIX)} | {
        "PYTHONSAFEPATH": "1"
    }
