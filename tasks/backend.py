"""Where chords count their headers, with two repairs and a connection for each thread.

Each goes when Celery has it.
"""

from functools import cached_property
from typing import Any

from celery.backends.redis import CHORD_CLEANUP_LUA, CHORD_PART_RETURN_LUA, RedisBackend

from trailcourier.client import FREES, Client, options, patience
from trailcourier.line.failpoint import failpoint


class Backend(RedisBackend):
    """A backend that asks again, and that nobody waits on.

    Celery counts a finished header once: after a blip of Redis then, the chord fails although its
    work was done (celery/celery#3363); its script may be asked twice.  And it subscribes to every
    task it sends, and gives up for good when that is cut ("must be restarted").
    """

    def _get_pool(self, **params: Any) -> Any:
        """Make a pool; between the steps by which a chord ends Celery asks nothing again."""
        params["retry"] = patience()
        return super()._get_pool(**options(params, self._transport_options.get("login")))

    @cached_property
    def _pooled(self) -> Client:
        return Client(connection_pool=self._get_pool(**self.connparams))

    @property
    def client(self) -> Any:
        """This thread's: Celery has all threads of a worker use one backend."""
        return self._pooled.own

    @cached_property
    def _chord_part_return_script(self) -> Any:
        script = self._pooled.register_script(FREES + CHORD_PART_RETURN_LUA)
        # who may not publish the body need not read it: told as if it were published already
        return lambda **sent: answer if (answer := script(**sent))[3] else (-1, 0, 0, 0)

    def on_chord_part_return(self, *args: Any, **kwargs: Any) -> None:
        count = super().on_chord_part_return
        self.ensure(lambda: count(*args, **kwargs), ())

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
