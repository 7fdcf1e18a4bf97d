"""``setup apply``: apply the plan, then write, check and try the configuration that uses it."""

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from trailcourier import provision, settings
from trailcourier.cli import output
from trailcourier.cli.setup import new_key, proof, report, summary
from trailcourier.cli.setup.account import SetupAccount
from trailcourier.cli.setup.liveness import LiveTest
from trailcourier.cli.setup.result import ApplyOptions, ApplyResult
from trailcourier.errors import ConfigError, Unreachable
from trailcourier.provision import (
    Layout,
    SetupRequest,
    Step,
    StepReport,
    StepRunner,
    configuration,
    trail_advice,
)
from trailcourier.provision.configuration import ExistingConfiguration
from trailcourier.provision.cross_partition import list_partition_warnings
from trailcourier.provision.manual_steps import list_manual_steps
from trailcourier.provision.secret_file import SaveKey
from trailcourier.secret import Secret
from trailcourier.settings import Settings, environment


def apply(account: SetupAccount, options: ApplyOptions) -> ApplyResult:
    """Apply the plan, write and check the configuration, receive once, and print all of it."""
    facts = account.collect_with_trails()
    layout, steps = Layout(account.request, facts), provision.plan(account.request, facts)
    _check_trails(layout)
    existing = read_configuration(layout, options)
    known = external_id(account.request, options)
    runner = account.runner(facts, known, proof.say_waiting)
    if not options.as_json:
        report.say(report.format_account(layout, facts.caller))
        report.say_lines(trail_advice.list_advice(layout))
    with new_key.place_for_secret(steps, account.runner(facts, known), options) as save_key:
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
        environment=_list_variables(account.request, runner, options),
        live=LiveTest(
            account, layout, loaded, url, wait=options.wait, send=written.startswith("written")
        ).run(),
    )
    if not options.as_json:
        report.say_lines(summary.lines(layout, result, options))
    return result


def _check_trails(layout: Layout) -> None:
    """Raise ConfigError if another trail covers the account, or nobody may know whether one does.

    AWS charges for the second trail of an account.
    """
    if objections := trail_advice.list_objections(layout):
        raise ConfigError(objections)
    request, unread = layout.request, layout.facts.trails_unread
    if unread and request.trail and not request.second_trail:
        text = "To create a trail without knowing whether another covers this account, add"
        raise Unreachable(f"{unread}. {text} --second-trail")


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


def _apply_steps(
    steps: Sequence[Step], runner: StepRunner, save_key: SaveKey | None, options: ApplyOptions
) -> Iterator[StepReport]:
    """Apply *steps*, print and yield each report, and save a new access key at once."""
    try:
        for each in provision.apply(steps, runner):
            if not options.as_json:
                report.say(report.format_step(each))
            if each.step == "access-key" and each.state == "created" and save_key:
                new_key.save_new_key(save_key, steps, runner)
                if options.secret_file and not options.as_json:
                    output.say(new_key.describe_secret_file(options.secret_file))
            yield each
    except Exception:
        print(
            "trailcourier: setup stopped at this step. What it created stays: once the cause is "
            "resolved, run the same command again, and it continues.",
            file=sys.stderr,
        )
        raise


def _write_source(
    layout: Layout, url: str, existing: ExistingConfiguration, options: ApplyOptions
) -> tuple[str, str]:
    """Add the source to the file of ``--write``; return what was written where, and the tables."""
    references = new_key.credential_references(
        layout.request, options.secret_file, options.external_id
    )
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
    if new_key.SECRET not in runner.known or options.secret_file:
        return environment.environ()
    references = new_key.credential_references(request, None, "")
    return {
        **environment.environ(),
        references.access_key_id.removeprefix("env:"): str(runner.known["access_key_id"]),
        references.secret_access_key.removeprefix("env:"): str(runner.known[new_key.SECRET]),
    }


def _list_variables(
    request: SetupRequest, runner: StepRunner, options: ApplyOptions
) -> tuple[str, ...]:
    """Return the variables that have to hold a new key, if no file does."""
    if new_key.SECRET not in runner.known or options.secret_file:
        return ()
    references = new_key.credential_references(request, None, "")
    both = (references.access_key_id, references.secret_access_key)
    return tuple(each.removeprefix("env:") for each in both)


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


def _list_warnings(
    layout: Layout, loaded: Settings | None, runner: StepRunner, options: ApplyOptions
) -> Iterator[str]:
    if loaded is None:
        return
    source = loaded.sources.get(layout.request.source)
    if source and new_key.SECRET in runner.known:
        key_id = source.credentials.access_key_id
        if key_id is None or key_id.reveal().strip() != runner.known["access_key_id"]:
            yield _explain_other_key(layout.request, options)
    yield from loaded.warnings()
    sinks = source.sinks if source else ()
    yield from list_partition_warnings(
        layout.partition, {name: loaded.sinks[name] for name in sinks}
    )


def _explain_other_key(request: SetupRequest, options: ApplyOptions) -> str:
    references = new_key.credential_references(request, options.secret_file, "")
    return (
        f"sources.{request.source}.credentials names another access key than the new one: set "
        f'access_key_id = "{references.access_key_id}" and '
        f'secret_access_key = "{references.secret_access_key}"'
    )
