"""Whether records really come: what ``setup apply`` tries once the AWS side is there."""

import boto3

from trailcourier.aws import sessions
from trailcourier.cli.setup.account import SetupAccount
from trailcourier.cli.setup.result import ApplyOptions
from trailcourier.provision import Layout, configuration, first_receive, trail_advice
from trailcourier.provision.first_receive import ReceiveResult
from trailcourier.settings import Settings


def check(
    account: SetupAccount,
    layout: Layout,
    loaded: Settings | None,
    url: str,
    options: ApplyOptions,
) -> ReceiveResult:
    """Receive once; a set-up whose trail does not log is not live whatever the queue says."""
    received = _receive_once(account, layout, loaded, url, options)
    stopped = [each for each in trail_advice.feeding_trails(layout) if each.is_logging is False]
    if layout.request.trail or not stopped:
        return received
    why = f"trail {stopped[0].arn} {trail_advice.explain_logging(stopped[0])}"
    return ReceiveResult(good=False, summary=f"{why} ({received.summary})")


def _receive_once(
    account: SetupAccount,
    layout: Layout,
    loaded: Settings | None,
    url: str,
    options: ApplyOptions,
) -> ReceiveResult:
    """Receive as the collector where its credentials work on this host, else as the caller."""
    name = layout.request.source
    source = loaded.sources.get(name) if loaded else None
    if source is None or layout.request.reader != "user":
        address = configuration.queue_address(layout, url)
        result = first_receive.receive(
            account.session, address, network=account.network, wait=options.wait
        )
        text = f"{result.summary} (tried with your credentials, not the collector's)"
        return ReceiveResult(result.good, text)
    session: boto3.Session = sessions.make_session(
        source.credentials, source=name, sts_region=layout.region, network=account.network
    )
    return first_receive.receive(session, source.queue, network=account.network, wait=options.wait)
