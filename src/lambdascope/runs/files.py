"""Writing files so that a reader sees the old content or the new one, never half of either."""

import contextlib
import os
import tempfile
from pathlib import Path

from lambdascope.errors import LambdascopeError

_SUFFIX = ".part"


def atomic_write_bytes(path: Path, data: bytes) -> None:
    """Replace the content of `path` by `data`, or leave it as it was.

    The bytes go to a temporary file in the same folder, which is flushed to the disk and then
    renamed over `path`; renaming within a folder is atomic on POSIX and on Windows.

    Args:
        path: the file to write; its folder must exist.
        data: the whole new content.

    Raises:
        LambdascopeError: the disk is full, the folder is missing or read-only; the old content
            stands.
    """
    path = Path(path)
    temporary: str | None = None
    try:
        descriptor, temporary = tempfile.mkstemp(
            prefix=f".{path.name}.", suffix=_SUFFIX, dir=path.parent
        )
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        # mkstemp makes files that only their owner may read; results get the usual permissions.
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        if isinstance(error, OSError):
            raise LambdascopeError(
                f"{path} could not be written ({error.strerror or error}): what was there before "
                "still stands; give a folder that exists, is writable and has free space"
            ) from error
        raise


def atomic_write_text(path: Path, text: str) -> None:
    """Replace the content of `path` by `text` in UTF-8, as `atomic_write_bytes` does."""
    atomic_write_bytes(path, text.encode("utf-8"))


def is_leftover(path: Path) -> bool:
    """Whether `path` is a temporary file that a writer left behind when it was killed."""
    return path.name.startswith(".") and path.name.endswith(_SUFFIX)


def make_folder(path: Path) -> None:
    """Make `path` and its parents, if they do not stand yet.

    Raises:
        LambdascopeError: something in the way is a file, or the place is read-only.
    """
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LambdascopeError(
            f"the folder {path} could not be made ({error.strerror or error}): give a path that is "
            "free and writable"
        ) from error
    check_writable(path)


def check_writable(folder: Path) -> None:
    """Refuse a folder that nothing can be written into, before time goes into what would be.

    Raises:
        LambdascopeError: it is read-only, or its file system is.
    """
    if not os.access(folder, os.W_OK | os.X_OK):
        raise LambdascopeError(
            f"nothing can be written into {folder} (it is read-only): give a folder that is "
            "writable, or make it so"
        )


def remove_file(path: Path) -> None:
    """Remove a file, if it stands.

    Raises:
        LambdascopeError: it cannot be removed.
    """
    try:
        # Where nothing stands, a read-only file system would refuse to remove it all the same.
        if os.path.lexists(path):
            path.unlink()
    except OSError as error:
        raise LambdascopeError(
            f"{path} could not be removed ({error.strerror or error}): give a writable directory"
        ) from error


def remove_files(folder: Path, pattern: str) -> None:
    """Remove the files of a folder whose names match, such as "modes_*".

    Raises:
        LambdascopeError: one cannot be removed.
    """
    for path in folder.glob(pattern):
        remove_file(path)


def _umask() -> int:
    # The mask can only be read by setting it.
    mask = os.umask(0)
    os.umask(mask)
    return mask
