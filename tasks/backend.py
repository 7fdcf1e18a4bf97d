"""The result backend, where chords count their headers: two repairs, a connection a thread.

Each repair is removed once Celery has it.
"""

from collections.abc import Sequence
from functools import cached_property
from importlib import resources
from typing import Any

from celery.backends.redis import CHORD_CLEANUP_LUA, CHORD_PART_RETURN_LUA, RedisBackend
from celery.states import SUCCESS

from trailcourier.ledger.redis_client import FREES, Client, connection_options, retry_policy
from trailcourier.line.failpoint import failpoint

COUNT_PARTS = resources.files("tasks").joinpath("count_parts.lua").read_text("utf-8")


class Backend(RedisBackend):
    """A backend that retries, and that subscribes to no results.

    Celery counts a finished header with one request: if Redis fails just then, the chord fails
    although its work was done (celery/celery#3363).  Its script may run twice, so we retry.  Celery
    also subscribes to the result of every task it sends, and never recovers when that connection
    is cut ("must be restarted").
    """

    def _get_pool(self, **params: Any) -> Any:
        """Make a pool that retries; Celery itself retries no step at the end of a chord."""
        params["retry"] = retry_policy()
        return super()._get_pool(**connection_options(params, self._transport_options.get("login")))

    @cached_property
    def _pooled(self) -> Client:
        return Client(connection_pool=self._get_pool(**self.connparams))

    @property
    def client(self) -> Any:
        """The client of this thread: all threads of a worker share one backend."""
        return self._pooled.own

    @cached_property
    def _chord_part_return_script(self) -> Any:
        script = self._pooled.register_script(FREES + CHORD_PART_RETURN_LUA)
        # A worker that may not publish the body need not read it: answer as if it were published.
        return lambda **sent: answer if (answer := script(**sent))[3] else (-1, 0, 0, 0)

    def on_chord_part_return(self, *args: Any, **kwargs: Any) -> None:
        count = super().on_chord_part_return
        self.ensure(lambda: count(*args, **kwargs), ())

    @cached_property
    def _count_parts_script(self) -> Any:
        return self._pooled.register_script(FREES + COUNT_PARTS)

    def count_parts(self, parts: Sequence[tuple[Any, str]]) -> None:
        """Count finished headers, each a request and its return value, in one round trip.

        Celery itself then counts one part of each complete chord once more: that adds nothing, but
        claims the chord and publishes its body.
        """
        chords: dict[str, list[tuple[Any, str]]] = {}
        for part in parts:
            if part[0].group and part[0].chord:
                chords.setdefault(part[0].group, []).append(part)
        keys: list[Any] = []
        args: list[Any] = [self.chord_expires or 0]
        for group, members in chords.items():
            keys += [self.get_key_for_group(group, end) for end in (".j", ".t", ".s", ".d", ".c")]
            args.append(len(members))
            for request, value in members:
                place = "+inf" if request.group_index is None else request.group_index
                result = self.encode_result(value, SUCCESS)
                part_json = self.encode([1, request.id, SUCCESS, result])
                args += [f"{request.id}:{place}", place, part_json]
        if chords:
            script, everyone = self._count_parts_script, list(chords.values())
            for number in self.ensure(lambda: script(keys, args, client=self.client), ()):
                request, value = everyone[number][0]
                self.on_chord_part_return(request, SUCCESS, value)

    def on_task_call(self, producer: Any, task_id: str) -> None:
        """Subscribe to nothing."""

    def add_pending_result(self, result: Any, **_: Any) -> Any:
        return result

    def remove_pending_result(self, result: Any) -> Any:
        return result

    def _chord_publish_claim_expires(self, *args: Any) -> int:
        failpoint("at-chord-claim")  # the claim is ours, the body not yet sent
        return int(super()._chord_publish_claim_expires(*args))

    @property
    def _chord_cleanup_script(self) -> Any:
        failpoint("after-chord-publish")  # the body is sent, the chord's keys still there
        return self.client.register_script(CHORD_CLEANUP_LUA)
