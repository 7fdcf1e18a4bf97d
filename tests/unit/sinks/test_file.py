import errno
import gzip
import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from trailcourier.aws.network import Network
from trailcourier.errors import Fault
from trailcourier.models import ObjectRef, Origin
from trailcourier.sinks.file import BLOCK, File, GzipStream

KEY = "AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/23/111122223333_a.json.gz"
ORIGIN = Origin("prod", ObjectRef("acme-cloudtrail", KEY), "etag")
FOLDERS = ("prod", "111122223333", "us-east-1", "2026-11-23")
FIRST, SECOND = [b'{"n":1}', b'{"n":2}'], [b'{"n":3}']


@pytest.fixture(params=[False, True], ids=["plain", "gzip"])
def zipped(request):
    return request.param


@pytest.fixture
def root(tmp_path):
    return tmp_path / "events"


def opened(root, **settings):
    return File(type="file", path=root, **settings).open("archive", Network())


def files(root):
    return [path for path in root.rglob("*") if path.is_file()]


def content(root):
    (path,) = files(root)
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


def failing(code, *, times=1, takes=0):
    """Make an os function fail *times* times with *code*, after *takes* bytes."""
    left = [times]

    def call(real):
        def wrapper(fd, *more):
            if left[0] <= 0:
                return real(fd, *more)
            left[0] -= 1
            if takes and more:
                real(fd, bytes(more[0])[:takes], *more[1:])
            raise OSError(code, os.strerror(code))

        return wrapper

    return call


def breaking(monkeypatch, name, **how):
    monkeypatch.setattr(os, name, failing(**how)(getattr(os, name)))


@pytest.mark.parametrize(
    ("settings", "ending"), [({}, ".ndjson"), ({"gzip": True}, ".ndjson.gz")], ids=["plain", "gzip"]
)
def test_a_log_file_becomes_one_file_in_its_folders(root, settings, ending):
    delivery = opened(root, **settings).start(ORIGIN)
    delivery.send(FIRST)
    delivery.finish()

    (path,) = files(root)
    assert path.parent == root.joinpath(*FOLDERS)
    assert path.name.startswith("111122223333_a.json.gz-")
    assert path.name.endswith(ending)
    assert content(root) == b'{"n":1}\n{"n":2}\n'


def test_an_object_without_records_is_an_empty_file(root, zipped):
    opened(root, gzip=zipped).start(ORIGIN).finish()

    assert content(root) == b""


def test_a_batch_can_be_sent_again_after_the_disk_was_full(root, zipped, monkeypatch):
    delivery = opened(root, gzip=zipped).start(ORIGIN)
    large = [b'{"pad":"' + os.urandom(BLOCK).hex().encode() + b'"}']
    delivery.send(large)
    breaking(monkeypatch, "pwrite", code=errno.ENOSPC, takes=1000)

    with pytest.raises(Fault) as raised:
        delivery.send(FIRST)
    delivery.send(FIRST)
    delivery.send(SECOND)
    delivery.finish()

    assert raised.value.reason == "sink-full"
    assert str(root) in raised.value.detail
    assert content(root) == b"\n".join([*large, *FIRST, *SECOND, b""])


def test_the_rest_of_a_failed_batch_is_not_in_the_file(root, monkeypatch):
    delivery = opened(root).start(ORIGIN)
    breaking(monkeypatch, "pwrite", code=errno.EIO, takes=10)

    with pytest.raises(Fault, match="sink-error"):
        delivery.send(FIRST)
    delivery.finish()

    assert content(root) == b""


@pytest.mark.parametrize("name", ["fsync", "ftruncate"])
def test_a_finish_that_fails_leaves_nothing_and_the_next_try_is_whole(
    root, zipped, monkeypatch, name
):
    sink = opened(root, gzip=zipped)
    delivery = sink.start(ORIGIN)
    delivery.send(FIRST)
    with monkeypatch.context() as patch:
        breaking(patch, name, code=errno.EIO, times=9)
        with pytest.raises(Fault, match="sink-error"):
            delivery.finish()
        delivery.drop()

    assert files(root) == []
    delivery = sink.start(ORIGIN)
    delivery.send(FIRST)
    delivery.finish()
    assert content(root) == b'{"n":1}\n{"n":2}\n'


def test_a_file_that_failed_to_sync_never_becomes_final(root, zipped, monkeypatch):
    delivery = opened(root, gzip=zipped).start(ORIGIN)
    delivery.send(FIRST)
    breaking(monkeypatch, "fsync", code=errno.EIO)
    with pytest.raises(Fault):
        delivery.finish()

    with pytest.raises(Fault):
        delivery.finish()

    assert files(root) == []


def test_an_unmounted_folder_is_a_fault_and_not_created(tmp_path):
    with pytest.raises(Fault, match="mount it") as raised:
        opened(tmp_path / "mnt" / "events").start(ORIGIN)

    assert raised.value.reason == "sink-error"
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_of_a_folder_is_a_fault(root):
    root.mkdir()
    (root / "prod").touch()
    delivery = opened(root).start(ORIGIN)

    with pytest.raises(Fault, match="move it away"):
        delivery.finish()


def synced(monkeypatch):
    """Record in which order files and folders are synced and renamed, by inode."""
    events = []
    fsync, rename = os.fsync, os.rename

    def watched_fsync(fd):
        fsync(fd)
        events.append(("fsync", os.fstat(fd).st_ino))

    def watched_rename(source, target, *, src_dir_fd, dst_dir_fd):
        events.append(("rename", os.stat(source, dir_fd=src_dir_fd).st_ino))
        rename(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "rename", watched_rename)
    return events


def test_the_file_is_synced_before_the_rename_and_the_folders_after(root, monkeypatch):
    events = synced(monkeypatch)
    delivery = opened(root).start(ORIGIN)
    delivery.send(FIRST)

    delivery.finish()

    (path,) = files(root)
    inode = path.stat().st_ino
    renamed = events.index(("rename", inode))
    assert ("fsync", inode) in events[:renamed]
    assert ("fsync", path.parent.stat().st_ino) in events[renamed:]
    # a folder's entry is on disk once its parent is synced
    above = [*path.parents][1 : len(FOLDERS) + 2]
    assert {("fsync", folder.stat().st_ino) for folder in above} <= set(events)


def test_folders_of_another_process_are_synced_too(root, monkeypatch):
    root.joinpath(*FOLDERS).mkdir(parents=True)
    events = synced(monkeypatch)

    opened(root).start(ORIGIN).finish()

    above = [root.parent, root, *root.joinpath(*FOLDERS).parents[: len(FOLDERS) - 1]]
    assert {("fsync", folder.stat().st_ino) for folder in above} <= set(events)


def test_folders_are_synced_once(root, monkeypatch):
    sink = opened(root)
    sink.start(ORIGIN).finish()
    events = synced(monkeypatch)

    sink.start(ORIGIN).finish()

    assert [name for name, _ in events] == ["fsync", "rename", "fsync"]


def test_without_fsync_nothing_is_synced(root, monkeypatch):
    events = synced(monkeypatch)

    opened(root, fsync=False).start(ORIGIN).finish()

    assert [name for name, _ in events] == ["rename"]


def test_a_deleted_folder_is_created_again(root):
    sink = opened(root)
    sink.start(ORIGIN).finish()
    (path,) = files(root)
    path.unlink()
    path.parent.rmdir()
    path.parent.parent.rmdir()

    sink.start(ORIGIN).finish()

    assert files(root) == [path]


def test_the_group_may_read_and_others_may_not(root):
    before = os.umask(0)
    try:
        opened(root).start(ORIGIN).finish()
    finally:
        os.umask(before)

    (path,) = files(root)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in [root, *path.parents[:4]]} == {0o750}


def test_a_relative_path_is_relative_to_the_folder_at_the_start(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sink = opened("events")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    sink.start(ORIGIN).finish()

    assert len(files(tmp_path / "events")) == 1


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))

    assert File(type="file", path="~/events").path == tmp_path / "events"


def test_a_path_with_a_null_character_is_an_error_of_the_configuration():
    with pytest.raises(ValidationError, match="null character"):
        File(type="file", path="a\0b")


@given(st.lists(st.integers(0, 3 * BLOCK), min_size=1, max_size=6), st.data())
def test_compressed_bytes_do_not_depend_on_the_pieces_of_the_input(sizes, data):
    text = (b'{"eventID":"%d"}\n' * 50 % tuple(range(50))) * (sum(sizes) // 900 + 1)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    whole, cut = GzipStream(), GzipStream()

    one = whole.feed(text) + whole.end()
    other = b"".join(map(cut.feed, pieces)) + cut.end()

    assert one == other
    assert gzip.decompress(one) == text


def test_the_gzip_header_has_no_time():
    assert GzipStream().end()[4:8] == bytes(4)
