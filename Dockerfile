# One image for every part: web, worker and migrate differ in their command only.
FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
WORKDIR /app
# The locked dependencies alone first: this layer changes only when the lock file does.
COPY requirements/run.txt requirements/run.txt
RUN /opt/venv/bin/python -m pip install --require-hashes --only-binary :all: -r requirements/run.txt
COPY pyproject.toml README.md LICENSE alembic.ini gunicorn.conf.py live_notifications_service.py ./
COPY notifier notifier
COPY monitoring monitoring
COPY usecases usecases
COPY cli cli
COPY models models
COPY worker worker
COPY web web
COPY client client
COPY migrations migrations
COPY examples examples
# Editable: the code stays in /app, where gunicorn.conf.py and the migrations are.
RUN /opt/venv/bin/python -m pip install --no-deps --no-build-isolation --editable ./notifier --editable . \
    && /opt/venv/bin/python -m compileall -q /app

FROM python:3.11-slim-bookworm
# No .pyc files are written and nothing is stored: the file system may be read-only, but for /tmp.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    NOTIFIER_HOST=0.0.0.0 \
    NOTIFIER_PORT=3000
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin notifier
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
WORKDIR /app
USER 10001
EXPOSE 3000
STOPSIGNAL SIGTERM
# For the web process; the others have checks of their own in docker-compose.yml.
HEALTHCHECK --interval=10s --timeout=4s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"NOTIFIER_PORT\"]}/healthz', timeout=3)"]
CMD ["notifier", "web"]
