"""Elements made ahead by a thread: errors reach the consumer, and no thread outlives what it works for."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest

from jitgrad import data, errors


def prefetchers():
    return [t for t in threading.enumerate() if t.name == "jitgrad-prefetch"]


def ends(threads):
    for t in threads:
        t.join(timeout=30)
    return not any(t.is_alive() for t in threads)


def test_elements_come_in_order_and_each_once():
    dataset = data.from_arrays(np.arange(100)).shuffle(seed=0).batch(7)
    for ahead in (1, 3, 1000):
        expected = [b.tolist() for b in dataset.epoch(2)]
        assert [b.tolist() for b in dataset.prefetch(ahead).epoch(2)] == expected


def test_an_error_of_the_thread_is_raised_where_the_element_was_to_come():
    def fail(v):
        if v == 3:
            raise KeyError("bad record")
        return v

    seen = []
    with pytest.raises(KeyError, match="bad record") as caught:
        for v in data.from_arrays(np.arange(10)).map(fail).prefetch(2):
            seen.append(int(v))
    assert seen == [0, 1, 2]
    assert any(f.name == "fail" for f in caught.traceback), "the traceback leads to the line that failed"
    assert ends(prefetchers())


def test_an_error_of_ours_in_the_thread_names_no_line_of_threading():
    with pytest.raises(errors.ShapeError) as caught:
        list(data.from_iterable([np.zeros(1), np.zeros(2)]).batch(2).prefetch())
    assert "threading" not in str(caught.value)


@pytest.mark.parametrize("leave", ["break", "close", "collect", "exception"])
def test_an_iteration_that_is_left_ends_its_thread_and_closes_its_source(leave):
    closed = threading.Event()

    def endless():
        try:
            n = 0
            while True:
                yield n
                n += 1
        finally:
            closed.set()

    dataset = data.from_iterable(endless).map(lambda v: v).batch(2).prefetch(2).prefetch(1)
    iterator = iter(dataset)
    next(iterator)
    mine = prefetchers()
    assert len(mine) == 2
    if leave == "break":
        for _ in iterator:
            break
    if leave == "exception":
        with pytest.raises(ZeroDivisionError):
            for _ in iterator:
                raise ZeroDivisionError
    if leave == "close":
        iterator.close()
    del iterator
    gc.collect()
    assert ends(mine) and closed.wait(30)


def test_the_thread_is_no_further_ahead_than_asked_for():
    made = []
    free = threading.Event()

    def source():
        for n in range(20):
            made.append(n)
            if len(made) == 4:
                free.set()
            yield n

    iterator = iter(data.from_iterable(source).prefetch(3))
    assert next(iterator) == 0
    assert free.wait(30)
    assert len(made) <= 5
    iterator.close()


def test_a_thread_starts_with_the_iteration_and_not_before():
    dataset = data.from_arrays(np.arange(3)).prefetch(2)
    before = len(prefetchers())
    iter(dataset)
    assert len(prefetchers()) == before
    assert [int(v) for v in dataset] == [int(v) for v in dataset] == [0, 1, 2]


def run(code, **kwargs):
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True, **kwargs)


WAITS = """
    import threading
    from jitgrad import data

    def source():
        yield 1
        print("waiting", flush=True)
        threading.Event().wait()

    try:
        for v in data.from_iterable(source).prefetch(2):
            pass
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


def test_an_interrupt_ends_waiting_for_the_thread():
    process = run(WAITS)
    assert process.stdout.readline() == "waiting\n"
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert out == "interrupted\n" and process.returncode == 0


def test_a_process_ends_while_threads_are_ahead():
    process = run(
        """
        from jitgrad import data
        iterator = iter(data.from_iterable(lambda: iter(range(10**9))).map(lambda v: v).batch(10).prefetch(4))
        next(iterator)
        print("done")
        """
    )
    out, _ = process.communicate(timeout=60)
    assert out == "done\n" and process.returncode == 0


# Several threads


def test_several_threads_give_the_elements_of_one():
    started = threading.Barrier(3)

    def together(x):
        if x[0] < 9:
            started.wait(30)  # three elements are in work at once
        return x + 1

    dataset = data.from_arrays(np.arange(60)).batch(3).map(together)
    out = [b.tolist() for b in dataset.prefetch(4, threads=3)]
    assert out == [[3 * i + 1, 3 * i + 2, 3 * i + 3] for i in range(20)]


def test_random_numbers_do_not_depend_on_threads():
    dataset = data.from_arrays(np.zeros(100)).shuffle(seed=0).batch(4).map(lambda x, r: x + r.random(4), seed=1)
    expected = [b.tolist() for b in dataset]
    for threads in (1, 2, 5):
        assert [b.tolist() for b in dataset.prefetch(3, threads=threads).epoch(0)] == expected


def test_an_error_of_one_of_several_threads_comes_in_its_place_and_ends_all():
    def fail(v):
        if v == 5:
            raise ValueError("bad")
        return v

    before = set(prefetchers())
    seen = []
    with pytest.raises(ValueError, match="bad") as caught:
        for v in data.from_arrays(np.arange(40)).map(fail).prefetch(6, threads=3):
            seen.append(int(v))
    assert seen == [0, 1, 2, 3, 4] and "element 5" in caught.value.__notes__[0]
    assert ends(set(prefetchers()) - before)


def test_a_stop_iteration_of_the_users_does_not_end_an_epoch_in_silence():
    for source in (data.from_arrays(np.arange(3)), data.from_iterable(range(3))):
        for dataset in (source.map(lambda v: next(iter([]))), source.map(lambda v: next(iter([]))).prefetch()):
            with pytest.raises(RuntimeError, match="StopIteration"):
                list(dataset)


def test_several_threads_end_when_an_iteration_is_left():
    before = set(prefetchers())
    iterator = iter(data.from_arrays(np.arange(1000)).prefetch(6, threads=3))
    assert int(next(iterator)) == 0
    mine = set(prefetchers()) - before
    assert len(mine) == 3
    del iterator
    gc.collect()
    assert ends(mine)


def test_a_stream_has_one_thread():
    with pytest.raises(errors.ArgumentError, match="by one thread, got threads=2"):
        data.from_iterable(range(3)).prefetch(2, threads=2)
