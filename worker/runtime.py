"""The parts that the tasks and the timers of one worker process share."""

from functools import partial
from typing import Any

import kombu
from amqp.exceptions import AMQPError
from celery import Celery

from notifier.broker.publisher import Publisher
from notifier.broker.topology import REACH_QUEUE, TASK_QUEUE, brokers
from notifier.core.errors import BrokerUnavailable
from notifier.core.forks import in_child
from notifier.outbox.engine import Database, make_engine
from notifier.outbox.lost_answers import LostAnswers
from notifier.send import Sender
from notifier.settings import Settings
from notifier.wake import CHUNK, woken_now
from worker.dispatcher import Dispatcher
from worker.due import DueChore
from worker.measures import Measures
from worker.reach import make_loop
from worker.reach_loop import ReachLoop
from worker.reach_measures import ReachMeasures
from worker.reach_wake import ReachWaker
from worker.rejected_messages import RejectedMessages
from worker.returns import Returns
from worker.sweep import Purge, Sweep
from worker.timer import Chore

REACH = "notifier.reach"
WAKE_UP_LIFE = 10.0  # seconds; a queue that nobody consumes does not grow


class WorkerRuntime:
    """The parts that the tasks of one process share; made again after a fork."""

    def __init__(self, settings: Settings, app: Celery) -> None:
        self._settings = settings
        self._app = app
        self._made = False
        in_child(self._reset)
        self.measures = Measures()
        self.reach_measures = ReachMeasures()
        self._reach: ReachLoop | None = None
        self.rejected_messages = RejectedMessages(lambda: self.sender.database)

    def _reset(self) -> None:
        self._made = False

    def _ready(self) -> None:
        if not self._made:
            database = self._open(pool_size=2)
            self._publisher = Publisher(self._settings)
            self._dispatcher = self._new_dispatcher(database)
            self._sender = Sender(database, self)
            self._made = True

    def _open(self, pool_size: int) -> Database:
        """Open the database. A transaction has no time limit here, so lost answers are looked for."""
        url = self._settings.database_url
        engine = make_engine(url, pool_size=pool_size)
        LostAnswers(engine, make_engine(url, pool_size=1))
        return Database(engine, limit=self.measures.counted)

    def _new_dispatcher(self, database: Database) -> Dispatcher:
        return Dispatcher(
            database,
            self._publisher,
            self._settings,
            measures=self.measures,
            wake_reach=ReachWaker(partial(self._enqueue, REACH, queue=REACH_QUEUE, expiration=WAKE_UP_LIFE)),
        )

    def serve_channels(self) -> None:
        """Begin to send what is due over channels, in threads of this process. Raises SettingError."""
        database = self._open(pool_size=3)
        self._reach = make_loop(database, self._settings, self.reach_measures)
        self._reach.start()

    def wake_reach(self) -> None:
        """Look for rows of channels that are due."""
        if self._reach is not None:
            self._reach.wake()

    def stop_channels(self) -> None:
        """Take no further rows, and wait until those being sent are finished."""
        if self._reach is not None:
            self._reach.stop()

    def wake(self, id: str, *, bulk: bool = False) -> None:
        """Enqueue the next chunk; a single notification is drained by the task that stored it."""
        if bulk:
            self._enqueue(CHUNK, kwargs={"id": id}, headers=woken_now())

    def chores(self) -> list[Chore]:
        """Return the chores of this worker's timer, which runs beside the tasks."""
        database, settings = self.sender.database, self._settings
        dispatcher = self._new_dispatcher(database)
        chores: list[Chore] = [
            Sweep(
                dispatcher,
                database,
                partial(self.wake, bulk=True),
                settings.sweep_interval,
                draining=lambda: self.dispatcher.draining,
            ),
        ]
        if settings.retention_days:
            chores.append(Purge(database, settings.retention_days))
        return chores

    def due_chore(self) -> DueChore:
        """Return the chore that checks due times."""
        database = self.sender.database
        dispatcher = self._new_dispatcher(database)
        return DueChore(dispatcher, database, partial(self.wake, bulk=True))

    def returns(self) -> Returns:
        """Return what brings snoozed entries back."""
        return Returns(self.sender.database, self._publisher)

    def _enqueue(self, name: str, *, queue: str = TASK_QUEUE, **options: Any) -> None:
        """Enqueue a task; when a kept connection is stale (its node died), try once more with a new one.

        Raises BrokerUnavailable, also when the broker refuses (a permission, a queue of another type): kombu
        tries again after a lost connection alone.
        """
        again = {"max_retries": brokers(self._settings), "interval_start": 0, "interval_step": 0}
        try:
            self._app.send_task(
                name, queue=queue, ignore_result=True, retry=True, retry_policy=again, **options
            )
        except kombu.exceptions.OperationalError as exc:
            raise BrokerUnavailable(f"the broker does not answer ({exc})") from exc
        except AMQPError as exc:
            raise BrokerUnavailable(f"the broker refuses ({exc})") from exc

    @property
    def dispatcher(self) -> Dispatcher:
        """This process's dispatcher."""
        self._ready()
        return self._dispatcher

    @property
    def sender(self) -> Sender:
        """This process's sender."""
        self._ready()
        return self._sender
