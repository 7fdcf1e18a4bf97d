"""Applies a filter to one log file, and reports the verdict on its records; sends nothing."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta, Raw

from trailcourier import filters, records
from trailcourier.filters import DEFAULT_RULE, NO_KEEP_RULE, Decide, FilterRules
from trailcourier.records import MIB, LogLimits
from trailcourier.settings import Source

BATCH_RECORDS = 1000
FIELD_LENGTH = 200  # characters shown of one field; CloudTrail's are shorter

FIXES = {
    "corrupt": "Copy the file from S3 again. If the object itself is damaged, a worker refuses it "
    "too; `aws cloudtrail validate-logs` compares it with the trail's digest.",
    "unparseable": 'Name a log file as CloudTrail writes it, `{"Records": [...]}`, gzip or plain. '
    "A digest file and a list of events from the API are none.",
    "too-large": "If it is genuine, raise `max_compressed_mib`, `max_inflated_mib`, "
    "`max_record_mib` or `max_records` of the source.",
}
"""What to do about a file that cannot be read, for each reason of the reader."""


class FilteredRecord(
    msgspec.Struct,
    frozen=True,
    rename={"time": "eventTime", "service": "eventSource", "name": "eventName", "id": "eventID"},
):
    """A record by its identifying fields; a field that it does not have as a text is empty."""

    rule: Annotated[str, Meta(description="the rule that drops it; empty if it passes")]
    time: Annotated[str, Meta(description="its `eventTime`")] = ""
    service: Annotated[str, Meta(description="its `eventSource`")] = ""
    name: Annotated[str, Meta(description="its `eventName`")] = ""
    id: Annotated[str, Meta(description="its `eventID`")] = ""


class FilterVerdicts(msgspec.Struct, frozen=True):
    """What a filter does with the records of one file."""

    source: Annotated[str, Meta(description="whose filter it is; empty for the default filter")]
    filter: Annotated[str, Meta(description="what the filter drops, in a line")]
    records: Annotated[int, Meta(description="how many records the file has")]
    passed: Annotated[int, Meta(description="how many records pass")]
    dropped: Annotated[int, Meta(description="how many records the filter drops")]
    rules: Annotated[
        Mapping[str, int], Meta(description="how many each rule drops, also those that drop none")
    ]
    dropped_records: Annotated[
        Sequence[FilteredRecord], Meta(description="the first dropped records, up to `--limit`")
    ]
    passed_records: Annotated[
        Sequence[FilteredRecord],
        Meta(description="with `--passed`: the first records that pass, up to `--limit`"),
    ]


class TriedFilter(msgspec.Struct, frozen=True):
    """The filter of *source*, or the default one; *rules* is None if it passes everything."""

    source: str = ""
    rules: FilterRules | None = DEFAULT_RULE
    text: str = filters.describe(DEFAULT_RULE)
    decide: Decide = filters.compile_rules(DEFAULT_RULE)
    limits: LogLimits = LogLimits()

    @classmethod
    def of_source(cls, name: str, source: Source) -> "TriedFilter":
        """Return the filter of *source*, with the limits of its log files."""
        rules = None if source.unfiltered else source.filter
        return cls(name, rules, source.drops, source.compile_filter(), source.limits)


def read_verdicts(tried: TriedFilter, data: bytes, *, listed: int, passed: bool) -> FilterVerdicts:
    """Apply a filter to the log file *data*; list up to *listed* records of each verdict.

    Lists records that pass only if *passed*.  Raises Fault, for a reason in ``FIXES``, if workers
    would refuse the file.
    """
    counts: Counter[str | None] = Counter()
    dropped_records: list[FilteredRecord] = []
    passed_records: list[FilteredRecord] = []
    for batch in records.open_log(data, tried.limits).batches(records=BATCH_RECORDS, size=MIB):
        verdicts = tried.decide(batch.records)
        counts.update(verdicts)
        for record, rule in zip(batch.records, verdicts, strict=True):
            shown = dropped_records if rule else passed_records
            if len(shown) < listed and (rule or passed):
                shown.append(_identify(record, rule or ""))
    return FilterVerdicts(
        source=tried.source,
        filter=tried.text,
        records=counts.total(),
        passed=counts[None],
        dropped=counts.total() - counts[None],
        rules={name: counts[name] for name in _rule_names(tried.rules)},
        dropped_records=dropped_records,
        passed_records=passed_records,
    )


def _rule_names(rules: FilterRules | None) -> list[str]:
    """Return the names under which *rules* drop records, each once."""
    if rules is None:
        return []
    names = [name for name, _ in rules.named_drops()]
    return list(dict.fromkeys([*names, *([NO_KEEP_RULE] if rules.keep else [])]))


class _Identifying(msgspec.Struct, rename="camel"):
    event_time: Raw = Raw()
    event_source: Raw = Raw()
    event_name: Raw = Raw()


IDENTIFYING = msgspec.json.Decoder(_Identifying)


def _identify(record: bytes, rule: str) -> FilteredRecord:
    try:
        found = IDENTIFYING.decode(record)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return FilteredRecord(rule)
    return FilteredRecord(
        rule=rule,
        time=_text(found.event_time),
        service=_text(found.event_source),
        name=_text(found.event_name),
        id=records.event_id(record),
    )


def _text(value: Raw) -> str:
    try:
        return msgspec.json.decode(value, type=str)[:FIELD_LENGTH]
    except msgspec.DecodeError:  # missing, or no text
        return ""
