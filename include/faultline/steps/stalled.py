"""Whether the alert lane still evaluates, asked by the archive lane: who has stopped cannot say so."""

from __future__ import annotations

import logging
import random
from datetime import datetime, timedelta

from faultline.adapters.database import Database
from faultline.alerting.alerts import LEASE
from faultline.dispatch.meta import meta_notification
from faultline.dispatch.outbox import dispatch_due
from faultline.dispatch.receivers import build_receivers, fallback_of, folds_of, rates_of, targets_of
from faultline.dispatch.secrets import Connections, environment_connection
from faultline.durations import format_duration
from faultline.errors import PermanentError, TransientError
from faultline.model import utc_now
from faultline.settings import Settings
from faultline.steps.last_good import configured_rules, in_force

log = logging.getLogger(__name__)


def tell_of_stall(settings: Settings, *, at: datetime, connections: Connections = environment_connection) -> bool:
    """Tell the root route's receiver, once an hour, when no evaluation was recorded for ``stalled_after``.

    What waits in the outbox is sent with it: nobody else does. Whether it was stalled; what cannot be asked is not, and
    is said in the log, for the archive must not wait for it. An alert lane that never ran is not missed.
    """
    try:
        with Database(settings.database_url) as database:
            evaluated = database.evaluated(LEASE)
            if evaluated is None or at - evaluated.at < settings.stalled_after:
                return False
            lasts = format_duration(timedelta(minutes=(at - evaluated.at) // timedelta(minutes=1)))
            summary = (
                f"No rule has been evaluated for {lasts}, since {evaluated.at:%Y-%m-%d %H:%M:%S} UTC: "
                "is watch_errors paused, or its worker gone?"
            )
            log.error("%s", summary)
            _send(settings, database, summary, at, connections)
    except (TransientError, PermanentError) as error:
        log.warning("cannot tell whether alerts are evaluated: %s", error)
        return False
    return True


def _send(settings: Settings, database: Database, summary: str, at: datetime, connections: Connections) -> None:
    rules = in_force(configured_rules(settings), database)
    receivers = build_receivers(rules, connections, settings.ui_url)
    fallback = fallback_of(rules, receivers)
    if fallback is None:
        raise PermanentError(f"the root route of {settings.rules_file} has no receiver")
    identity = f"EvaluationStalled:{at:%Y-%m-%dT%H}"
    notification = meta_notification(
        "EvaluationStalled", {}, summary, identity=identity, receiver=fallback.receiver, at=at
    )
    database.enqueue(notification, targets_of(receivers)[fallback.receiver])
    dispatch_due(
        database,
        receivers,
        clock=utc_now,
        rng=random.Random(),
        rates=rates_of(rules),
        folds=folds_of(rules),
        fallback=fallback,
    )
