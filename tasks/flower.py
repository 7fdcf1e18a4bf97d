"""Flower on our app: default options, and no start without a login.

Flower reads its options from the environment, the command line and its own file after it has
loaded the app.  So options set while the app is built are defaults that the operator can override.
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
from trailcourier import settings as configuration
from trailcourier import wiring
from trailcourier.errors import ConfigError
from trailcourier.host import flower
from trailcourier.observability import log
from trailcourier.settings import Settings


def asked_for() -> bool:
    """Whether this process is Flower: ``celery -A tasks flower``."""
    context = click.get_current_context(silent=True)
    return context is not None and "flower" in {context.info_name, context.invoked_subcommand}


def settings() -> Settings:
    """Load only the configuration that Flower needs."""
    wiring.configure(configuration.load(tables=flower.TABLES))
    return wiring.settings()


def set_defaults(app: Celery, broker: Callable[[], str]) -> None:
    """Set Flower's default options; *broker* returns the broker's current URL.

    Imports Flower here, because every worker and beat import this module.
    """
    from flower.app import Flower  # noqa: PLC0415
    from flower.views.tasks import TASK_COLUMNS  # noqa: PLC0415

    # Flower's page of queues has its own client, which would keep the password it started with
    Flower.broker_uri_with_password = property(lambda _: broker())

    for name, value in flower.defaults(wiring.settings()).items():
        setattr(options, name, value)
    TASK_COLUMNS.update(flower.COLUMNS)
    app.conf.imports = ()  # Flower runs no task, and AWS's libraries are large


@signals.import_modules.connect
def open_flower(**_: Any) -> None:
    """Check the login after Flower has read its options, before it opens; end without one."""
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
        log.adopt(found.workers.log_format, level)
    if options.persistent:
        Path(options.db).parent.mkdir(parents=True, exist_ok=True)
