"""Where chords count their headers, with two repairs; each goes when Celery has it."""

from typing import Any

from celery.backends.redis import CHORD_CLEANUP_LUA, RedisBackend

from trailcourier.line.failpoint import failpoint


class Backend(RedisBackend):
    """A backend that asks again, and that nobody waits on.

    Celery counts a finished header once: after a blip of Redis then, the chord fails although its
    work was done (celery/celery#3363); its script may be asked twice.  And it subscribes to every
    task it sends, and gives up for good when that is cut ("must be restarted").
    """

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
