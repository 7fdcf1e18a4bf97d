"""Keep a fleet running until it is asked to stop."""

import itertools
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import BinaryIO, Self

from trailcourier.broker import Embedded
from trailcourier.fleet import post
from trailcourier.fleet.members import Member
from trailcourier.fleet.post import BROKER
from trailcourier.fleet.signals import Signals

LOOK = 0.1  # seconds between two looks at the processes
HURRY = 1.0  # seconds for a process to stop after a second signal


class Fleet:
    """Runs while it is entered; leaving it stops every process, in order.

    SIGTERM and SIGINT set *stopping*; a second one ends all processes at once, but for the broker.
    A process that ends is started again after a while.  One that ends five times in a minute sets
    *stopping* too, and leaving then raises Broken with its last words.  What the processes say goes
    to *log*, stderr if none is given; *say* is told what happens to them.

    The broker is kept running, and started again, until the fleet is left: whoever is told to stop
    may have a last question.
    """

    def __init__(
        self,
        members: Sequence[Member],
        *,
        environment: Mapping[str, str],
        say: Callable[[str], None],
        log: BinaryIO | None = None,
        broker: Embedded | None = None,
    ) -> None:
        self.stopping = threading.Event()
        self.posts = [post.for_broker(broker)] if broker else []
        self.posts += [
            post.for_member(each, environment, log or sys.stderr.buffer) for each in members
        ]
        self._say = say
        self._leaving = threading.Event()
        self._hurried = False
        self._failure: Exception | None = None
        self._signals = Signals(self._signalled)
        self._watch = threading.Thread(target=self._supervise, name="fleet", daemon=True)

    def __enter__(self) -> Self:
        self._signals.listen()
        try:
            for each in self.posts:
                each.start()
        except BaseException:
            self._stop()
            raise
        self._watch.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.stopping.set()
        self._leaving.set()
        self._watch.join()
        self._stop()
        if self._failure is not None and kind is None:
            raise self._failure

    def _supervise(self) -> None:
        try:
            while not self._leaving.wait(LOOK):
                for each in self.posts:
                    if self.stopping.is_set() and each.role != BROKER:
                        continue
                    if happened := each.look():
                        self._say(happened)
        except Exception as error:  # noqa: BLE001 - raised where the fleet is left
            self._failure = error
            self.stopping.set()

    def _stop(self) -> None:
        """Stop role by role, the last started first: who brings work before who does it."""
        for _, group in itertools.groupby(reversed(self.posts), key=lambda each: each.role):
            leaving = list(group)
            for each in leaving:
                each.ask()
            grace = HURRY if self._hurried else max(each.grace for each in leaving)
            deadline = time.monotonic() + grace
            for each in leaving:
                each.end(deadline - time.monotonic())
        self._signals.close()

    def _signalled(self, times: int) -> None:
        self.stopping.set()
        if times > 1:
            self._hurried = True
            for each in self.posts:
                if each.role != BROKER:
                    each.kill()
