"""Values that threads share: each is made once, and so is each error."""

import threading
from concurrent.futures import Future

import pytest

from tests.support.aws_answers import together
from trailcourier import once_cache
from trailcourier.once_cache import OnceCache

THREADS = 8


class Maker:
    """Returns *value*, or raises it if it is an error, once it may *go* on."""

    def __init__(self, value="answer"):
        self.value = value
        self.calls = 0
        self.began, self.go = threading.Event(), threading.Event()

    def __call__(self):
        self.calls += 1
        self.began.set()
        assert self.go.wait(10)
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


def begin(cache, make):
    """Let a thread make the value, and return that thread once it has begun."""
    thread = threading.Thread(target=lambda: cache.get("question", make))
    thread.start()
    assert make.began.wait(10)
    return thread


def finish(thread, make):
    make.go.set()
    thread.join(10)


def test_threads_that_ask_at_once_share_one_call():
    cache, asked, meeting = OnceCache(), [], threading.Barrier(THREADS)

    def ask(_):
        meeting.wait(10)
        return cache.get("question", lambda: asked.append(1) or "answer")

    assert together(THREADS, ask) == ["answer"] * THREADS
    assert asked == [1]


def test_a_thread_that_waits_for_a_call_gets_its_value():
    cache, make, got = OnceCache(), Maker(), []
    first = begin(cache, make)
    second = threading.Thread(target=lambda: got.append(cache.get("question", make)))
    second.start()

    finish(first, make)
    second.join(10)

    assert (got, make.calls) == (["answer"], 1)


def test_a_call_does_not_keep_other_values_waiting():
    cache, make = OnceCache(), Maker()
    first = begin(cache, make)

    assert cache.get("other", lambda: "at once") == "at once"
    finish(first, make)


def test_a_value_may_need_another():
    cache = OnceCache()

    assert cache.get("outer", lambda: cache.get("inner", lambda: 1) + 1) == 2


def test_none_is_a_value():
    cache, calls = OnceCache(), []

    for _ in range(2):
        assert cache.get("question", lambda: calls.append(1)) is None

    assert calls == [1]


def test_threads_that_wait_share_an_error_and_the_next_calls_again(monkeypatch):
    cache, asked, waiting = OnceCache(), [], threading.Semaphore(0)

    class Watched(Future):
        def result(self, timeout=None):
            waiting.release()
            return super().result(timeout)

    def fail():
        asked.append(1)
        for _ in range(THREADS - 1):
            assert waiting.acquire(timeout=10)
        raise ValueError("first")

    monkeypatch.setattr(once_cache, "Future", Watched)
    errors = together(THREADS, lambda _: cache.get("question", fail))

    assert [str(each) for each in errors] == ["first"] * THREADS
    assert len(asked) == 1
    assert cache.peek("question") is None
    assert cache.get("question", lambda: "answer") == "answer"


def test_an_error_may_be_kept():
    cache = OnceCache(keep_errors=True)

    for word in ("first", "second"):
        with pytest.raises(ValueError, match="first"):
            cache.get("question", lambda word=word: int(word))

    assert cache.peek("question") is None


def test_only_a_value_that_is_there_can_be_seen():
    cache, make = OnceCache(), Maker()
    assert cache.peek("question") is None

    first = begin(cache, make)
    assert cache.peek("question") is None

    finish(first, make)
    assert cache.peek("question") == "answer"


def test_a_value_that_is_replaced_is_the_one_that_stays():
    cache, make = OnceCache(), Maker()
    first = begin(cache, make)

    assert cache.replace("question", "newer")
    finish(first, make)

    assert cache.get("question", make) == "newer"
    assert not cache.replace("question", "newer")


def test_one_of_many_threads_replaces_a_value():
    cache = OnceCache()

    assert sorted(together(THREADS, lambda _: cache.replace("question", "newer"))) == [
        *[False] * (THREADS - 1),
        True,
    ]


@pytest.mark.parametrize("value", ["answer", ValueError("gone")])
def test_what_is_being_made_while_the_cache_is_cleared_is_not_kept(value):
    cache, make = OnceCache(), Maker(value)
    thread = threading.Thread(target=lambda: together(1, lambda _: cache.get("question", make)))
    thread.start()
    assert make.began.wait(10)

    cache.clear()
    assert cache.get("question", lambda: "newer") == "newer"
    finish(thread, make)

    assert cache.peek("question") == "newer"


def test_the_least_recently_used_value_is_dropped():
    cache = OnceCache(most=2)
    for key in ("a", "b", "a", "c"):
        cache.get(key, lambda key=key: key)

    assert [cache.peek(key) for key in "abc"] == ["a", None, "c"]
