"""The newest log files of a bucket, found by listing some of its folders."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from trailcourier import keys
from trailcourier.aws.calls import AwsAnswer, AwsCall
from trailcourier.doctor import trails
from trailcourier.doctor.subject import Subject

DEPTH = 3  # levels of folders above AWSLogs/
WIDTH = 8  # folders listed on one level above AWSLogs/
ACCOUNTS = 4  # accounts listed
FOLDERS = 24  # folders of regions listed, over all accounts
LATELY = timedelta(hours=2)


class ListedLog(msgspec.Struct, frozen=True):
    """A log file, as a listing shows it; *size* in bytes."""

    key: str
    size: int
    modified: datetime


class NewestLogs(msgspec.Struct, frozen=True):
    """The result of listing a bucket.

    *newest* are the log files found, newest first; *regions* those that have a folder of log files.
    *folders* is how many folders were listed; *complete* is false if there are more.  *failure* is
    the failed answer because of which nothing else is known.  *denial* is AWS's answer to the
    source, if a lent profile listed in its place.
    """

    newest: Sequence[ListedLog] = ()
    regions: frozenset[str] = frozenset()
    folders: int = 0
    complete: bool = True
    failure: AwsAnswer | None = None
    denial: AwsAnswer | None = None


class _ListingFailed(Exception):
    """Ends the search; *answer* is the call that failed."""

    def __init__(self, answer: AwsAnswer) -> None:
        super().__init__()
        self.answer = answer


def find_newest_logs(subject: Subject, bucket: str, region: str) -> NewestLogs:
    """Return the newest log files of *bucket*, which is in *region*; the bucket is listed once."""
    return subject.cache.get(("logs", bucket), lambda: _Listing(subject, bucket, region).search())


class _Listing:
    def __init__(self, subject: Subject, bucket: str, region: str) -> None:
        self._subject = subject
        self._bucket = bucket
        self._region = region
        self._complete = True
        self._denial: AwsAnswer | None = None

    def search(self) -> NewestLogs:
        try:
            roots = list(self._roots())
            folders = self._region_folders(roots) if roots else []
            newest = self._newest(folders) if folders else []
            if not newest and self._subject.source.keys:
                return self._by_globs()
        except _ListingFailed as failed:
            return NewestLogs(failure=failed.answer)
        regions = frozenset(each.rstrip("/").rpartition("/")[2] for each in folders)
        return NewestLogs(newest, regions, len(folders), self._complete, denial=self._denial)

    def _roots(self) -> Iterator[str]:
        """Yield the folders ``AWSLogs/``: at the trails' prefixes; without a trail, by search."""
        ours = [
            trail
            for trail in trails.find_trails(self._subject).ours
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

    def _region_folders(self, roots: Sequence[str]) -> list[str]:
        """Return ``.../AWSLogs/ACCOUNT/CloudTrail/REGION/`` for some accounts and all regions."""
        accounts = self._below(roots)
        organisations = [each for each in accounts if _name(each).startswith("o-")]
        accounts = [each for each in accounts if _name(each).isdigit()]
        if organisations:
            accounts += self._below(self._some(organisations, ACCOUNTS))
        ours = f"{self._subject.source.queue.account}/"  # most likely to have log files
        accounts.sort(key=lambda each: not each.endswith(ours))
        some = self._some(accounts, ACCOUNTS)
        return self._some(self._below([f"{each}CloudTrail/" for each in some]), FOLDERS)

    def _newest(self, folders: Sequence[str]) -> list[ListedLog]:
        """Return the log files of the last two hours; without any, those of the last day."""
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

    def _files(self, days: Sequence[str], after: datetime | None = None) -> list[ListedLog]:
        more = [{"StartAfter": _key_at(each, after)} if after else {} for each in days]
        answers = self._list(days, more, delimiter="")
        return _by_age(each for answer in answers for each in answer.response.get("Contents", []))

    def _last_days(self, folders: Sequence[str]) -> list[str]:
        """Return the folder of the last day in each of *folders*, by the folders' names."""
        days = list(folders)
        for _ in range(3):  # year, month, day
            days = [max(found) for answer in self._list(days) if (found := _folders(answer))]
        return days

    def _by_globs(self) -> NewestLogs:
        """Find log files by the source's `keys` globs, if there are none below ``AWSLogs/``."""
        globs = self._subject.source.keys
        (answer,) = self._list([""], delimiter="")
        newest = _by_age(
            answer.response.get("Contents", []),
            lambda key: any(fnmatchcase(key, glob) for glob in globs),
        )
        complete = not answer.response.get("IsTruncated")
        return NewestLogs(newest, folders=1, complete=complete, denial=self._denial)

    def _below(self, folders: Sequence[str]) -> list[str]:
        return [each for answer in self._list(folders) for each in _folders(answer)]

    def _some(self, folders: Sequence[str], most: int) -> list[str]:
        self._complete = self._complete and len(folders) <= most
        return list(folders[:most])

    def _list(
        self, prefixes: Sequence[str], more: Sequence[dict[str, str]] = (), delimiter: str = "/"
    ) -> list[AwsAnswer]:
        """List all *prefixes* and return the answers.  Raises _ListingFailed if a call fails."""
        pairs = zip(prefixes, more or [{}] * len(prefixes), strict=True)
        calls = [self._call(prefix, delimiter, extra) for prefix, extra in pairs]
        answers = self._subject.ask_all(calls)
        for answer in answers:
            if not answer.good:
                raise _ListingFailed(answer)
            self._denial = self._denial or self._subject.lent.denial(answer)
        return answers

    def _call(self, prefix: str, delimiter: str, more: dict[str, str]) -> AwsCall:
        given = self._subject.bucket_parameters(self._bucket)
        given |= {"Prefix": prefix, "Delimiter": delimiter, **more}
        arn = self._subject.bucket_arn(self._bucket)
        return AwsCall("s3", "ListObjectsV2", self._region, arn, given)


def _folders(answer: AwsAnswer) -> list[str]:
    return [each["Prefix"] for each in answer.response.get("CommonPrefixes", [])]


def _name(folder: str) -> str:
    return folder.rstrip("/").rpartition("/")[2]


def _key_at(day: str, moment: datetime) -> str:
    """Return the beginning of the keys of CloudTrail's files from *moment* in the folder *day*."""
    account, _, region = day.split("/")[-7:-4]
    return f"{day}{account}_CloudTrail_{region}_{moment:%Y%m%dT%H%M}"


def _is_log(key: str) -> bool:
    return keys.parse(key) is not None


def _by_age(contents: Iterable[Any], wanted: Callable[[str], bool] = _is_log) -> list[ListedLog]:
    """Return the log files among *contents*, newest first; empty objects are left out."""
    found = [
        ListedLog(each["Key"], each["Size"], each["LastModified"])
        for each in contents
        if each["Size"] and wanted(each["Key"])
    ]
    return sorted(found, key=lambda each: each.modified, reverse=True)
