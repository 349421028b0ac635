import os
import resource

import pytest

from lambdascope.errors import LambdascopeError
from lambdascope.runs.files import (
    atomic_write_bytes,
    atomic_write_text,
    check_writable,
    is_leftover,
    make_folder,
    remove_file,
    remove_files,
)


def test_writes_and_replaces(tmp_path):
    path = tmp_path / "note.txt"
    atomic_write_text(path, "λ̂ = 483.6\n")
    atomic_write_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_gives_the_usual_permissions(tmp_path):
    plain, atomic = tmp_path / "plain", tmp_path / "atomic"
    plain.write_bytes(b"")
    atomic_write_bytes(atomic, b"")
    assert atomic.stat().st_mode == plain.stat().st_mode


def test_a_disk_that_fills_up_leaves_the_old_content(tmp_path):
    path = tmp_path / "table.csv"
    atomic_write_bytes(path, b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # A limit on the size of files makes the kernel refuse the write in its middle, as a full disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(LambdascopeError, match=r"table\.csv could not be written .*free space"):
            atomic_write_bytes(path, bytes(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupt_leaves_the_old_content(tmp_path, monkeypatch):
    path = tmp_path / "table.csv"
    atomic_write_bytes(path, b"old")

    def interrupt(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        atomic_write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(LambdascopeError, match=r"nowhere/note could not be written \(No such file"):
        atomic_write_bytes(tmp_path / "nowhere" / "note", b"")


def test_a_file_in_the_way_of_a_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LambdascopeError, match=r"the folder .*file/run could not be made"):
        make_folder(tmp_path / "file" / "run")


def test_leftovers_are_known_by_name(tmp_path):
    assert is_leftover(tmp_path / ".config.json.a8_x.part")
    assert not is_leftover(tmp_path / "config.json")
    assert not is_leftover(tmp_path / "thesis.part")


def test_a_folder_that_cannot_be_written_is_refused_beforehand(tmp_path, monkeypatch):
    check_writable(tmp_path)
    # As on a read-only file system; permissions would not hold the superuser back.
    monkeypatch.setattr(os, "access", lambda path, mode: mode & os.W_OK == 0)
    for refuse in (check_writable, make_folder):
        with pytest.raises(
            LambdascopeError, match=r"nothing can be written into .* \(it is read-o"
        ):
            refuse(tmp_path)


def test_a_file_is_removed_where_it_stands(tmp_path, monkeypatch):
    path = tmp_path / "note"
    path.write_text("")
    remove_file(path)
    assert not path.exists()

    def refuse(self):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(type(path), "unlink", refuse)
    remove_file(path)
    path.write_text("")
    with pytest.raises(
        LambdascopeError, match=r"note could not be removed \(Read-only file system"
    ):
        remove_file(path)


def test_only_files_that_match_are_removed(tmp_path):
    for name in ("modes_a.png", "modes_b.gif", "chains_a.png"):
        (tmp_path / name).touch()
    remove_files(tmp_path, "modes_*")
    assert [path.name for path in tmp_path.iterdir()] == ["chains_a.png"]
    remove_files(tmp_path / "none", "modes_*")
