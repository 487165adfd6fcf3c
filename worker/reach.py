"""Build the parts of a worker for channels: the configured channels, and the loop that serves them."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from notifier.channels import EMAIL, PUSH, Channel, defined_channels
from notifier.core.backoff import by_chance
from notifier.core.group import Group
from notifier.outbox.engine import Database
from notifier.settings import Settings
from usecases import reach, reach_outcomes
from usecases.reach import Claimed
from usecases.reach_outcomes import Outcome
from usecases.reach_rules import Rules
from usecases.sealed_token import PUSH_READ, SealedTokens
from usecases.unsubscribe import UnsubscribeLinks
from usecases.vapid import Vapid
from worker.channels.email import EmailChannel, HandsIn, MailFolder
from worker.channels.mail_page import MailPages
from worker.channels.push import PushChannel
from worker.channels.smtp import SmtpTransport
from worker.reach_loop import ReachLoop
from worker.reach_measures import ReachMeasures

MAX_TOGETHER = 500  # outcomes of one transaction


def channels(settings: Settings) -> Mapping[str, Channel]:
    """Return the channels that are set up. Raises SettingError."""
    found: dict[str, Channel] = dict(defined_channels())
    pages = MailPages(settings.site_url, settings.templates) if _built_in(settings) else None
    if pages is not None and settings.email_on:
        server = settings.smtp_server
        transport: HandsIn = SmtpTransport(server) if server else MailFolder(settings.var_dir / "mail")
        found[EMAIL] = EmailChannel(
            pages,
            transport,
            sender=settings.mail_sender,
            unsubscribe=UnsubscribeLinks.from_settings(settings).link,
        )
    vapid = Vapid.from_settings(settings)
    if pages is not None and vapid is not None:
        tokens = SealedTokens.from_settings(PUSH_READ, settings)
        found[PUSH] = PushChannel(vapid, tokens, settings.push_hosts, pages.absolute)
    return found


def _built_in(settings: Settings) -> bool:
    return settings.email_on or settings.push_on


def make_loop(database: Database, settings: Settings, measures: ReachMeasures) -> ReachLoop:
    """Return the loop over the channels that are set up. Raises SettingError."""
    rules = Rules.from_settings(settings)
    jitter = by_chance

    def claim(channel: str, limit: int, hosts: frozenset[str]) -> Sequence[Claimed]:
        return reach.claim(database, channel, limit, hosts, rules=rules)

    def keep(outcomes: Sequence[Outcome]) -> Sequence[None]:
        reach_outcomes.keep(database, outcomes, rules=rules, jitter=jitter)
        return [None] * len(outcomes)

    store: Callable[[Outcome], None] = Group(keep, max_items=MAX_TOGETHER)
    return ReachLoop(
        channels(settings),
        claim,
        store,
        partial(reach_outcomes.lose_overdue, database, rules=rules, jitter=jitter),
        threads=settings.reach_concurrency,
        interval=settings.sweep_interval,
        measures=measures,
    )
