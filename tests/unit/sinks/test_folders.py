import contextlib
import errno
import grp
import os
import pwd
from pathlib import Path

import pytest

from tests.support.descriptors import descriptors
from trailcourier.aws.network import Network
from trailcourier.errors import Fault
from trailcourier.models import ObjectRef, Origin
from trailcourier.reasons import REASONS
from trailcourier.sinks.file import File
from trailcourier.sinks.folders import Untrusted, check_folder, open_folder

KEY = "AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/23/111122223333_a.json.gz"
ORIGIN = Origin("prod", ObjectRef("acme-cloudtrail", KEY), "etag")
STRANGER = 54_321


@pytest.fixture
def root(tmp_path):
    made = tmp_path / "place" / "events"
    made.mkdir(0o750, parents=True)
    return made


@pytest.fixture
def elsewhere(tmp_path):
    made = tmp_path / "elsewhere"
    made.mkdir(0o750)
    return made


def deliver(root, **settings):
    delivery = File(type="file", path=root, **settings).open("archive", Network()).start(ORIGIN)
    try:
        delivery.send([b"{}"])
        delivery.finish()
    finally:
        delivery.drop()


def files(*folders):
    return [path for folder in folders for path in folder.rglob("*") if path.is_file()]


def linked(path, target):
    if path.exists():
        path.rmdir()
    path.symlink_to(target)


def tries_linked(root, elsewhere):
    linked(root / ".tries", elsewhere)


def source_linked(root, elsewhere):
    linked(root / "prod", elsewhere)


def date_linked(root, elsewhere):
    date = root / "prod" / "111122223333" / "us-east-1" / "2026-11-23"
    date.parent.mkdir(0o750, parents=True)
    linked(date, elsewhere)


def open_to_all(root, elsewhere):
    root.chmod(0o777)


def open_to_all_and_sticky(root, elsewhere):
    root.chmod(0o1777)


def tries_open(root, elsewhere):
    (root / ".tries").mkdir()
    (root / ".tries").chmod(0o777)


def source_open(root, elsewhere):
    (root / "prod").mkdir()
    (root / "prod").chmod(0o777)


def in_an_open_folder(root, elsewhere):
    root.parent.chmod(0o777)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (linked, "is a symbolic link; replace it with a folder, name its target in `path`"),
        (tries_linked, "/.tries is a symbolic link"),
        (source_linked, "/prod is a symbolic link"),
        (date_linked, "/2026-11-23 is a symbolic link"),
        (open_to_all, "/events may be written to by everybody; `chmod go-w "),
        (open_to_all_and_sticky, "/events may be written to by everybody"),
        (tries_open, "/.tries may be written to by everybody"),
        (source_open, "/prod may be written to by everybody"),
        (in_an_open_folder, "/place may be written to by everybody"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_folder_that_others_could_change_is_refused_unless_it_is_trusted(
    root, elsewhere, spoil, words
):
    spoil(root, elsewhere)

    with pytest.raises(Fault) as raised:
        deliver(root)

    fault = raised.value
    assert (fault.reason, fault.where) == ("sink-untrusted", "archive")
    assert (REASONS[fault.reason].status, REASONS[fault.reason].breaker) == ("parked", "sink")
    assert words in fault.detail
    assert fault.detail.endswith("or set `trust_path = true` of the sink")
    assert files(root, elsewhere) == []
    deliver(root, trust_path=True)
    assert len(files(root.resolve())) + len(files(elsewhere)) >= 1


def test_a_folder_in_a_sticky_folder_is_trusted(root):
    root.parent.chmod(0o1777)

    deliver(root)

    assert len(files(root)) == 1


def test_links_above_the_folder_are_followed(root, tmp_path):
    (tmp_path / "way").symlink_to("place")
    (tmp_path / "away").symlink_to(tmp_path / "way")

    deliver(tmp_path / "away" / "events")
    deliver(tmp_path / "away" / "more")

    assert len(files(root)) == len(files(tmp_path / "place" / "more")) == 1


def test_folders_that_links_lead_through_are_checked(root, tmp_path, elsewhere):
    (tmp_path / "way").symlink_to("elsewhere/../place")
    elsewhere.chmod(0o777)

    with pytest.raises(Fault, match="/elsewhere may be written to by everybody"):
        deliver(tmp_path / "way" / "events")


def test_a_loop_of_links_is_a_fault(tmp_path):
    (tmp_path / "round").symlink_to("round")

    with pytest.raises(Fault, match="symbolic links") as raised:
        deliver(tmp_path / "round" / "events")

    assert raised.value.reason == "sink-error"


def strange(monkeypatch, path):
    """Make *path* belong to a user who is neither root nor this user."""
    if os.geteuid() == 0:
        os.chown(path, STRANGER, -1, follow_symlinks=False)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: STRANGER)


@pytest.mark.parametrize("which", ["events", "place", "link"])
def test_a_folder_or_link_of_another_user_is_refused(root, tmp_path, monkeypatch, which):
    (tmp_path / "link").symlink_to("place")
    strange(monkeypatch, {"events": root, "place": root.parent, "link": tmp_path / "link"}[which])

    with pytest.raises(Fault, match="belongs to user ") as raised:
        deliver(tmp_path / "link" / "events")

    assert raised.value.reason == "sink-untrusted"


@pytest.mark.parametrize(("members", "refused"), [([], False), (["somebody"], True)])
def test_only_a_group_without_other_members_may_write(root, monkeypatch, members, refused):
    user = pwd.getpwuid(os.geteuid())
    os.chown(root, -1, user.pw_gid)
    group = grp.struct_group((user.pw_name, "x", user.pw_gid, members))
    monkeypatch.setattr(grp, "getgrgid", lambda gid: group)
    root.chmod(0o770)

    if refused:
        with pytest.raises(Fault, match=f"may be written to by group {user.pw_gid}; `chmod g-w "):
            deliver(root)
    else:
        deliver(root)
        assert len(files(root)) == 1


def test_a_group_without_a_name_may_not_write(root, monkeypatch):
    def unknown(number):
        raise KeyError(number)

    monkeypatch.setattr(grp, "getgrgid", unknown)
    root.chmod(0o770)

    with pytest.raises(Fault, match="may be written to by group"):
        deliver(root)


def test_replacing_the_folder_with_a_link_does_not_redirect_a_delivery(root, elsewhere):
    delivery = File(type="file", path=root).open("archive", Network()).start(ORIGIN)
    delivery.send([b"{}"])
    aside = root.rename(root.with_name("aside"))
    root.symlink_to(elsewhere)

    delivery.finish()

    assert files(elsewhere) == []
    assert len(files(aside)) == 1


@pytest.mark.parametrize("end", ["finish", "drop"])
@pytest.mark.parametrize("spoil", [None, source_linked, tries_linked, open_to_all])
def test_no_folder_stays_open(root, elsewhere, spoil, end):
    sink = File(type="file", path=root).open("archive", Network())
    if spoil:
        spoil(root, elsewhere)

    with contextlib.suppress(Fault):
        getattr(sink.start(ORIGIN), end)()

    assert not [each for each in descriptors() if each.startswith(str(root.parent.parent))]


def test_checking_a_folder_creates_nothing(tmp_path):
    check_folder(tmp_path / "events")
    check_folder(tmp_path / "no" / "such" / "events")

    assert list(tmp_path.iterdir()) == []


def test_checking_raises_the_same_error_as_opening(root, elsewhere):
    for spoil in (open_to_all, in_an_open_folder):
        spoil(root, elsewhere)
        with pytest.raises(Untrusted) as looked:
            check_folder(root)
        with pytest.raises(Untrusted) as tried:
            open_folder(root, trusting=False)
        assert str(looked.value) == str(tried.value)
    linked(root, elsewhere)
    with pytest.raises(Untrusted, match="written to by everybody"):
        check_folder(root)
    Path(root.parent).chmod(0o750)
    with pytest.raises(Untrusted, match="is a symbolic link"):
        check_folder(root)


def test_a_file_in_place_of_the_folder_is_not_a_folder(root):
    root.rmdir()
    root.touch()

    with pytest.raises(OSError, match="Not a directory") as raised:
        open_folder(root, trusting=False)

    assert raised.value.errno == errno.ENOTDIR
    assert not isinstance(raised.value, Untrusted)
