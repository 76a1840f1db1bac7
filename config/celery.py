"""The workers and their timetable.

The queue is only a hint: it may lose or repeat a task. What has to happen is written in the
database, and the timetable sweeps it.
"""

from __future__ import annotations

import os

from celery import Celery
from celery.signals import worker_ready

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("config")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["marketplace", "accounts", "chat", "studio"])


@app.on_after_finalize.connect
def _set_timetable(sender: Celery, **_: object) -> None:
    from django.conf import settings

    for network in settings.NETWORKS:
        for task, seconds in TIMETABLE.items():
            sender.add_periodic_task(
                seconds or settings.CHAIN_POLL_SECONDS,
                sender.signature(task, args=(network,), options={"expires": 30}),
                name=f"{task} {network}",
            )


# Seconds between runs, for each network; 0 stands for the setting CHAIN_POLL_SECONDS.
TIMETABLE = {
    "marketplace.tasks.watch_block": 0,
    "marketplace.tasks.sync_services": 30,
    "marketplace.tasks.probe_services": 10,  # new ones at once, known ones every minute
    "marketplace.tasks.read_reports": 60,
    "marketplace.tasks.verify_waiting": 5,
    "accounts.tasks.follow_transactions": 0,
    "accounts.tasks.read_events": 0,
    "accounts.tasks.read_past_events": 0,
    "accounts.tasks.refresh_active_wallets": 15,
    "chat.tasks.close_lost_streams": 15,
    "chat.tasks.check_answers": 15,
    "chat.tasks.purge_deleted": 3600,
    "studio.tasks.close_lost_works": 20,
    "studio.tasks.check_works": 15,
}


@worker_ready.connect
def _look_at_once(**_: object) -> None:
    """Do everything of the timetable now: a new site should not wait half a minute for its list."""
    from django.conf import settings

    for network in settings.NETWORKS:
        for task in TIMETABLE:
            app.send_task(task, args=(network,), expires=30)
