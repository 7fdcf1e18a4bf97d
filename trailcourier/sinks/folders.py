"""Folders that only this user and root can change, opened without following symbolic links.

A user who may write to the folder of a file sink could put a link in it, and so make this process
write to a file that only this process may write.  So the folder and each folder below it must
belong to this user or root, must not be writable by others, and must not be a symbolic link.  Each
folder is opened relative to the open one above it, so that nobody can replace it after the check.

Above the folder links are followed, because ``/tmp`` and ``/var/run`` are links on many systems.
Each link and folder on the way must belong to this user or root, and must not be writable by
others, unless it is sticky.  A folder of root's may be writable by its group: root decided that.
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
MAX_LINKS = 40  # as many as Linux follows
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_LINK_ERRORS = (errno.ENOTDIR, errno.ELOOP)  # of opening a link with O_NOFOLLOW


class Untrusted(OSError):
    """Other users may change the folder; *why* says how, *fix* what to do."""

    def __init__(self, path: Path | str, why: str, fix: str) -> None:
        self.why = f"{path} {why}"
        self.fix = f"{fix}, or set `trust_path = true` of the sink"
        super().__init__(errno.EPERM, f"{self.why}; {self.fix}")


class Folder:
    """An open folder, and access to its content; methods raise OSError.

    With *trusting* links are followed, and owners and modes are not checked.  *path* is for
    messages; it is a str because making a Path costs more than opening the folder.
    """

    def __init__(self, path: str, fd: int, *, trusting: bool) -> None:
        self.path = path
        self.fd = fd
        self._trusting = trusting

    def open_or_create(self, name: str) -> "tuple[Folder, bool]":
        """Open the folder *name* in this one; also returns whether it was created."""
        path, created = f"{self.path}/{name}", False
        try:
            return _open(path, name, trusting=self._trusting, parent_fd=self.fd), created
        except FileNotFoundError:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, MODE, dir_fd=self.fd)
                created = True
        return _open(path, name, trusting=self._trusting, parent_fd=self.fd), created

    def names(self) -> list[str]:
        """Return the names of what is in the folder."""
        return os.listdir(self.fd)  # noqa: PTH208  Path cannot list an open folder

    def duplicate(self) -> "Folder":
        """Return this folder with its own descriptor, to be closed separately."""
        return Folder(self.path, os.dup(self.fd), trusting=self._trusting)

    def sync(self) -> None:
        """Wait until the names in the folder are on disk."""
        os.fsync(self.fd)

    def close(self) -> None:
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_folder(path: Path, *, trusting: bool) -> Folder:
    """Open the folder at the absolute *path*; creates it if its parent exists.

    Raises Untrusted if others may change it, unless *trusting*.
    """
    if not trusting:
        check_parents(path)
    try:
        return _open(str(path), str(path), trusting=trusting)
    except FileNotFoundError:
        with contextlib.suppress(FileExistsError):
            path.mkdir(MODE)
    return _open(str(path), str(path), trusting=trusting)


def check_folder(path: Path, users: Collection[int] | None = None) -> None:
    """Raise Untrusted if other users than *users* may change the folder at *path*.

    *users* are this process's user and root by default.  Creates nothing; a folder that does not
    exist passes.
    """
    check_parents(path, users)
    with contextlib.suppress(FileNotFoundError):
        found = path.lstat()
        if stat.S_ISLNK(found.st_mode):
            raise _is_link(path)
        _check(path, found, users)


def check_parents(path: Path, users: Collection[int] | None = None) -> None:
    """Raise Untrusted if others may replace a folder or link on the way to *path*."""
    with contextlib.suppress(FileNotFoundError):
        for place, found in _walk(path.parent):
            _check_owner(place, found, users)
            everybody = found.st_mode & stat.S_IWOTH
            group = found.st_mode & stat.S_IWGRP and found.st_uid != 0
            sticky = found.st_mode & stat.S_ISVTX
            if stat.S_ISDIR(found.st_mode) and (everybody or group) and not sticky:
                _check_writers(place, found)


def others_may_replace(found: os.stat_result) -> bool:
    """Whether others than the folder's owner and root may replace what is in it."""
    everybody = found.st_mode & stat.S_IWOTH
    group = found.st_mode & stat.S_IWGRP and found.st_uid != 0 and not _own_group(found)
    return bool((everybody or group) and not found.st_mode & stat.S_ISVTX)


def _open(path: str, name: str, *, trusting: bool, parent_fd: int | None = None) -> Folder:
    follow = 0 if trusting else os.O_NOFOLLOW
    try:
        fd = os.open(name, _FOLDER_FLAGS | follow, dir_fd=parent_fd)
    except OSError as error:
        if error.errno in _LINK_ERRORS and not trusting and _is_symlink(name, parent_fd):
            raise _is_link(path) from error
        raise
    try:
        if not trusting:
            _check(path, os.fstat(fd))
    except BaseException:
        os.close(fd)
        raise
    return Folder(path, fd, trusting=trusting)


def _is_symlink(name: str, parent_fd: int | None) -> bool:
    return stat.S_ISLNK(os.stat(name, dir_fd=parent_fd, follow_symlinks=False).st_mode)


def _is_link(path: Path | str) -> Untrusted:
    fix = "replace it with a folder, name its target in `path`"
    return Untrusted(path, "is a symbolic link", fix)


def _check(path: Path | str, found: os.stat_result, users: Collection[int] | None = None) -> None:
    _check_owner(path, found, users)
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        _check_writers(path, found)


def _check_owner(path: Path | str, found: os.stat_result, users: Collection[int] | None) -> None:
    trusted = {0, os.geteuid()} if users is None else users
    if found.st_uid not in trusted:
        why = f"belongs to user {found.st_uid}, who is neither root nor this process's user"
        raise Untrusted(path, why, "change its owner")


def _check_writers(path: Path | str, found: os.stat_result) -> None:
    """Raise Untrusted, unless only the owner's own group may write."""
    if found.st_mode & stat.S_IWOTH:
        raise Untrusted(path, "may be written to by everybody", f"`chmod go-w {path}`")
    if not _own_group(found):
        raise Untrusted(path, f"may be written to by group {found.st_gid}", f"`chmod g-w {path}`")


def _own_group(found: os.stat_result) -> bool:
    """Whether the owner is the group's only member: many systems make a group for each user."""
    try:
        user, group = pwd.getpwuid(found.st_uid), grp.getgrgid(found.st_gid)
    except KeyError:
        return False
    only_member = {*group.gr_mem} <= {user.pw_name}
    return only_member and user.pw_gid == found.st_gid and user.pw_name == group.gr_name


def _walk(path: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield each folder and link that the kernel visits to open *path*, and *path* itself."""
    at, links = "", 0
    yield "/", os.lstat("/")
    names = [*path.parts[1:]][::-1]  # a stack
    while names:
        name = names.pop()
        here = at.rpartition("/")[0] if name == ".." else f"{at}/{name}"
        found = os.lstat(here or "/")
        yield here or "/", found
        if not stat.S_ISLNK(found.st_mode):
            at = here
            continue
        links += 1
        if links > MAX_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        target = Path(here).readlink()
        at = "" if target.is_absolute() else at
        names += [part for part in target.parts if part != "/"][::-1]
