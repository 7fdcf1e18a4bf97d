"""``setup apply``: apply the plan, then write, check and try the configuration that uses it."""

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import boto3

from trailcourier import provision, settings
from trailcourier.aws import sessions
from trailcourier.cli import output
from trailcourier.cli.setup import report, summary
from trailcourier.cli.setup.account import SetupAccount
from trailcourier.cli.setup.result import ApplyOptions, ApplyResult
from trailcourier.errors import ConfigError
from trailcourier.provision import (
    Layout,
    SetupRequest,
    Step,
    StepReport,
    StepRunner,
    configuration,
    first_receive,
)
from trailcourier.provision.configuration import CredentialReferences, ExistingConfiguration
from trailcourier.provision.cross_partition import list_partition_warnings
from trailcourier.provision.first_receive import ReceiveResult
from trailcourier.provision.manual_steps import list_manual_steps
from trailcourier.provision.secret_file import SaveKey, create_secret_files, key_id_path
from trailcourier.secret import Secret
from trailcourier.settings import Settings, environment

SECRET = "secret_access_key"  # noqa: S105 - the placeholder's name, not a secret


def apply(account: SetupAccount, options: ApplyOptions) -> ApplyResult:
    """Apply the plan, write and check the configuration, receive once, and print all of it."""
    facts = account.collect_facts()
    layout, steps = Layout(account.request, facts), provision.plan(account.request, facts)
    existing = read_configuration(layout, options)
    known = external_id(account.request, options)
    runner = account.runner(facts, known)
    if not options.as_json:
        output.say(report.format_account(layout, facts.caller))
    with _place_for_secret(steps, account.runner(facts, known), options) as save_key:
        reports = tuple(_apply_steps(steps, runner, save_key, options))
    url = str(runner.known["queue_url"])
    written, tables = _write_source(layout, url, existing, options)
    environ = _environment_with_key(account.request, runner, options)
    problems, loaded = _load_configuration(options, tables, environ)
    result = ApplyResult(
        account=layout.account,
        steps=reports,
        elsewhere=list_manual_steps(layout),
        configuration=tables,
        written=written,
        problems=problems,
        warnings=tuple(_list_warnings(layout, loaded, runner, options)),
        live=_receive_once(account, layout, loaded, url, options),
    )
    if not options.as_json:
        output.say_lines(summary.lines(layout, result, options))
    return result


def read_configuration(layout: Layout, options: ApplyOptions) -> ExistingConfiguration:
    """Read the configuration to add to, before anything is created.

    Raises ConfigError if the source could not be added to it.
    """
    if options.write is None:
        return ExistingConfiguration()
    existing = configuration.read_existing(options.write)
    if conflict := configuration.find_conflict(options.write, layout, existing):
        raise ConfigError([conflict])
    return existing


def external_id(request: SetupRequest, options: ApplyOptions) -> dict[str, str]:
    """Return the external id by its placeholder's name; empty if no role needs one.

    Raises ConfigError if a role needs one and ``--external-id`` does not give it.
    """
    if not request.needs_external_id:
        return {}
    if not options.external_id:
        raise ConfigError(["--external-id: name the external id, as env:NAME or file:/path"])
    try:
        secret = Secret(options.external_id, environment.environ())
    except ValueError as error:
        raise ConfigError([f"--external-id: {error}"]) from error
    return {"external_id": secret.reveal().strip()}


@contextmanager
def _place_for_secret(
    steps: Sequence[Step], runner: StepRunner, options: ApplyOptions
) -> Iterator[SaveKey | None]:
    """Yield a function that saves the access key, or None if no key will be created.

    Raises ConfigError if there is no place for the secret.
    """
    key_steps = [step for step in steps if step.id == "access-key"]
    if not key_steps:
        yield None
    elif runner.inspect(key_steps[0]).exists:
        if options.secret_file and not options.secret_file.exists():
            raise ConfigError([_explain_lost_secret(runner)])
        yield None
    elif options.secret_file:
        with create_secret_files(options.secret_file.absolute()) as save_key:
            yield save_key
    elif options.as_json or not _on_a_terminal():
        raise ConfigError(
            ["a new secret access key needs a terminal or a file: name one with --secret-file FILE"]
        )
    else:
        yield _show_key


def _explain_lost_secret(runner: StepRunner) -> str:
    name, key = runner.name, runner.known["access_key_id"]
    return (
        f"--secret-file: user {name} already has an access key, and AWS does not show its secret "
        "again: name the file that holds it, or delete the key and run this again: "
        f"aws iam delete-access-key --user-name {name} --access-key-id {key}"
    )


def _on_a_terminal() -> bool:
    return sys.stdout.isatty()


def _show_key(key_id: str, secret: str) -> None:
    output.say(f"access key id:     {key_id}")
    output.say(f"secret access key: {secret}")
    output.say("Copy the secret now: it is not stored and cannot be shown again.")


def _apply_steps(
    steps: Sequence[Step], runner: StepRunner, save_key: SaveKey | None, options: ApplyOptions
) -> Iterator[StepReport]:
    """Apply *steps*, print and yield each report, and save a new access key at once."""
    try:
        for each in provision.apply(steps, runner):
            if not options.as_json:
                output.say(report.format_step(each))
            if each.step == "access-key" and each.state == "created" and save_key:
                _save_key(save_key, steps, runner)
                if options.secret_file and not options.as_json:
                    output.say(_describe_secret_file(options.secret_file))
            yield each
    except Exception:
        print(
            "trailcourier: setup stopped at this step. What it created stays: once the cause is "
            "resolved, run the same command again, and it continues.",
            file=sys.stderr,
        )
        raise


def _describe_secret_file(file: Path) -> str:
    indent = " " * (report.WIDTH + 1)
    return f"{indent}its secret is in {file}, its id in {key_id_path(file)}; only you can read them"


def _save_key(save_key: SaveKey, steps: Sequence[Step], runner: StepRunner) -> None:
    """Save the new key; if that fails, delete the key, because its secret would be lost."""
    try:
        save_key(str(runner.known["access_key_id"]), str(runner.known[SECRET]))
    except OSError as error:
        step = next(step for step in steps if step.id == "access-key")
        runner.call(step.delete_calls[0])
        text = f"{error.strerror}; setup deleted the new key: name another file and run this again"
        raise ConfigError([f"--secret-file: {text}"]) from error


def credential_references(
    request: SetupRequest, secret_file: Path | None, external_id: str
) -> CredentialReferences:
    """Return the references for the credentials table: to files, else to the environment."""
    if secret_file:
        path = secret_file.absolute()
        return CredentialReferences(f"file:{key_id_path(path)}", f"file:{path}", external_id)
    prefix = request.source.upper().replace("-", "_")
    return CredentialReferences(
        f"env:{prefix}_ACCESS_KEY_ID", f"env:{prefix}_SECRET_ACCESS_KEY", external_id or "env:..."
    )


def _write_source(
    layout: Layout, url: str, existing: ExistingConfiguration, options: ApplyOptions
) -> tuple[str, str]:
    """Add the source to the file of ``--write``; return what was written where, and the tables."""
    references = credential_references(layout.request, options.secret_file, options.external_id)
    tables = configuration.render_source(
        layout, url, credential=references, sinks=options.sinks or existing.sinks
    )
    if options.write is None:
        return "", tables
    if layout.request.source in existing.sources:
        return f"{options.write} already has source {layout.request.source}; not changed", tables
    configuration.append_to_file(options.write, existing, tables)
    return f"written to {options.write}", tables


def _environment_with_key(
    request: SetupRequest, runner: StepRunner, options: ApplyOptions
) -> Mapping[str, str]:
    """Return the environment, with a new key under the variable names that the tables use."""
    if SECRET not in runner.known or options.secret_file:
        return environment.environ()
    references = credential_references(request, None, "")
    return {
        **environment.environ(),
        references.access_key_id.removeprefix("env:"): str(runner.known["access_key_id"]),
        references.secret_access_key.removeprefix("env:"): str(runner.known[SECRET]),
    }


def _load_configuration(
    options: ApplyOptions, tables: str, environ: Mapping[str, str]
) -> tuple[tuple[str, ...], Settings | None]:
    """Load the configuration as the collector does; return its problems, or the settings."""
    with tempfile.TemporaryDirectory() as folder:
        printed = Path(folder, "trailcourier.toml")
        path = options.write or printed
        if options.write is None:
            path.write_text(tables, encoding="utf-8")
        try:
            return (), settings.load(path, environ)
        except ConfigError as error:
            return tuple(each.removeprefix(f"{printed}: ") for each in error.problems), None


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


def _list_warnings(
    layout: Layout, loaded: Settings | None, runner: StepRunner, options: ApplyOptions
) -> Iterator[str]:
    if loaded is None:
        return
    source = loaded.sources.get(layout.request.source)
    if source and SECRET in runner.known:
        key_id = source.credentials.access_key_id
        if key_id is None or key_id.reveal().strip() != runner.known["access_key_id"]:
            yield _explain_other_key(layout.request, options)
    yield from loaded.warnings()
    sinks = source.sinks if source else ()
    yield from list_partition_warnings(
        layout.partition, {name: loaded.sinks[name] for name in sinks}
    )


def _explain_other_key(request: SetupRequest, options: ApplyOptions) -> str:
    references = credential_references(request, options.secret_file, "")
    return (
        f"sources.{request.source}.credentials names another access key than the new one: set "
        f'access_key_id = "{references.access_key_id}" and '
        f'secret_access_key = "{references.secret_access_key}"'
    )
