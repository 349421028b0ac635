"""What a sweep's directory holds beside the records, and whose it is."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from filelock import FileLock

from lambdascope.errors import LambdascopeError
from lambdascope.sweeps import SweepOutputs


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text("a = 1\n")
    return path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def started(out: Path, file: Path) -> SweepOutputs:
    outputs = SweepOutputs(out, file)
    outputs.keep_file()
    outputs.write("sweep.csv", b"1", "cells")
    outputs.write("figures/a.png", b"2", "cells, a")
    return outputs


def test_what_is_no_longer_asked_for_is_removed_and_nothing_else(out: Path, file: Path) -> None:
    started(out, file)
    (out / "figures" / "own.png").write_bytes(b"3")
    (out / "notes.txt").write_text("mine")
    again = SweepOutputs(out, file)
    assert again.drop_stale({"sweep.csv": "cells", "figures/b.png": "cells, b"}) == [
        "figures/a.png"
    ]
    assert again.drop_stale({"sweep.csv": "other cells"}) == ["sweep.csv"]
    left = {path.name for path in out.rglob("*") if path.is_file()}
    assert left == {"own.png", "notes.txt", "sweep.toml", "outputs.json", "outputs.lock"}


def test_what_shows_the_same_stays(out: Path, file: Path) -> None:
    outputs = started(out, file)
    assert outputs.drop_stale({"sweep.csv": "cells", "figures/a.png": "cells, a"}) == []
    assert (out / "sweep.csv").read_bytes() == b"1"


def test_what_somebody_changed_or_linked_stays(out: Path, file: Path) -> None:
    outputs = started(out, file)
    (out / "sweep.csv").write_bytes(b"mine")
    (out / "figures" / "a.png").rename(out / "moved.png")
    (out / "figures" / "a.png").symlink_to(out / "moved.png")
    assert outputs.drop_stale({}) == []
    assert (out / "sweep.csv").read_bytes() == b"mine"
    assert (out / "moved.png").read_bytes() == b"2"


def test_a_state_that_names_other_files_removes_none_of_them(out: Path, file: Path) -> None:
    started(out, file)
    precious = out.parent / "precious.txt"
    precious.write_bytes(b"2")
    state = out / "outputs.json"
    state.write_text(state.read_text().replace("figures/a.png", "../precious.txt"))
    assert SweepOutputs(out, file).drop_stale({"sweep.csv": "cells"}) == []
    assert precious.exists()


def test_another_file_is_refused(out: Path, file: Path, tmp_path: Path) -> None:
    started(out, file)
    other = tmp_path / "other.toml"
    other.write_text("a = 2\n")
    with pytest.raises(LambdascopeError, match=r"holds the results of .*mine\.toml: give .*other"):
        SweepOutputs(out, other)
    namesake = tmp_path / "elsewhere" / "mine.toml"
    namesake.parent.mkdir()
    namesake.write_text("a = 2\n")
    with pytest.raises(LambdascopeError, match="holds the results of"):
        SweepOutputs(out, namesake)


def test_the_same_file_is_not(out: Path, file: Path, tmp_path: Path) -> None:
    started(out, file)
    SweepOutputs(out, out / "sweep.toml")  # as a report opens it
    copy = tmp_path / "copy.toml"
    copy.write_bytes(file.read_bytes())
    SweepOutputs(out, copy)
    file.write_text("a = 2\n")  # edited
    SweepOutputs(out, file)
    moved = tmp_path / "elsewhere" / "mine.toml"
    moved.parent.mkdir()
    file.rename(moved)
    SweepOutputs(out, moved).keep_file()
    assert str(moved) in (out / "outputs.json").read_text()


def test_a_directory_without_a_state_is_its_files(out: Path, file: Path) -> None:
    (out / "cells").mkdir(parents=True)
    (out / "cells" / "0.json").write_text("{}")
    SweepOutputs(out, file)
    (out / "sweep.toml").write_text(file.read_text())
    SweepOutputs(out, file)
    (out / "sweep.toml").write_text("a = 2\n")
    with pytest.raises(
        LambdascopeError, match=r"of another file, kept there .* or remove .*toml if"
    ):
        SweepOutputs(out, file)


def test_a_broken_state_is_said(out: Path, file: Path) -> None:
    started(out, file)
    (out / "outputs.json").write_text("{")
    with pytest.raises(LambdascopeError, match=r"outputs\.json can't be read .*: remove it"):
        SweepOutputs(out, file)


def test_what_another_process_wrote_since_is_not_forgotten(out: Path, file: Path) -> None:
    first = started(out, file)
    SweepOutputs(out, file).write("figures/x.png", b"4", "cells, x")
    first.keep_file()
    assert "figures/x.png" in SweepOutputs(out, file).drop_stale({})


def test_a_file_in_the_directorys_place_and_a_broken_state_get_a_sentence(
    out: Path, file: Path
) -> None:
    out.write_text("")
    with pytest.raises(LambdascopeError, match="is a file: a sweep's results need a directory"):
        SweepOutputs(out, file)
    out.unlink()
    started(out, file)
    (out / "outputs.json").write_text('{"version": 1, "file": "x", "outputs": {"a": 3}}')
    with pytest.raises(LambdascopeError, match=r"outputs\.json can't be read"):
        SweepOutputs(out, file)


def test_a_file_under_another_name_can_adopt_its_results(out: Path, file: Path) -> None:
    started(out, file)
    renamed = file.rename(file.with_name("other.toml"))
    renamed.write_text("a = 2\n")
    with pytest.raises(LambdascopeError, match=r"remove sweep\.toml and outputs\.json there"):
        SweepOutputs(out, renamed)
    for name in ("sweep.toml", "outputs.json"):
        (out / name).unlink()
    SweepOutputs(out, renamed).keep_file()


def test_the_file_is_kept_as_its_cells_were_read(tmp_path: Path) -> None:
    file = tmp_path / "sweep.toml"
    file.write_text("# as it was")
    outputs = SweepOutputs(tmp_path / "out", file, file.read_text())
    assert not outputs.was_edited()
    file.write_text("# edited while the cells were worked on")
    outputs.keep_file()
    assert (tmp_path / "out" / "sweep.toml").read_text() == "# as it was"
    assert outputs.was_edited()
    file.unlink()
    assert outputs.was_edited()


def test_two_that_write_at_once_forget_nothing_of_each_other(out: Path, file: Path) -> None:
    """`sweep plot` beside a running sweep."""

    def write(who: str) -> None:
        outputs = SweepOutputs(out, file)
        for count in range(40):
            outputs.write(f"figures/{who}_{count}.png", who.encode(), who)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, ("one", "two")))
    names = {f"figures/{who}_{count}.png" for who in ("one", "two") for count in range(40)}
    assert set(json.loads((out / "outputs.json").read_text())["outputs"]) == names
    assert set(SweepOutputs(out, file).drop_stale({})) == names


def test_a_lock_that_is_never_let_go_of_is_said(
    out: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lambdascope.sweeps.outputs._LONGEST_WAIT", 0.1)
    outputs = SweepOutputs(out, file)
    outputs.keep_file()
    with (
        FileLock(out / "outputs.lock"),
        pytest.raises(LambdascopeError, match="another process has been writing tables"),
    ):
        outputs.write("sweep.csv", b"", "")
