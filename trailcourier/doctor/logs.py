"""The newest log file of a bucket, found by listing a few of its folders."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from trailcourier import keys
from trailcourier.doctor import trails
from trailcourier.doctor.call import Answer, Call
from trailcourier.doctor.subject import Subject

DEPTH = 3  # folders above AWSLogs
WIDTH = 8  # folders looked into on one level above AWSLogs
ACCOUNTS = 4
FOLDERS = 24  # of a region of an account
LATELY = timedelta(hours=2)


class LogFile(msgspec.Struct, frozen=True):
    """A log file, by what the listing says of it."""

    key: str
    size: int
    modified: datetime


class Found(msgspec.Struct, frozen=True):
    """What a bucket's listing showed.

    *newest* are the newest log files, the newest first; *regions* those with a folder of logs.
    *folders* is how many were looked into, *all* whether these were all.  *trouble* is an answer
    that was none, because of which nothing is known.
    """

    newest: Sequence[LogFile] = ()
    regions: frozenset[str] = frozenset()
    folders: int = 0
    all: bool = True
    trouble: Answer | None = None


class _NotListed(Exception):
    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


def recent(subject: Subject, bucket: str, region: str) -> Found:
    """Return what *bucket*, which is in *region*, shows of its log files."""
    return subject.known.get(("logs", bucket), lambda: _Listing(subject, bucket, region).search())


class _Listing:
    def __init__(self, subject: Subject, bucket: str, region: str) -> None:
        self._subject = subject
        self._bucket = bucket
        self._region = region
        self._whole = True

    def search(self) -> Found:
        try:
            roots = list(self._roots())
            folders = self._of_regions(roots) if roots else []
            newest = self._newest(folders) if folders else []
            if not newest and self._subject.source.keys:
                return self._by_globs()
        except _NotListed as missed:
            return Found(trouble=missed.answer)
        regions = frozenset(each.rstrip("/").rpartition("/")[2] for each in folders)
        return Found(newest, regions, len(folders), self._whole)

    def _roots(self) -> Iterator[str]:
        """Yield the folders ``AWSLogs/``: below the trails' prefixes, or wherever they are."""
        ours = [
            trail
            for trail in trails.seen(self._subject).ours
            if trail["S3BucketName"] == self._bucket
        ]
        prefixes = {trail.get("S3KeyPrefix") or "" for trail in ours}
        yield from (f"{each}/AWSLogs/".lstrip("/") for each in sorted(prefixes))
        if prefixes:
            return
        level = [""]
        for _ in range(DEPTH):
            below = [each for answer in self._list(level) for each in _folders(answer)]
            found = [each for each in below if each.endswith("AWSLogs/")]
            if found:
                yield from found
                return
            level = self._some(below, WIDTH)

    def _of_regions(self, roots: Sequence[str]) -> list[str]:
        """Return ``.../AWSLogs/ACCOUNT/CloudTrail/REGION/`` for some accounts and all regions."""
        accounts = self._below(roots)
        organisations = [each for each in accounts if _last(each).startswith("o-")]
        accounts = [each for each in accounts if _last(each).isdigit()]
        if organisations:
            accounts += self._below(self._some(organisations, ACCOUNTS))
        ours = f"{self._subject.source.queue.account}/"  # most likely the one that has logs
        accounts.sort(key=lambda each: not each.endswith(ours))
        some = self._some(accounts, ACCOUNTS)
        return self._some(self._below([f"{each}CloudTrail/" for each in some]), FOLDERS)

    def _newest(self, folders: Sequence[str]) -> list[LogFile]:
        """Return the log files of the last hours, or else of the last day that has any."""
        now = datetime.now(UTC)
        today, yesterday = f"{now:%Y/%m/%d}/", f"{now - timedelta(days=1):%Y/%m/%d}/"
        since = now - LATELY
        for day, after in ((today, since), (today, None), (yesterday, None)):
            if after and f"{after:%Y/%m/%d}/" != day:
                continue
            found = self._files([f"{each}{day}" for each in folders], after)
            if found:
                return found
        return self._files(self._last_days(folders[:ACCOUNTS]))

    def _files(self, days: Sequence[str], after: datetime | None = None) -> list[LogFile]:
        more = [{"StartAfter": _key_at(each, after)} if after else {} for each in days]
        answers = self._list(days, more, delimiter="")
        return _by_age(each for answer in answers for each in answer.said.get("Contents", []))

    def _last_days(self, folders: Sequence[str]) -> list[str]:
        """Return the last day's folder of each, by its names alone."""
        days = list(folders)
        for _ in range(3):  # year, month, day
            days = [max(found) for answer in self._list(days) if (found := _folders(answer))]
        return days

    def _by_globs(self) -> Found:
        """Look for log files under names of the operator's, where there are no folders AWSLogs."""
        globs = self._subject.source.keys
        (answer,) = self._list([""], delimiter="")
        newest = _by_age(
            answer.said.get("Contents", []),
            lambda key: any(fnmatchcase(key, glob) for glob in globs),
        )
        return Found(newest, folders=1, all=not answer.said.get("IsTruncated"))

    def _below(self, folders: Sequence[str]) -> list[str]:
        return [each for answer in self._list(folders) for each in _folders(answer)]

    def _some(self, folders: Sequence[str], most: int) -> list[str]:
        self._whole = self._whole and len(folders) <= most
        return list(folders[:most])

    def _list(
        self, prefixes: Sequence[str], more: Sequence[dict[str, str]] = (), delimiter: str = "/"
    ) -> list[Answer]:
        """Return the answers for all *prefixes*; raises where one is none."""
        given = zip(prefixes, more or [{}] * len(prefixes), strict=True)
        calls = [self._call(prefix, delimiter, extra) for prefix, extra in given]
        answers = self._subject.together(calls)
        for answer in answers:
            if not answer.good:
                raise _NotListed(answer)
        return answers

    def _call(self, prefix: str, delimiter: str, more: dict[str, str]) -> Call:
        return listing(
            self._subject, self._bucket, self._region, Prefix=prefix, Delimiter=delimiter, **more
        )


def listing(subject: Subject, bucket: str, region: str, **given: Any) -> Call:
    """Return the call that lists *bucket*."""
    arn = f"arn:{subject.source.queue.partition}:s3:::{bucket}"
    owner = subject.source.expected_bucket_owner
    known = {"ExpectedBucketOwner": owner} if owner else {}
    return Call(
        "s3", "list_objects_v2", region, "s3:ListBucket", arn, {"Bucket": bucket, **known, **given}
    )


def _folders(answer: Answer) -> list[str]:
    return [each["Prefix"] for each in answer.said.get("CommonPrefixes", [])]


def _last(folder: str) -> str:
    return folder.rstrip("/").rpartition("/")[2]


def _key_at(day: str, moment: datetime) -> str:
    """Return how the keys begin that CloudTrail gives files of *moment* in the folder *day*."""
    account, _, region = day.split("/")[-7:-4]
    return f"{day}{account}_CloudTrail_{region}_{moment:%Y%m%dT%H%M}"


def _is_log(key: str) -> bool:
    return keys.place(key) is not None


def _by_age(contents: Iterable[Any], wanted: Callable[[str], bool] = _is_log) -> list[LogFile]:
    """Return those of *contents* that are log files, the newest first."""
    found = [
        LogFile(each["Key"], each["Size"], each["LastModified"])
        for each in contents
        if each["Size"] and wanted(each["Key"])
    ]
    return sorted(found, key=lambda each: each.modified, reverse=True)
