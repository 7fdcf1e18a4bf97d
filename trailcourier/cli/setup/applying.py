"""``setup apply``: the walk, then the configuration that uses what it made, checked and tried."""

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import boto3

from trailcourier import aws, provision, settings
from trailcourier.cli import output
from trailcourier.cli.setup import ending, telling
from trailcourier.cli.setup.account import Account
from trailcourier.cli.setup.result import Result, Wanted
from trailcourier.errors import ConfigError
from trailcourier.provision import Asker, Layout, Request, Step, Told, configuration, first
from trailcourier.provision.configuration import Credential, Held
from trailcourier.provision.deposit import Keep, beside, deposit
from trailcourier.provision.elsewhere import elsewhere
from trailcourier.provision.first import Live
from trailcourier.provision.outside import outside
from trailcourier.secret import Secret
from trailcourier.settings import Settings, environment

SECRET = "secret_access_key"  # noqa: S105 - what it is known by, not a secret


def apply(account: Account, wanted: Wanted) -> Result:
    """Make everything, write and check the configuration, receive once, and say all of it."""
    found = account.found()
    layout, steps = Layout(account.request, found), provision.plan(account.request, found)
    there = held(layout, wanted)
    known = external_id(account.request, wanted)
    asker = account.asker(found, known)
    say = _quiet if wanted.as_json else output.say
    say(telling.whose(layout, found.caller))
    with _place_for_a_secret(steps, account.asker(found, known), wanted) as keep:
        told = tuple(_walked(steps, asker, keep, wanted))
    url = str(asker.known["queue_url"])
    written, tables = _write(layout, url, there, wanted)
    problems, loaded = _checked(wanted, tables, _environment(account.request, asker, wanted))
    live = _live(account, layout, loaded, url, wanted)
    result = Result(
        account=layout.account,
        steps=told,
        elsewhere=telling.elsewhere_as_json(elsewhere(layout)),
        configuration=tables,
        written=written,
        problems=problems,
        warnings=tuple(_warnings(layout, loaded, asker, wanted)),
        live=live,
    )
    if not wanted.as_json:
        telling.say(ending.lines(layout, result, wanted))
    return result


def _quiet(text: str) -> None:
    del text


def held(layout: Layout, wanted: Wanted) -> Held:
    """What the configuration holds, before anything is made that could not be written there."""
    if wanted.write is None:
        return Held()
    there = configuration.held(wanted.write)
    if why := configuration.refused(wanted.write, layout, there):
        raise ConfigError([why])
    return there


def external_id(request: Request, wanted: Wanted) -> dict[str, str]:
    """The external id of the roles, by the name that the plan has for it; nothing without any."""
    if not request.needs_external_id:
        return {}
    if not wanted.external_id:
        raise ConfigError(["--external-id: say which, as env:NAME or file:/path"])
    try:
        secret = Secret(wanted.external_id, environment.environ())
    except ValueError as error:
        raise ConfigError([f"--external-id: {error}"]) from error
    return {"external_id": secret.reveal().strip()}


@contextmanager
def _place_for_a_secret(
    steps: Sequence[Step], asker: Asker, wanted: Wanted
) -> Iterator[Keep | None]:
    """Where a new secret goes, if one will be made; raises ConfigError if it could go nowhere."""
    keys = [step for step in steps if step.id == "access-key"]
    if not keys:
        yield None
    elif asker.look(keys[0]).there:
        if wanted.secret_file and not wanted.secret_file.exists():
            raise ConfigError([_lost(asker)])
        yield None
    elif wanted.secret_file:
        with deposit(wanted.secret_file.absolute()) as keep:
            yield keep
    elif wanted.as_json or not _on_a_terminal():
        raise ConfigError(
            ["a secret access key is shown on a terminal only: name a file for it, --secret-file"]
        )
    else:
        yield _show


def _lost(asker: Asker) -> str:
    name, key = asker.name, asker.known["access_key_id"]
    return (
        f"--secret-file: user {name} has an access key already, and its secret is not shown again; "
        "name the file that has it, or delete the key and run this again: "
        f"aws iam delete-access-key --user-name {name} --access-key-id {key}"
    )


def _on_a_terminal() -> bool:
    return sys.stdout.isatty()


def _show(key_id: str, secret: str) -> None:
    output.say(f"access key id:     {key_id}")
    output.say(f"secret access key: {secret}")
    output.say("This is the only time that the secret is shown; nothing of ours keeps it.")


def _walked(
    steps: Sequence[Step], asker: Asker, keep: Keep | None, wanted: Wanted
) -> Iterator[Told]:
    try:
        for told in provision.apply(steps, asker):
            if not wanted.as_json:
                output.say(telling.line(told))
            if told.step == "access-key" and told.state == "made" and keep:
                _keep(keep, steps, asker)
                if wanted.secret_file and not wanted.as_json:
                    output.say(_where(wanted.secret_file))
            yield told
    except Exception:
        print(
            "trailcourier: stopped there. What was made stays; run the same again, and it goes on.",
            file=sys.stderr,
        )
        raise


def _where(file: Path) -> str:
    return f"{'':15}its secret is in {file}, its id in {beside(file)}, for you alone to read"


def _keep(keep: Keep, steps: Sequence[Step], asker: Asker) -> None:
    """Keep the new secret; a key whose secret could not be kept is taken back."""
    try:
        keep(str(asker.known["access_key_id"]), str(asker.known[SECRET]))
    except OSError as error:
        key = next(step for step in steps if step.id == "access-key")
        asker.ask(key.undo[0])
        raise ConfigError(
            [f"--secret-file: {error.strerror}; the key was deleted again"]
        ) from error


def named(request: Request, secret_file: Path | None, external_id: str) -> Credential:
    """How the configuration names the credential's parts: by file, else by the environment."""
    if secret_file:
        place = secret_file.absolute()
        return Credential(f"file:{beside(place)}", f"file:{place}", external_id)
    before = request.source.upper().replace("-", "_")
    return Credential(
        f"env:{before}_ACCESS_KEY_ID", f"env:{before}_SECRET_ACCESS_KEY", external_id or "env:..."
    )


def _write(layout: Layout, url: str, there: Held, wanted: Wanted) -> tuple[str, str]:
    """Add the source to the file, if one is named; where it is now, and its tables."""
    tables = configuration.text(
        layout,
        url,
        credential=named(layout.request, wanted.secret_file, wanted.external_id),
        sinks=wanted.sinks or there.sinks,
    )
    if wanted.write is None:
        return "", tables
    if layout.request.source in there.sources:
        return f"{wanted.write} has the source already, and stays as it is", tables
    configuration.write(wanted.write, there, tables)
    return f"written to {wanted.write}", tables


def _environment(request: Request, asker: Asker, wanted: Wanted) -> Mapping[str, str]:
    """The environment, and the key that was just made under the names that the tables say."""
    if SECRET not in asker.known or wanted.secret_file:
        return environment.environ()
    names = named(request, None, "")
    return {
        **environment.environ(),
        names.access_key_id.removeprefix("env:"): str(asker.known["access_key_id"]),
        names.secret_access_key.removeprefix("env:"): str(asker.known[SECRET]),
    }


def _checked(
    wanted: Wanted, tables: str, environ: Mapping[str, str]
) -> tuple[tuple[str, ...], Settings | None]:
    """Load the configuration as the collector will; what is wrong with it, or the settings."""
    with tempfile.TemporaryDirectory() as folder:
        shown = Path(folder, "trailcourier.toml")
        path = wanted.write or shown
        if wanted.write is None:
            path.write_text(tables, encoding="utf-8")
        try:
            return (), settings.load(path, environ)
        except ConfigError as error:
            return tuple(each.removeprefix(f"{shown}: ") for each in error.problems), None


def _live(
    account: Account, layout: Layout, loaded: Settings | None, url: str, wanted: Wanted
) -> Live:
    """Receive once: as the collector where its credential works from here, else as the caller."""
    name = layout.request.source
    source = loaded.sources.get(name) if loaded else None
    if source is None or layout.request.reader != "user":
        address = configuration.address(layout, url)
        live = first.receive(account.session, address, egress=account.egress, wait=wanted.wait)
        words = f"{live.words} (tried as you, not as the collector)"
        return Live(live.good, words)
    session: boto3.Session = aws.session(
        source.credentials, source=name, sts_region=layout.region, egress=account.egress
    )
    return first.receive(session, source.queue, egress=account.egress, wait=wanted.wait)


def _warnings(
    layout: Layout, loaded: Settings | None, asker: Asker, wanted: Wanted
) -> Iterator[str]:
    if loaded is None:
        return
    source = loaded.sources.get(layout.request.source)
    if source and SECRET in asker.known:
        held = source.credentials.access_key_id
        if held is None or held.reveal().strip() != asker.known["access_key_id"]:
            yield _other_key(layout.request, wanted)
    yield from loaded.warnings()
    sinks = source.sinks if source else ()
    yield from outside(layout.partition, {name: loaded.sinks[name] for name in sinks})


def _other_key(request: Request, wanted: Wanted) -> str:
    names = named(request, wanted.secret_file, "")
    return (
        f"sources.{request.source}.credentials names another access key than the one just made: "
        f'let it say access_key_id = "{names.access_key_id}" and '
        f'secret_access_key = "{names.secret_access_key}"'
    )
