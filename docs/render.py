"""Write the pages of docs/ that are rendered from the code, or say which are out of step.

``python docs/render.py`` writes them, ``python docs/render.py --check`` compares.  A further page
is one function and one line in PAGES.
"""

import argparse
import inspect
import json
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
import msgspec
import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from typer.testing import CliRunner

from trailcourier import cli, provision
from trailcourier.aws.calls import AwsCall
from trailcourier.aws.credentials import Credentials
from trailcourier.cli.exits import Exit
from trailcourier.cli.setup.plan_command import Planned
from trailcourier.cli.setup.result import ApplyResult
from trailcourier.doctor.catalogue import GROUPS
from trailcourier.doctor.finding import CatalogueEntry
from trailcourier.models import ExpertNumbers, LineNumbers
from trailcourier.observability.events import EVENTS
from trailcourier.observability.line_events import LogEvent
from trailcourier.observability.metrics import METRICS
from trailcourier.operations.drain import Drained
from trailcourier.operations.overview import StatusOverview
from trailcourier.operations.redrive import DeadLetterListing, ListedMessage, RedriveResult
from trailcourier.operations.rejected import RejectedEvent
from trailcourier.operations.source_status import DeliveryRate, SourceStatus
from trailcourier.operations.standstill import Problem, ProcessStatus
from trailcourier.operations.tapping import TappedObject
from trailcourier.operations.verdicts import FilteredRecord, FilterVerdicts
from trailcourier.provision import SetupRequest, Step, trail_lookup
from trailcourier.provision.permissions import required_permissions
from trailcourier.reasons import REASONS
from trailcourier.secret import Secret
from trailcourier.settings import Broker, Flower, Source, WorkerSettings
from trailcourier.settings.effective import EffectiveValue
from trailcourier.sink_reasons import Reason
from trailcourier.sinks import SinkConfig

DOCS = Path(__file__).parent
SETTING = ("key", "takes", "left out", "meaning")
SECTIONS: Mapping[str, type[BaseModel]] = {
    "`[broker]`": Broker,
    "`[workers]`": WorkerSettings,
    "`[flower]`": Flower,
    "`[line]`": LineNumbers,
    "`[line.expert]`": ExpertNumbers,
    "`[sources.NAME]`": Source,
    "`[sources.NAME.credentials]`": Credentials,
}
WORDS: Mapping[object, str] = {
    bool: "`true` or `false`",
    int: "whole number",
    float: "number",
    str: "text",
    Path: "path",
    Secret: "secret",
}
NOTICE = "<!-- Rendered from the code by `make docs`; edit the code instead. -->"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out a Markdown table; a ``|`` in a cell is escaped, a line break becomes a space."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell(text) for text in line)} |" for line in lines)


def cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def dispositions() -> str:
    return f"""# What becomes of an object

An object whose every record was accepted by every sink, or counted as filtered, is **delivered**.
Any other has one of the reasons below, in the log, in the metrics and in `trailcourier status`.

- **skipped**: there is nothing to carry. Its message can be deleted.
- **parked**: an operator or time repairs it. Trailcourier keeps the message and tries the object
  again by itself, after at most 5 s at first and up to 15 min later on.
- **refused**: a fault of this one object. `trailcourier quarantine` keeps an entry, and the message
  is left to the queue's redrive policy.

A *breaker* that a reason counts towards opens once five different objects
(`line.expert.breaker_failures`) failed within an hour, with no success between them. Its scope is
the narrowest that the failures have in common: the queue, its credentials, a bucket, one account's
files in a bucket, a KMS key, or
a sink. While several hosts are alive, a fault that may be one host's own (its disk, its route, its
clock) opens a breaker of that host, `NAME@HOST`, which holds up nobody else. *Tries* says after how
many a parked object is refused.

{table(("reason", "status", "breaker", "tries", "what it means", "what to do"), reasons())}

## An object that is announced again

A second message may name an object, or its first message may come back.

- **Delivered before, with this content**: it is skipped unread. The ledger knows a content by its
  ETag, for 15 days. CloudTrail's own notices name no ETag. For an hour after the delivery (77
  minutes at most) such a notice is taken to mean the same content; later the worker opens the
  object and compares the ETag, which costs one GET and no download.
- **Rewritten**: its ETag is another one. All its records are delivered, as those of a new object.
  S3 gives the same bytes another ETag when they are encrypted with SSE-KMS or uploaded in parts,
  so copying such an object onto itself delivers its records again. A rewrite within the hour after
  a delivery is noticed only if the notice names an ETag, as those of S3 and EventBridge do.
- **Refused before**: it is not read again for the same message, which SQS holds back for longer
  each time. A new message has it read again: one published anew, or one moved back from the
  dead-letter queue.
- **Announced by CloudTrail and by S3**: CloudTrail's own notice decides, in either order. The
  object is read even if its key has no known shape, and a refusal by its key is taken back.
"""


def reasons() -> Iterable[Sequence[str]]:
    for name, reason in REASONS.items():
        yield f"`{name}`", reason.status, reason.breaker, tries(reason), reason.text, reason.advice


def tries(reason: Reason) -> str:
    if not reason.tries:
        return ""
    return (
        f"{reason.tries}, if others succeed meanwhile"
        if reason.only_if_others_succeed
        else f"{reason.tries}"
    )


def settings() -> str:
    sections = "\n\n".join(
        f"## {name}\n\n{prose(model)}\n\n{table(SETTING, fields(model))}"
        for name, model in [*SECTIONS.items(), *sinks()]
    )
    return f"""# Settings

One file, `trailcourier.toml`: what `--config` names, else `TRAILCOURIER_CONFIG`, else
`./trailcourier.toml`, else `/etc/trailcourier/trailcourier.toml`. Every key is a variable too, and
the variable wins: `sources.prod.queue_url` is `TRAILCOURIER_SOURCES__PROD__QUEUE_URL`. An unknown
key is an error that names the nearest known one. `trailcourier check` reads all of it and says
every problem at once. `trailcourier config show` prints the value of every key and what sets it.

Editors complete and check the file by its JSON Schema. Those with Taplo, such as VS Code with "Even
Better TOML", find it by the file's first line:

```sh
trailcourier config schema >trailcourier.schema.json
sed -i '1i #:schema ./trailcourier.schema.json' trailcourier.toml
```

A *secret* is named, never written down: `"env:NAME"` or `"file:/path"`.

Which records a source delivers is decided by `[sources.NAME.filter]`. Without that table, reads by
AWS services are dropped. [Filters](filters.md) has the rules that you can write, with examples.

{sections}
"""


def sinks() -> Iterable[tuple[str, type[BaseModel]]]:
    """Each sink's heading and config, as the union has them."""
    for config in members(SinkConfig):
        told = (
            f'`{key} = "{value}"`'
            for key in ("type", "way")
            if key in config.model_fields
            for value in get_args(config.model_fields[key].annotation)
        )
        yield f"`[sinks.NAME]` with {', '.join(told)}", config


def members(annotation: Any) -> Iterable[type[BaseModel]]:
    """What a union holds; a member of it may be a union too."""
    if get_origin(annotation) is Annotated:
        yield from members(get_args(annotation)[0])
    elif get_args(annotation):
        for each in get_args(annotation):
            yield from members(each)
    else:
        yield annotation


def prose(model: type[BaseModel]) -> str:
    """Turn a docstring's double backticks into Markdown's single ones."""
    return (inspect.getdoc(model) or "").replace("``", "`")


def fields(model: type[BaseModel]) -> Iterable[Sequence[str]]:
    for name, field in model.model_fields.items():
        if not isinstance(field.annotation, type) or not issubclass(field.annotation, BaseModel):
            yield f"`{name}`", kind(field), default(field), field.description or ""


def kind(field: FieldInfo) -> str:
    """Say what a field takes, with its bounds."""
    bounds = [bound(rule) for rule in field.metadata]
    return ", ".join([takes(field.annotation), *filter(None, bounds)])


def takes(annotation: object) -> str:
    if get_origin(annotation) is Literal:
        return " or ".join(f'`"{value}"`' for value in get_args(annotation))
    if get_origin(annotation) in (Union, UnionType):
        return " or ".join(takes(arg) for arg in get_args(annotation) if arg is not type(None))
    if get_origin(annotation) is Annotated:
        return takes(get_args(annotation)[0])
    if get_origin(annotation) is tuple:
        return "list of text"
    if get_origin(annotation) is dict:
        return "table"
    return WORDS[annotation]


def bound(rule: object) -> str:
    match rule:
        case annotated_types.Ge(value):
            return f"≥ {value}"
        case annotated_types.Gt(value):
            return f"> {value}"
        case annotated_types.Le(value):
            return f"≤ {value}"
        case _:
            return ""


def default(field: FieldInfo) -> str:
    """Say what holds when a key is left out; what a machine decides is said in the description."""
    if field.is_required():
        return "required"
    if field.default_factory or field.default in (None, ()):
        return ""
    value = field.default
    return f"`{json.dumps(str(value) if isinstance(value, Path) else value)}`"


def commands() -> str:
    helps = "\n\n".join(
        f"## `{' '.join(['trailcourier', *path])}`\n\n```text\n{help_of(path)}\n```"
        for path in verbs(typer.main.get_command(cli.app))
    )
    statuses = table(("status", "when"), ((str(int(x)), x.meaning) for x in Exit))
    return f"""# The command line

{helps}

## What `status --json` says

One object. The exit status is 1 where a source has an open breaker or a problem. With `--watch` one
object in each line, or `error` alone where the broker did not answer.

{table(("key", "meaning"), keys(StatusOverview))}

Of each source:

{table(("key", "meaning"), keys(SourceStatus))}

Of its rate, which `--measure` and `--watch` show:

{table(("key", "meaning"), keys(DeliveryRate))}

Of each problem, whose kinds are [explained](operations.md#what-stands-still):

{table(("key", "meaning"), keys(Problem))}

Of each process of the fleet, those that are gone until ten minutes later:

{table(("key", "meaning"), keys(ProcessStatus))}

## What `run --drain --json` says

One object with `sources`, a list, and `why`, what kept it from ending, or nothing. Of each source:

{table(("key", "meaning"), keys(Drained))}

## What `quarantine show --json` says

The entry as `quarantine list --json` has it, with `to_do`, what to do about it; `rejected`, the
records that a sink rejected; and `note`, why these have no event names, if so. Of each record:

{table(("key", "meaning"), keys(RejectedEvent))}

## What `tap --json` says

One object with `objects`, a list, the newest first. Of each log file:

{table(("key", "meaning"), keys(TappedObject))}

## What `dlq list --json` says

One object with `sources`, a list. Of each source:

{table(("key", "meaning"), keys(DeadLetterListing))}

Of each message that was looked at:

{table(("key", "meaning"), keys(ListedMessage))}

## What `dlq redrive --json` says

One object with `sources`, a list. Of each source:

{table(("key", "meaning"), keys(RedriveResult))}

## What `config show --json` says

One object: `problems`, as `check` says them; `file`, the configuration; `environment`, the
variables of endpoints, proxies and certificates; and `values`, a list. Of each key with a value:

{table(("key", "meaning"), keys(EffectiveValue))}

## What `filter test --json` says

One object:

{table(("key", "meaning"), keys(FilterVerdicts))}

Of each record that is listed:

{table(("key", "meaning"), keys(FilteredRecord))}

## What `setup plan --json` says

{table(("key", "meaning"), keys(Planned))}

## What `setup apply --json` says

{table(("key", "meaning"), keys(ApplyResult))}

## What `doctor --json` says

One object: `first`, the id of the first error or null; `errors`, `warnings`, `not_checked` and
`ok`, the number of findings of each level; and `findings`, a list of objects with `source`, `level`
(`ok`, `not-checked`, `warning` or `error`), `id`, `text` and `fix`. [doctor.md](doctor.md) explains
every id.

## Exit status

{statuses}
"""


def doctor() -> str:
    groups = "\n\n".join(
        f"## {title}\n\n" + "\n\n".join(finding(id_, entry) for id_, entry in entries.items())
        for title, entries in GROUPS.items()
    )
    return f"""# What doctor finds

`trailcourier doctor` checks everything from the credentials to the sinks, in the order in which a
person would look. Each finding has one of four levels:

- **ok**: doctor checked it, and found no problem.
- **not checked**: doctor could not see or prove it, usually because the credentials do not allow
  the call; the finding then has the policy statement that allows it. Trailcourier may work anyway.
- **warning**: it will keep records from arriving later, or it has a cost.
- **error**: it keeps records from arriving.

Each finding has an id, which is explained below and never changes its meaning. **Begin with the
first error.** Doctor skips the checks that this error would make fail too, and reports them as not
checked. The exit status is 1 if there is an error, else 0.

Doctor receives no message from the queue, and writes and changes nothing. Its calls to AWS only
read. Three calls of the line cannot be tried without an effect, so doctor makes them with
parameters that cannot succeed: `sqs:ReceiveMessage` asks for zero messages; `sqs:DeleteMessage` and
`sqs:ChangeMessageVisibility` have an invalid receipt. Only `--send` sends something: one marked
record to each sink.

With the minimum permissions (`s3:Get*` and `s3:List*` on the bucket, `sqs:ReceiveMessage` and
`sqs:DeleteMessage` on the queue) doctor works, and says what it cannot see and which policy
statement would change that. It ends within half a minute, even if nothing answers.

Most causes lie on the AWS side, which the source's credentials need not see. Doctor then names the
causes that remain possible (TC004). `--profile NAME` lends it the eyes of another profile, such as
an administrator's: it looks wherever AWS denies the source. What the line does itself is still
tried with the source's own credentials alone.

{groups}
"""


def finding(id_: str, entry: CatalogueEntry) -> str:
    levels = ", ".join(level.replace("-", " ") for level in entry.levels)
    return f"### {id_}\n\n**{entry.question}** ({levels})\n\n{textwrap.fill(entry.meaning, 100)}"


def keys(struct: type[msgspec.Struct]) -> Iterable[Sequence[str]]:
    """What a struct says as JSON, key by key."""
    schema = msgspec.json.schema(struct)["$defs"][struct.__name__]
    for name, told in schema["properties"].items():
        yield f"`{name}`", told["description"]


def verbs(command: Any, path: tuple[str, ...] = ()) -> Iterable[tuple[str, ...]]:
    """The words of each command that there is, the shortest first."""
    yield path
    if hasattr(command, "list_commands"):
        context = typer.Context(command, info_name="trailcourier")
        for name in command.list_commands(context):
            yield from verbs(command.get_command(context, name), (*path, name))


def help_of(path: Sequence[str]) -> str:
    said = CliRunner().invoke(
        cli.app,
        [*path, "--help"],
        obj=cli.Invocation(),
        prog_name="trailcourier",
        terminal_width=100,
        catch_exceptions=False,
    )
    return "\n".join(line.rstrip() for line in said.output.strip().splitlines())


def metrics() -> str:
    rows = (
        (
            f"`trailcourier_{name}`",
            metric.kind,
            ", ".join(f"`{label}`" for label in metric.labels),
            metric.text,
        )
        for name, metric in METRICS.items()
    )
    return f"""# Metrics

Each worker serves `/metrics` for Prometheus, `/livez` and `/readyz` on `127.0.0.1:9464`
(`workers.metrics_host`, `workers.metrics_port`; 0: not at all). `trailcourier run` serves one page
for all its processes. Several workers on one host need a port each; one whose port is taken says
`not_watchable` in its log and carries on. The page tells what is known already and asks nobody, so
it answers while the broker or AWS hangs.

- `/livez` is 200 while the process works, 503 where it should be restarted. A broker that is away
  is no reason for that.
- `/readyz` is 200 while the process takes work; the text of a 503 says why not.
- `trailcourier healthcheck` says the same as `/livez` without a network, from a file; and fails too
  where the broker has not answered for a minute
  ([health checks](operations.md#health-checks)).

Counters and histograms are of the process that did the work: sum them over the fleet. A counter is
there from the first time it counts, which `increase()` therefore does not see: to hear of the first
of something, watch a gauge. Gauges tell how a source stands for the whole fleet, ten seconds ago at
most; every control worker tells the same, so take the largest:
`max by (source) (trailcourier_objects_parked)`. Those of who is there and what moves are told by
object workers too, 30 seconds ago at most; scrape them all.

{table(("metric", "kind", "labels", "meaning"), rows)}

Beside these a worker that serves its own page tells what the Prometheus client knows of any
process: `process_*` and `python_*`. [What to alert on](operations.md#what-to-alert-on).
"""


def logs() -> str:
    rows = ((f"`{name}`", *log_row(event)) for name, event in EVENTS.items())
    return f"""# The log

One line for each fact, on standard error: JSON, or for people where that is a terminal
(`trailcourier run --log-format`, `workers.log_format`, `TRAILCOURIER_LOG_FORMAT`), from a level on
(`workers.log_level`, `TRAILCOURIER_LOG_LEVEL`). Every line has `timestamp` (UTC), `level` and
`event`, one of the names below, and the fields that name has. A line never holds a record's
content or a secret; what comes from outside is escaped. The lines of delivered and refused objects
also carry the object's sums, under the names that they are added up by: `records:in`,
`bytes:read`, `sink:NAME:delivered` and so on.

Lines of libraries, such as Celery's, are written alike: their `event` is a text, and a `logger`
says whose it is; `-l` of Celery's commands says from what level on. What `trailcourier run` itself
says of its processes begins with `trailcourier:` and is for people.

What became of an object is written once for each object, always. What one cause may repeat without
end is written ten times a minute for that cause; the next line says in `repeats_left_out` how many
were not. The counters count them all.

{table(("event", "level", "meaning", "fields", "counted in"), rows)}
"""


def log_row(event: LogEvent) -> Sequence[str]:
    counts = dict.fromkeys(f"`trailcourier_{each.metric}`" for each in event.counts)
    fields = ", ".join(f"`{name}`" for name in event.fields)
    return event.level, event.text, fields, ", ".join(counts)


ACCOUNT = "111122223333"
SET_UPS = (  # between them they have every step
    SetupRequest(account=ACCOUNT),
    SetupRequest(account=ACCOUNT, delivery="s3", reader="pod-identity", kms_key="new"),
    SetupRequest(account=ACCOUNT, lock_days=30, expire_days=365),
    SetupRequest(
        account=ACCOUNT, delivery="eventbridge", reader="instance-profile", organization=True
    ),
)


LOOKS = ", ".join(f"`{each}`" for each in trail_lookup.READS)


def permissions() -> str:
    steps = {step.id: step for asked in SET_UPS for step in provision.plan(asked)}
    head = ("step", "to plan", "to apply", "to destroy")
    return f"""# The permissions that setup needs

A person or a pipeline runs [setup](setup.md) once, with more permissions than the collector ever
has. This page lists all of them. Where one is missing, `trailcourier setup` stops at that step and
names the call, the caller, the resource and the statement that allows it; run it again, and it
continues from there.

## As a policy

For the default set-up, named `trailcourier`, in account {ACCOUNT}, `us-east-1`:

```json
{json.dumps(_policy(SET_UPS[0]), indent=2)}
```

## Step by step

Before all steps, `plan` and `apply` look for trails that cover the account already, with
{LOOKS}, and for their
buckets, with `s3:ListBucket`. Without the first of these, `apply` creates a trail only with
`--second-trail`. Setup also calls `sts:GetCallerIdentity`, which needs no permission, and
`organizations:DescribeOrganization`, if `--organization` is given without `--organization-id`.

{table(head, (_needs(step) for step in steps.values()))}
"""


def _policy(asked: SetupRequest) -> Mapping[str, Any]:
    statements = [
        {"Effect": "Allow", "Action": each.actions, "Resource": each.resource}
        for each in required_permissions(provision.plan(asked))
    ]
    trails = {"Effect": "Allow", "Action": trail_lookup.READS, "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [*statements, trails]}


def _needs(step: Step) -> Sequence[str]:
    columns = (
        (*step.read_calls, *([step.tags_call] if step.tags_call else [])),
        (*step.create_calls, *step.update_calls),
        step.delete_calls,
    )
    return f"`{step.id}`", *map(_actions, columns)


def _actions(calls: Iterable[AwsCall]) -> str:
    """Return the IAM actions that *calls* need, each once."""
    return ", ".join(
        f"`{each}`" for each in dict.fromkeys(x for call in calls for x in call.actions)
    )


PAGES: Mapping[str, Callable[[], str]] = {
    "dispositions.md": dispositions,
    "settings.md": settings,
    "commands.md": commands,
    "metrics.md": metrics,
    "logs.md": logs,
    "setup-permissions.md": permissions,
    "doctor.md": doctor,
}


def rendered() -> dict[Path, str]:
    """What each page should hold."""
    return {DOCS / name: f"{NOTICE}\n\n{page().strip()}\n" for name, page in PAGES.items()}


def stale(pages: Mapping[Path, str]) -> list[Path]:
    """The pages that are missing or hold something else."""
    return [path for path, text in pages.items() if not path.exists() or path.read_text() != text]


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Render the pages of docs/ that come from the code."
    )
    parser.add_argument("--check", action="store_true", help="compare only, exit 1 if one differs")
    check = parser.parse_args().check
    pages = rendered()
    out_of_step = stale(pages)
    for path in out_of_step:
        if not check:
            path.write_text(pages[path])
        print(
            f"docs/{path.name}", "is out of step with the code: make docs" if check else "written"
        )
    return 1 if check and out_of_step else 0


if __name__ == "__main__":
    sys.exit(main())
