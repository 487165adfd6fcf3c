"""`python -m web`: gunicorn with the service's configuration, in any working directory.

gunicorn itself puts the working directory first on the path (gunicorn/app/base.py, `chdir`). That may be the
folder of an application that has a `models.py` or a `web/` of its own.
"""

from gunicorn.app.wsgiapp import WSGIApplication


class Application(WSGIApplication):  # type: ignore[misc]
    """gunicorn that imports nothing from the working directory."""

    def chdir(self) -> None:
        """Stay in the working directory, but do not add it to the path."""


if __name__ == "__main__":
    Application("%(prog)s [OPTIONS]", prog="gunicorn").run()
