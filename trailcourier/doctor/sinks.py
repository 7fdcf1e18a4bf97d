"""The sinks: whether each is ready for records; with --send, whether it accepts one."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from trailcourier.breaker_name import sink_breaker
from trailcourier.doctor import deadlines, hosts, tls_fixes, wire_probe
from trailcourier.doctor.finding import CatalogueEntry, Entries, Finding
from trailcourier.doctor.subject import Subject
from trailcourier.errors import ConfigError, Fault
from trailcourier.provision.cross_partition import explain_partition_exit
from trailcourier.reasons import advice
from trailcourier.sinks import SinkConfig, folders, test_record
from trailcourier.sinks.file import File
from trailcourier.sinks.stdout import Stdout
from trailcourier.wiring import lines

PATIENCE = 15.0  # seconds for a test record
SCARCE = 100 * 1024 * 1024  # bytes free on a disk

ENTRIES: Entries = {
    "TC901": CatalogueEntry(
        "Is the sink ready for records?",
        ("ok", "not-checked", "warning", "error"),
        "Checked without sending: a folder has to be writable and have free space; a host has to "
        "be found by DNS, accept a connection and show a trusted certificate. Only `--send` shows "
        "whether the sink accepts a record. Doctor checks from the host it runs on: run it where "
        "the object workers run.",
    ),
    "TC902": CatalogueEntry(
        "Does the sink accept a record?",
        ("ok", "error"),
        "Only with `--send`: doctor sends one marked record, as `trailcourier sink test` does. "
        "Look for its eventID at the receiver. The sink's page says what accepted means there.",
    ),
    "TC903": CatalogueEntry(
        "Do records stay in their AWS partition?",
        ("not-checked",),
        "A source in GovCloud, China or the European sovereign cloud with a sink elsewhere moves "
        "records out of that partition. InsightIDR keeps its data in standard AWS regions, "
        "whichever way the records take. Decide whether your rules allow that.",
    ),
}

_UNREACHED = {
    "TC101": "Correct the sink's `host` or `region`, or make this machine's DNS resolve the name.",
    "TC102": "Check that the receiver listens on that port, that the sink's settings name it, and "
    "that no firewall blocks it.",
    "TC103": "Allow the host in the proxy of HTTPS_PROXY, or name it in NO_PROXY.",
    "TC104": "Give the receiver a certificate for this host name; set `ca_file` of the sink or "
    "AWS_CA_BUNDLE to a company's own authority.",
}


def check_sinks(subject: Subject) -> Iterator[Finding]:
    """Check each sink of the source; with ``Shared.send``, send it a test record."""
    for name in subject.source.sinks:
        yield from _check_sink(subject, name, subject.shared.settings.sinks[name])


def _check_sink(subject: Subject, name: str, config: SinkConfig) -> Iterator[Finding]:
    if subject.shared.send:
        # once, however many sources share the sink
        yield subject.shared.cache.get(("sent", name), lambda: _send(subject, name))
    else:
        yield _check_ready(subject, name, config)
    if left := explain_partition_exit(subject.source.queue.partition, name, config):
        yield Finding(
            "not-checked", "TC903", left, "Check that your rules allow it, or use a sink inside."
        )


def _check_ready(subject: Subject, name: str, config: SinkConfig) -> Finding:
    match config:
        case File():
            return _check_folder(name, config.path.absolute(), trusting=config.trust_path)
        case Stdout():
            text = (
                f"sink {name}: writes to a worker's standard output; doctor cannot see who reads it"
            )
            return Finding("ok", "TC901", text)
        case _:
            return _check_hosts(subject, name, config)


def _check_folder(name: str, path: Path, *, trusting: bool) -> Finding:
    """Check the folder, or the parent in which it would be created, without writing."""
    existing = path if path.exists() else path.parent
    if wrong := _folder_problem(path, existing, trusting=trusting):
        text, fix = wrong
        return Finding("error", "TC901", f"sink {name}: {text}", fix)
    free = shutil.disk_usage(existing).free
    text = f"sink {name}: {path} is writable, {free / 1e9:,.1f} GB free"
    if free < SCARCE:
        return Finding(
            "warning", "TC901", text, "Free space on this disk; objects are parked when it is full."
        )
    return Finding("ok", "TC901", text)


def _folder_problem(path: Path, existing: Path, *, trusting: bool) -> tuple[str, str] | None:
    """Return the problem with the folder *path* and its fix; *existing* is it or its parent."""
    if not existing.exists():
        text = f"the folder {existing}, in which {path.name} would be created, does not exist"
        return text, f"Create or mount {existing}; or correct `path` of the sink."
    if not existing.is_dir():
        return f"{existing} is not a folder", "Correct `path` of the sink."
    if os.statvfs(existing).f_flag & os.ST_RDONLY:
        text = f"{existing} is not writable here: its file system is read-only"
        return text, "Mount it writable, or run doctor on the host where the workers run."
    if not os.access(existing, os.W_OK | os.X_OK):
        return (
            f"this user may not write to {existing}",
            "Give the workers' user write access to it.",
        )
    if not trusting and (error := _untrusted(path)):
        return error.why, f"{error.fix[0].upper()}{error.fix[1:]}."
    return None


def _untrusted(path: Path) -> folders.Untrusted | None:
    """Return why the workers would not trust the folder, or None.

    As root, doctor does not know the workers' user, so the folder's owner counts as that user.
    """
    users = {0, os.geteuid()}
    if os.geteuid() == 0 and path.exists():
        users.add(path.stat().st_uid)
    try:
        folders.check_folder(path, users)
    except folders.Untrusted as error:
        return error
    return None


def _check_hosts(subject: Subject, name: str, config: SinkConfig) -> Finding:
    try:
        required = hosts.sink_hosts(name, config)
    except ConfigError as error:
        return Finding(
            "error", "TC901", str(error), "Correct the secret that the sink's settings name."
        )
    failures = hosts.reach_all(subject.shared, required)
    listed = ", ".join(str(each.peer) for each in required)
    for host, failure in zip(required, failures, strict=True):
        if failure is not None:
            text = f"sink {name}: {host.peer}: {failure.words}"
            fix = _UNREACHED[failure.id]
            if failure.id == "TC104":
                fix = tls_fixes.fix_for(failure.words, fix)
            fix = f"{fix} See {failure.id} in docs/doctor.md."
            return Finding("error", "TC901", text, fix)
    if not required:
        text = f"sink {name}: this kind of sink cannot be checked without sending a record"
        fix = "`trailcourier doctor --send` sends it one marked record."
        return Finding("not-checked", "TC901", text, fix)
    text = f"sink {name}: {listed} accepts connections; no record was sent"
    return Finding("ok", "TC901", text)


def _expects_tls(config: SinkConfig) -> bool:
    """Return whether a receiver, to which the sink would send plain text, speaks TLS."""
    try:
        peers = [each.peer for each in hosts.sink_hosts("", config) if not each.peer.web]
    except ConfigError:
        return False
    plain = [(each.host, each.port) for each in peers if not each.encrypted]
    return any(wire_probe.rejects_lines(*x) and wire_probe.speaks_tls(*x) for x in plain)


def _send(subject: Subject, name: str) -> Finding:
    if _expects_tls(subject.shared.settings.sinks[name]):
        text = f"sink {name}: the receiver speaks TLS, and the sink sends plain text"
        return Finding(
            "error", "TC902", text, "Set `tls = true` in the sink, or name another port."
        )

    def send() -> str:
        sink = lines.sink(name)
        try:
            return test_record.send(sink)
        finally:
            sink.close()

    try:
        event = deadlines.run_within(subject.shared.seconds_left(PATIENCE), send)
    except TimeoutError:
        text = f"sink {name} did not accept a record within {PATIENCE:.0f} s"
        return Finding("error", "TC902", text, advice("sink-busy"))
    except Fault as fault:
        text = f"sink {name} did not accept a record: {fault.detail} ({fault.reason})"
        return Finding("error", "TC902", text, advice(fault.reason, str(sink_breaker(name))))
    except ConfigError as error:
        return Finding("error", "TC902", f"sink {name}: {error}", "Correct the sink's settings.")
    return Finding("ok", "TC902", f"sink {name} accepted a record; look for eventID {event} there")
