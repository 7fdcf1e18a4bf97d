"""Flower on our app: its options, and that it does not open without a login.

Flower reads its options from the environment, the command line and its own file after it has
loaded the app.  So what is set while the app is made is a default; whatever an operator says wins.
"""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from celery import Celery, signals
from tornado.options import options

from tasks.worker import refuse
from trailcourier import flower, observe, wiring
from trailcourier import settings as configuration
from trailcourier.errors import ConfigError
from trailcourier.settings import Settings


def asked_for() -> bool:
    """Whether this process is to be Flower: ``celery -A tasks flower``."""
    context = click.get_current_context(silent=True)
    return context is not None and "flower" in {context.info_name, context.invoked_subcommand}


def settings() -> Settings:
    """Configure this process with no more than Flower needs."""
    wiring.configure(configuration.load(tables=flower.TABLES))
    return wiring.settings()


def set_defaults(app: Celery, broker: Callable[[], str]) -> None:
    """Set what Flower does where it is not told otherwise; *broker* is its URL as it is just now.

    Its pages are imported here, for every worker and the clock import this module.
    """
    from flower.app import Flower  # noqa: PLC0415
    from flower.views.tasks import TASK_COLUMNS  # noqa: PLC0415

    # its page of queues has a client of its own, and would keep the password of its start
    Flower.broker_uri_with_password = property(lambda _: broker())

    for name, value in flower.defaults(wiring.settings()).items():
        setattr(options, name, value)
    TASK_COLUMNS.update(flower.COLUMNS)
    app.conf.imports = ()  # it runs no task, and AWS's libraries are large


@signals.import_modules.connect
def open_flower(**_: Any) -> None:
    """Flower's turn: it has read its options, and is about to open.  Without a login it ends."""
    if not asked_for():
        return
    found = wiring.settings()
    try:
        if options.basic_auth or not options.auth:
            options.basic_auth = flower.logins(found, options.basic_auth or ())
    except ConfigError as error:
        refuse(error, os.EX_CONFIG)
    if options.logging == "none":
        level = logging.getLevelNamesMapping()[found.workers.log_level.upper()]
        observe.adopt(found.workers.log_format, level)
    if options.persistent:
        Path(options.db).parent.mkdir(parents=True, exist_ok=True)
