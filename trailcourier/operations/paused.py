"""What each open circuit breaker pauses, since when, and what to do, in words."""

from trailcourier.breaker_name import BreakerName
from trailcourier.ledger.breakers import Breaker
from trailcourier.operations.standstill import since
from trailcourier.reasons import advice
from trailcourier.text import printable


def describe(breaker: Breaker, now: int, longest_pause: float) -> str:
    """Return the sentences about *breaker* that an operator reads.

    *now* is milliseconds of the ledger's clock; *longest_pause* is the longest time between two
    probes, in seconds (``line.breaker_probe``).
    """
    name = BreakerName.parse(breaker.name)
    what = paused_work(breaker.name)
    opened = f"circuit breaker open{since(breaker.since, now)}"
    if name.host:
        effect = f"are paused: {opened}; other hosts go on"
    elif name.kind == "delete":
        effect = f"fail: {opened}, retried by each settle; delivered messages stay in the queue"
    else:
        effect = f"are paused: {opened}, retried at least every {longest_pause:g} s"
    why = f"Reason {breaker.reason}: {printable(breaker.text).rstrip('.')}."
    return f"{what} {effect}. {why} {advice(breaker.reason, breaker.name)}".rstrip()


def waited_for(breaker: Breaker) -> str:
    """Return what the source waits for behind *breaker*, with the error that the work met."""
    name = BreakerName.parse(breaker.name)
    bucket, _, account = name.scope.partition("/")
    match name.kind:
        case "sink":
            what = f"sink {name.owner}"
        case "bucket":
            what = f"bucket {bucket}" + (f" of account {account}" if account else "")
        case "kms":
            what = f"KMS key {name.scope}"
        case "queue" | "credentials" | "delete":
            what = "its credentials" if name.kind == "credentials" else "its queue"
        case _:
            what = breaker.name.partition("@")[0]
    host = f" on host {name.host}" if name.host else ""
    return printable(f"{what}{host} ({breaker.reason}): {breaker.text.rstrip('.')}")


def paused_work(text: str) -> str:
    """Return what the breaker of this name pauses."""
    name = BreakerName.parse(text)
    bucket, _, account = name.scope.partition("/")
    match name.kind:
        case "sink":
            work = f"Deliveries to sink {name.owner}"
        case "queue":
            work = f"Receives from the queue of source {name.owner}"
        case "credentials":
            work = f"Receives and reads with the credentials of source {name.owner}"
        case "delete":
            work = f"Deletes from the queue of source {name.owner}"
        case "bucket":
            work = f"Reads from bucket {bucket}" + (f" of account {account}" if account else "")
        case "kms":
            work = f"Reads of objects encrypted with {name.scope}"
        case _:
            work = f"Calls behind {text.partition('@')[0]}"
    return printable(f"{work} on host {name.host}" if name.host else work)
