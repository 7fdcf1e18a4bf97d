"""Where ``setup apply`` puts a new access key, and how the configuration refers to it."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from trailcourier.cli import output
from trailcourier.cli.setup import report
from trailcourier.cli.setup.result import ApplyOptions
from trailcourier.errors import ConfigError
from trailcourier.provision import SetupRequest, Step, StepRunner, configuration
from trailcourier.provision.configuration import CredentialReferences
from trailcourier.provision.secret_file import SaveKey, create_secret_files, key_id_path

SECRET = "secret_access_key"  # noqa: S105 - the placeholder's name, not a secret


@contextmanager
def place_for_secret(
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


def describe_secret_file(file: Path) -> str:
    indent = " " * (report.WIDTH + 1)
    return f"{indent}its secret is in {file}, its id in {key_id_path(file)}; only you can read them"


def save_new_key(save_key: SaveKey, steps: Sequence[Step], runner: StepRunner) -> None:
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


def find_key_files(
    request: SetupRequest, secret_file: Path | None, written: Path | None
) -> tuple[Path, ...]:
    """Return the existing files of the set-up's access key: the secret's, then the id's.

    They are those of ``--secret-file``, else those that the source names in the configuration file
    *written*.
    """
    paths: tuple[Path, ...] = (key_id_path(secret_file), secret_file) if secret_file else ()
    if not paths and written:
        credentials = configuration.read_credentials(written, request.source)
        paths = tuple(
            Path(each.removeprefix("file:")) for each in credentials if each.startswith("file:")
        )
    return tuple(each for each in reversed(paths) if each.is_file())


def retire_key_files(paths: Sequence[Path], deleted: frozenset[str]) -> Iterator[str]:
    """Rename the files of a *deleted* key, so that a new one can take their names; yield the names.

    Yields a warning for files of another key, which stay.
    """
    if not deleted:
        return
    texts = {path: path.read_text(encoding="utf-8").strip() for path in paths}
    if not deleted & set(texts.values()):
        yield from (f"stays: {path}, which is not of the deleted access key" for path in paths)
        return
    for path in paths:
        retired = path.with_name(f"{path.name}.deleted")
        path.replace(retired)
        yield f"left: {retired} (was {path}), of the deleted access key: nobody needs it any more"
