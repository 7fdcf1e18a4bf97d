"""Folders that only this user and root can change, and files in them reached without a link.

Whoever may write to the folder of a file sink could put a link in it, and have this user write
where only this user may.  So the folder, and each one below it, must belong to this user or to
root, give no other user the right to write, and be no symbolic link.  They are opened one inside
the other, so that nothing can be put in the place of one that was looked at.

Above the folder links are followed, as ``/tmp`` and ``/var/run`` are links on many systems; each
link and folder on the way must belong to this user or root, and nobody else may replace what is in
it: not writable, or sticky.  A folder of root's that its group may write to is left to root.
"""

import contextlib
import errno
import grp
import os
import pwd
import stat
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Self

MODE = 0o750
LINKS = 40  # as many as Linux follows
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NO_FOLDER = (errno.ENOTDIR, errno.ELOOP)  # what opening a link may say where none is followed


class Untrusted(OSError):
    """A folder that others may change; *why* says how, *fix* what to do."""

    def __init__(self, path: Path | str, why: str, fix: str) -> None:
        self.why = f"{path} {why}"
        self.fix = f"{fix}, or set `trust_path = true` of the sink"
        super().__init__(errno.EPERM, f"{self.why}; {self.fix}")


class Folder:
    """An open folder; what is in it is reached through it.  OSError passes through everything.

    With *trusting* links are followed and nobody's rights are looked at.  *path* is for words, and
    text: to make a Path of it costs more than to open it.
    """

    def __init__(self, path: str, fd: int, *, trusting: bool) -> None:
        self.path = path
        self.fd = fd
        self._trusting = trusting

    def inside(self, name: str) -> "tuple[Folder, bool]":
        """Open the folder *name* in this one; whether it was not there, and was made."""
        path, made = f"{self.path}/{name}", False
        try:
            return _opened(path, name, trusting=self._trusting, within=self.fd), made
        except FileNotFoundError:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, MODE, dir_fd=self.fd)
                made = True
        return _opened(path, name, trusting=self._trusting, within=self.fd), made

    def names(self) -> list[str]:
        """What is in it."""
        return os.listdir(self.fd)  # noqa: PTH208  a path knows nothing of an open folder

    def copy(self) -> "Folder":
        """This folder once more, to be closed by itself."""
        return Folder(self.path, os.dup(self.fd), trusting=self._trusting)

    def sync(self) -> None:
        """Wait until the disk has the names in it."""
        os.fsync(self.fd)

    def close(self) -> None:
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def opened(path: Path, *, trusting: bool) -> Folder:
    """Open the folder at *path*, an absolute one; it is made if the one it lies in is there.

    Raises Untrusted, unless *trusting*.
    """
    if not trusting:
        look_above(path)
    try:
        return _opened(str(path), str(path), trusting=trusting)
    except FileNotFoundError:
        with contextlib.suppress(FileExistsError):
            path.mkdir(MODE)
    return _opened(str(path), str(path), trusting=trusting)


def look(path: Path, users: Collection[int] | None = None) -> None:
    """Raise Untrusted where others than *users* may change the folder at *path*, if it is there.

    Left out, *users* are this one and root.  Nothing is made.
    """
    look_above(path, users)
    with contextlib.suppress(FileNotFoundError):
        found = path.lstat()
        if stat.S_ISLNK(found.st_mode):
            raise _is_link(path)
        _look_at(path, found, users)


def look_above(path: Path, users: Collection[int] | None = None) -> None:
    """Raise Untrusted where others may replace what lies on the way to *path*."""
    with contextlib.suppress(FileNotFoundError):
        for place, found in _way(path.parent):
            _owned(place, found, users)
            everybody = found.st_mode & stat.S_IWOTH
            group = found.st_mode & stat.S_IWGRP and found.st_uid != 0
            sticky = found.st_mode & stat.S_ISVTX
            if stat.S_ISDIR(found.st_mode) and (everybody or group) and not sticky:
                _unwritable(place, found)


def replaceable(found: os.stat_result) -> bool:
    """Whether others than its owner and root may replace what lies in a folder."""
    everybody = found.st_mode & stat.S_IWOTH
    group = found.st_mode & stat.S_IWGRP and found.st_uid != 0 and not _own_group(found)
    return bool((everybody or group) and not found.st_mode & stat.S_ISVTX)


def _opened(path: str, name: str, *, trusting: bool, within: int | None = None) -> Folder:
    follow = 0 if trusting else os.O_NOFOLLOW
    try:
        fd = os.open(name, _FOLDER | follow, dir_fd=within)
    except OSError as error:
        if error.errno in _NO_FOLDER and not trusting and _links(name, within):
            raise _is_link(path) from error
        raise
    try:
        if not trusting:
            _look_at(path, os.fstat(fd))
    except BaseException:
        os.close(fd)
        raise
    return Folder(path, fd, trusting=trusting)


def _links(name: str, within: int | None) -> bool:
    return stat.S_ISLNK(os.stat(name, dir_fd=within, follow_symlinks=False).st_mode)


def _is_link(path: Path | str) -> Untrusted:
    return Untrusted(path, "is a symbolic link", "put the folder itself there, name it in `path`")


def _look_at(path: Path | str, found: os.stat_result, users: Collection[int] | None = None) -> None:
    _owned(path, found, users)
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        _unwritable(path, found)


def _owned(path: Path | str, found: os.stat_result, users: Collection[int] | None) -> None:
    us = {0, os.geteuid()} if users is None else users
    if found.st_uid not in us:
        why = f"belongs to user {found.st_uid}, who is neither root nor the one this runs as"
        raise Untrusted(path, why, "change its owner")


def _unwritable(path: Path | str, found: os.stat_result) -> None:
    """Raise Untrusted, unless it is the owner's own group that may write."""
    if found.st_mode & stat.S_IWOTH:
        raise Untrusted(path, "may be written to by everybody", f"`chmod go-w {path}`")
    if not _own_group(found):
        raise Untrusted(path, f"may be written to by group {found.st_gid}", f"`chmod g-w {path}`")


def _own_group(found: os.stat_result) -> bool:
    """Whether the group is its owner's alone: many systems make one for each user."""
    try:
        user, group = pwd.getpwuid(found.st_uid), grp.getgrgid(found.st_gid)
    except KeyError:
        return False
    alone = {*group.gr_mem} <= {user.pw_name}
    return alone and user.pw_gid == found.st_gid and user.pw_name == group.gr_name


def _way(path: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Each folder, and each link, that the kernel passes on its way to *path*, and *path*."""
    at, links = "", 0
    yield "/", os.lstat("/")
    waiting = [*path.parts[1:]][::-1]
    while waiting:
        name = waiting.pop()
        here = at.rpartition("/")[0] if name == ".." else f"{at}/{name}"
        found = os.lstat(here or "/")
        yield here or "/", found
        if not stat.S_ISLNK(found.st_mode):
            at = here
            continue
        links += 1
        if links > LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        to = Path(here).readlink()
        at = "" if to.is_absolute() else at
        waiting += [part for part in to.parts if part != "/"][::-1]
