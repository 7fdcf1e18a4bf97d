"""The sinks: whether each could take records now, and only on demand whether it does."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from trailcourier.dispositions import advice
from trailcourier.doctor import bounded, hosts
from trailcourier.doctor.finding import Entries, Entry, Finding
from trailcourier.doctor.subject import Subject
from trailcourier.errors import ConfigError, Fault
from trailcourier.provision.outside import leaving
from trailcourier.sinks import SinkConfig, folders, trial
from trailcourier.sinks.file import File
from trailcourier.sinks.stdout import Stdout
from trailcourier.wiring import lines

PATIENCE = 15.0  # seconds for a test record
SCARCE = 100 * 1024 * 1024  # bytes left on a disk

TOLD: Entries = {
    "TC901": Entry(
        "Could the sink take records?",
        ("ok", "unproved", "warning", "error"),
        "Without sending: a folder that may be written to and has room, a host that is found, "
        "takes a connection and shows a certificate that is trusted. That the sink accepts a "
        "record, `--send` shows. It is seen from where `doctor` runs: run it where the object "
        "workers do.",
    ),
    "TC902": Entry(
        "Does it take one?",
        ("ok", "error"),
        "With `--send` alone: one marked record, as `trailcourier sink test` sends it. Look for "
        "its eventID at the other end: what a sink means by having taken it is on its page.",
    ),
    "TC903": Entry(
        "Do records stay in the partition?",
        ("unproved",),
        "A source in GovCloud, China or the European sovereign cloud with a sink elsewhere moves "
        "records out of that partition. InsightIDR keeps its data in standard AWS regions, by "
        "whichever way it gets there. Whether that may be is for you to say.",
    ),
}

_UNREACHED = {
    "TC101": "Correct the sink's `host` or `region`, or let this machine's resolver know the name.",
    "TC102": "See that it runs and listens at that port, that the sink's settings say the same, "
    "and that no firewall is between.",
    "TC103": "Have the proxy of HTTPS_PROXY let it through, or name it in NO_PROXY.",
    "TC104": "Have it show a certificate for the name that is asked for; name a company's own "
    "authority in `ca_file` of the sink or in AWS_CA_BUNDLE.",
}


def look(subject: Subject) -> Iterator[Finding]:
    """Look whether each sink of the source could take records, or does."""
    for name in subject.source.sinks:
        yield from _sink(subject, name, subject.shared.settings.sinks[name])


def _sink(subject: Subject, name: str, config: SinkConfig) -> Iterator[Finding]:
    if subject.shared.send:
        yield _sent(subject, name)
    else:
        yield _ready(subject, name, config)
    if left := leaving(subject.source.queue.partition, name, config):
        yield Finding("unproved", "TC903", left, "Whether that may be is for you to say.")


def _ready(subject: Subject, name: str, config: SinkConfig) -> Finding:
    match config:
        case File():
            return _folder(name, config.path.absolute(), trusting=config.trust_path)
        case Stdout():
            text = f"sink {name}: a worker's standard output; what reads it is not seen"
            return Finding("ok", "TC901", text)
        case _:
            return _reached(subject, name, config)


def _folder(name: str, path: Path, *, trusting: bool) -> Finding:
    """Look at the folder, or at the one it would be made in, without writing to it."""
    there = path if path.exists() else path.parent
    if wrong := _unusable(path, there, trusting=trusting):
        text, fix = wrong
        return Finding("error", "TC901", f"sink {name}: {text}", fix)
    free = shutil.disk_usage(there).free
    text = f"sink {name}: {path} may be written to, {free / 1e9:,.1f} GB free"
    if free < SCARCE:
        return Finding("warning", "TC901", text, "Make room on the disk.")
    return Finding("ok", "TC901", text)


def _unusable(path: Path, there: Path, *, trusting: bool) -> tuple[str, str] | None:
    """Say what is wrong with the folder at *path*, and what to do; *there* is what exists of it."""
    if not there.exists():
        text = f"there is no folder {there} to make {path.name} in"
        return text, f"Make {there}, or mount it; or correct `path` of the sink."
    if not there.is_dir():
        return f"{there} is no folder", "Correct `path` of the sink."
    if os.statvfs(there).f_flag & os.ST_RDONLY:
        text = f"{there} cannot be written to here: its file system is read-only"
        return text, "Mount it writable, or ask where the workers run."
    if not os.access(there, os.W_OK | os.X_OK):
        return f"this user may not write to {there}", "Let the user the workers run as write there."
    if not trusting and (error := _untrusted(path)):
        return error.why, f"{error.fix[0].upper()}{error.fix[1:]}."
    return None


def _untrusted(path: Path) -> folders.Untrusted | None:
    """What keeps the workers from trusting the folder; root does not know as whom they run."""
    users = {0, os.geteuid()}
    if os.geteuid() == 0 and path.exists():
        users.add(path.stat().st_uid)
    try:
        folders.look(path, users)
    except folders.Untrusted as error:
        return error
    return None


def _reached(subject: Subject, name: str, config: SinkConfig) -> Finding:
    try:
        peers = _peers(name, config)
    except ConfigError as error:
        return Finding("error", "TC901", str(error), "Correct the secret that the sink names.")
    failures = hosts.reached(subject.shared, peers)
    told = ", ".join(str(each.peer) for each in peers)
    for host, failure in zip(peers, failures, strict=True):
        if failure is not None:
            text = f"sink {name}: {host.peer}: {failure.words}"
            fix = f"{_UNREACHED[failure.id]} {failure.id} in docs/doctor.md says more."
            return Finding("error", "TC901", text, fix)
    if not peers:
        text = f"sink {name}: nothing can be shown without sending"
        return Finding("unproved", "TC901", text, "--send sends one marked record.")
    text = f"sink {name}: {told} takes connections; nothing was sent"
    return Finding("ok", "TC901", text)


def _peers(name: str, config: SinkConfig) -> list[hosts.Host]:
    return hosts.of_sink(name, config)


def _sent(subject: Subject, name: str) -> Finding:
    """Send one record, whichever source asks first."""
    return subject.shared.known.get(("sent", name), lambda: _send(subject, name))


def _send(subject: Subject, name: str) -> Finding:
    def do() -> str:
        outlet = lines.sink(name)
        try:
            return trial.send(outlet)
        finally:
            outlet.close()

    try:
        event = bounded.within(subject.shared.left(PATIENCE), do)
    except TimeoutError:
        text = f"sink {name} did not take a record within {PATIENCE:.0f} s"
        return Finding("error", "TC902", text, advice("sink-busy"))
    except Fault as fault:
        text = f"sink {name} did not take a record: {fault.detail} ({fault.reason})"
        return Finding("error", "TC902", text, advice(fault.reason, f"sink:{name}"))
    except ConfigError as error:
        return Finding("error", "TC902", f"sink {name}: {error}", "Correct its settings.")
    return Finding("ok", "TC902", f"sink {name} took a record; look for eventID {event} there")
