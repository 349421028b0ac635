import pytest
import torch

from lambdascope.modular_addition import threads
from lambdascope.modular_addition.config import TrainConfig
from lambdascope.modular_addition.threads import ThreadChoice
from lambdascope.modular_addition.training import train


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


class Clock:
    """Time that passes in steps alone, by as much as `seconds(step, threads)` says."""

    def __init__(self, monkeypatch, seconds):
        self.now, self.seconds, self.used = 0.0, seconds, []
        monkeypatch.setattr(threads.time, "perf_counter", lambda: self.now)

    def step(self, number):
        count = torch.get_num_threads()
        self.used.append((number, count))
        self.now += self.seconds(number, count)


def test_the_faster_number_of_threads_is_taken_and_every_step_once(monkeypatch):
    clock = Clock(monkeypatch, lambda step, count: 3.0 / count)
    ThreadChoice(worthwhile=True).run(clock.step, 10, 20)
    assert [number for number, _ in clock.used] == list(range(10, 20))
    assert [count for _, count in clock.used] == [1, 1] + [2] * 8


@pytest.mark.parametrize(("slow", "last"), [(4.0, 12), (14.0, 12), (16.0, 6)])
def test_several_threads_are_left_as_soon_as_they_fall_behind(monkeypatch, slow, last):
    # Another process comes at step 10. Two slow steps in a row, at 6 and 7, are forgiven, unless
    # they take more than five times what one thread took.
    def seconds(step, count):
        return slow if count == 2 and (step in (6, 7) or step >= 10) else 3.0 / count

    clock = Clock(monkeypatch, seconds)
    ThreadChoice(worthwhile=True).run(clock.step, 0, 100)
    assert [number for number, _ in clock.used] == list(range(100))
    several = [number for number, count in clock.used if count == 2]
    assert several == list(range(2, last + 1))


def test_threads_that_lose_are_tried_again_ever_more_rarely(monkeypatch):
    clock = Clock(monkeypatch, lambda step, count: 2.0 * count)
    choice = ThreadChoice(worthwhile=True)
    tried = []
    for stretch in range(40):
        clock.used.clear()
        choice.run(clock.step, 0, 8)
        assert len(clock.used) == 8
        if any(count == 2 for _, count in clock.used):
            tried.append(stretch)
    assert tried == [0, 5, 22]


@pytest.mark.parametrize(("worthwhile", "end"), [(False, 100), (True, 2)])
def test_small_work_stays_on_one_thread(monkeypatch, worthwhile, end):
    clock = Clock(monkeypatch, lambda step, count: 2.0 / count)
    ThreadChoice(worthwhile=worthwhile).run(clock.step, 0, end)
    assert {count for _, count in clock.used} == {1}


def test_torch_gets_its_setting_back_even_after_an_error():
    def fail(number):
        raise KeyError(number)

    with pytest.raises(KeyError):
        ThreadChoice(worthwhile=True).run(fail, 0, 10)
    assert torch.get_num_threads() == 2


def test_the_number_of_threads_changes_no_bit(monkeypatch):
    # Large enough for torch to share out every operation.
    configs = [TrainConfig(seed=seed, num_steps=24, num_checkpoints=3) for seed in range(12)]
    results = []
    for count in (1, 2):

        def run(self, step, start, end, count=count):
            torch.set_num_threads(count)
            for number in range(start, end):
                step(number)

        monkeypatch.setattr(ThreadChoice, "run", run)
        results.append(train(configs))
    for one, two in zip(*results, strict=True):
        for weights, others in zip(one.weights, two.weights, strict=True):
            assert all(torch.equal(weights[name], others[name]) for name in weights)
