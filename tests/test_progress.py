import io
import subprocess
import sys
import threading

import pytest

from lambdascope import progress
from lambdascope.progress import Progress, close_bars, tracked


class Stream(io.StringIO):
    def __init__(self, terminal):
        super().__init__()
        self.terminal = terminal

    def isatty(self):
        return self.terminal


@pytest.fixture
def shown(monkeypatch):
    """Puts a terminal or a log in the place of standard error, from within the test: before it
    begins, pytest puts its own there."""

    def show(terminal):
        monkeypatch.setattr(sys, "stderr", stream := Stream(terminal))
        return stream

    return show


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass only when the test says so."""

    class Clock:
        now = 1000.0

        def monotonic(self):
            return self.now

    monkeypatch.setattr(progress, "time", clock := Clock())
    return clock


def test_a_bar_on_a_terminal(shown):
    terminal = shown(terminal=True)
    with Progress("sampling", total=30) as bar:
        for _ in range(3):
            bar.update(10)
    assert "sampling: 100%" in terminal.getvalue()
    assert "30/30" in terminal.getvalue()


def test_large_numbers_are_shortened_on_a_bar(shown):
    terminal = shown(terminal=True)
    with Progress("sampling", total=3_000_000) as bar:
        bar.update(3_000_000)
    assert "3.00M/3.00M" in terminal.getvalue()


def test_a_line_a_minute_in_a_log(shown, clock):
    log = shown(terminal=False)
    with Progress("sampling", total=3000) as bar:
        for second in range(1, 301):
            clock.now = 1000.0 + second
            bar.update(4)
    assert log.getvalue().splitlines() == [
        "sampling: 240 of 3,000 steps (8%), 1 min, about 12 min more",
        "sampling: 480 of 3,000 steps (16%), 2 min, about 10 min more",
        "sampling: 720 of 3,000 steps (24%), 3 min, about 10 min more",
        "sampling: 960 of 3,000 steps (32%), 4 min, about 8 min more",
        "sampling: 1,200 of 3,000 steps (40%), 5 min, about 8 min more",
    ]


def test_what_else_was_done_does_not_count_towards_the_time_left(shown, clock):
    log = shown(terminal=False)
    with Progress("sampling", total=3000) as bar:
        bar.say("compiling")
        clock.now += 50
        bar.say()
        for _ in range(12):
            clock.now += 10
            bar.update(250)
    assert (
        log.getvalue().splitlines()[0]
        == "sampling: 250 of 3,000 steps (8%), 1 min, about 2 min more"
    )


def test_what_takes_less_than_a_minute_leaves_no_line(shown, clock):
    log = shown(terminal=False)
    with Progress("sampling", total=3) as bar:
        clock.now += 59
        bar.say("compiling")
        bar.say()
        bar.update(3)
    assert log.getvalue() == ""


def test_a_line_without_a_total(shown, clock):
    log = shown(terminal=False)
    with Progress("Hessian", unit="product") as bar:
        clock.now += 3 * 3600
        bar.update(7)
        bar.set_total(70)
        clock.now += 60
        bar.update(7)
    assert log.getvalue().splitlines() == [
        "Hessian: 7 products, 3 h 0 min",
        "Hessian: 14 of 70 products (20%), 3 h 1 min, about 12 h 4 min more",
    ]


def test_what_was_done_before_does_not_count_towards_the_rate(shown, clock):
    log = shown(terminal=False)
    with Progress("sampling", total=100, initial=20) as bar:
        bar.skip(60)
        clock.now += 60
        bar.update(10)
    assert log.getvalue() == "sampling: 90 of 100 steps (90%), 1 min, about 1 min more\n"


def test_and_a_bar_starts_where_it_was(shown):
    terminal = shown(terminal=True)
    with Progress("sampling", total=100, initial=20) as bar:
        bar.skip(60)
        bar.update(20)
    assert "100/100" in terminal.getvalue()


def test_what_else_is_done_is_said_on_the_bar(shown):
    terminal = shown(terminal=True)
    with Progress("sampling", total=10) as bar:
        bar.say("compiling the step")
        assert "compiling the step:   0%" in terminal.getvalue()
        bar.say()
        bar.update(10)
    assert "sampling: 100%" in terminal.getvalue()


def test_without_a_total_a_bar_counts_in_words(shown):
    terminal = shown(terminal=True)
    with Progress("choosing the step", unit="pilot") as bar:
        bar.say("choosing the step: pilots")
        bar.update()
        bar.set_total(4)
        bar.update(3)
    lines = terminal.getvalue().split("\r")
    assert any(line.startswith("choosing the step: 0 pilots [") for line in lines)
    assert any(line.startswith("choosing the step: pilots: 0 pilots [") for line in lines)
    assert any(line.startswith("choosing the step: pilots: 100%") for line in lines)
    assert ": :" not in terminal.getvalue()


def test_a_bar_that_an_error_left_open_can_be_ended(shown):
    terminal = shown(terminal=True)
    items = tracked([1, 2], "numbers")
    next(items)
    assert not terminal.getvalue().endswith("\n")
    close_bars()
    assert terminal.getvalue().endswith("\n")
    held = terminal.getvalue()
    items.close()
    close_bars()
    assert terminal.getvalue() == held


@pytest.mark.parametrize("terminal", [True, False])
def test_nothing_where_it_is_not_wanted(terminal, shown, clock):
    stream = shown(terminal)
    with Progress("sampling", total=10, wanted=False) as bar:
        clock.now += 600
        bar.say("compiling")
        bar.say()
        bar.skip(1)
        bar.update()
        bar.set_total(9)
    assert list(tracked("abc", "letters", wanted=False)) == ["a", "b", "c"]
    assert stream.getvalue() == ""


def test_a_process_without_a_console_shows_nothing(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    with Progress("sampling", total=1) as bar:
        bar.update()
        bar.write("done")


@pytest.mark.parametrize("terminal", [True, False])
def test_a_line_of_its_own(terminal, shown):
    stream = shown(terminal)
    with Progress("sweep", total=10) as bar:
        bar.write("cell 3 failed")
    assert "cell 3 failed\n" in stream.getvalue()


def test_items_are_tracked(shown):
    terminal = shown(terminal=True)
    assert list(tracked([3, 1], "numbers", unit="number")) == [3, 1]
    assert "2/2" in terminal.getvalue()
    assert list(tracked(iter("ab"), "letters", total=2)) == ["a", "b"]
    assert "letters: 100%" in terminal.getvalue()


def test_threads_do_not_lose_each_others_counts(shown, clock):
    log = shown(terminal=False)
    with Progress("sampling", total=80_000) as bar:
        threads = [
            threading.Thread(target=lambda: [bar.update() for _ in range(10_000)]) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        clock.now += 60
        bar.update(0)
    assert "80,000 of 80,000" in log.getvalue()


def test_a_notebook_without_widgets_is_not_warned_of_it():
    notebook = """
import sys, types
sys.modules["ipykernel.zmqshell"] = types.ModuleType("zmqshell")
sys.modules["IPython"] = types.SimpleNamespace(get_ipython=lambda: None)
sys.modules["ipywidgets"] = None
"""
    warned, quiet = (
        subprocess.run(
            [sys.executable, "-W", "always", "-c", f"{notebook}\nimport {module}"],
            capture_output=True,
            text=True,
            check=True,
        ).stderr
        for module in ("tqdm.auto", "lambdascope.progress")
    )
    assert "IProgress" in warned
    assert "IProgress" not in quiet
