"""A real Celery worker on the file broker is quick, and no file stops it."""

from __future__ import annotations

import os
import sys
import textwrap
import time
from pathlib import Path

import pytest
from celery import Celery

from notifier.broker import TASK_QUEUE, celery_config
from notifier.broker.file_transport import GRACE, REJECTED
from notifier.broker.topology import connection_options
from notifier.settings import Settings
from tests.harness import processes
from tests.harness.waiting import until

WORKER = """
    from pathlib import Path
    from celery import Celery
    from notifier.broker import TASK_QUEUE, celery_config
    from notifier.settings import Settings

    app = Celery("test")
    app.conf.update(celery_config(Settings.load()), task_default_queue=TASK_QUEUE)

    @app.task(name="touch")
    def touch(path):
        Path(path).touch()
"""

JUNK = ["", "{", "[1]", '{"properties": {}}',
        '{"properties": {"delivery_tag": "1", "body_encoding": "base64"}, "body": "a"}']  # fmt: skip
# A valid envelope whose content Celery does not understand.
STRANGE = '{"properties": {"delivery_tag": "1", "delivery_info": {}}, "headers": {}, "body": "?"}'


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, var_dir=tmp_path / "var")


def test_a_worker_survives_every_file_it_finds(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "junk_worker.py").write_text(textwrap.dedent(WORKER))
    tasks = connection_options(settings).tasks_folder
    tasks.mkdir(parents=True)
    for number, text in enumerate([*JUNK, STRANGE]):
        file = tasks / f"{number}_junk.{TASK_QUEUE}.msg"
        file.write_text(text)
        then = time.time() - GRACE - 1
        os.utime(file, (then, then))

    env = processes.clean_env({"NOTIFIER_VAR_DIR": str(settings.var_dir), "PYTHONPATH": f"{tmp_path}:."})
    words = (sys.executable, "-m", "celery", "-A", "junk_worker", "worker", "--pool=solo", "--loglevel=INFO")
    worker = processes.command(*words, env=env, log=tmp_path / "worker.log")
    try:
        worker.start()
        app = Celery("producer", set_as_current=False)
        app.conf.update(celery_config(settings))
        done = tmp_path / "done"
        app.send_task("touch", (str(done),), queue=TASK_QUEUE, ignore_result=True, retry=False)
        until(done.exists, 30, "the task ran")
        kept = sorted(f.name for f in (tasks / REJECTED).iterdir())
        assert kept == [f"{n}_junk.{TASK_QUEUE}.msg" for n in range(len(JUNK))]
        assert list(tasks.glob("*.msg")) == []
        assert worker.alive
    finally:
        worker.terminate()
