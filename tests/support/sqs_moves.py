"""Message move tasks of SQS, as its API reference tells them; a message that is moved is a new one.

A task moves *pace* messages each time its state is asked for, so that a test sees it at work.
"""

import dataclasses
import itertools
import time
from collections.abc import Mapping
from typing import Any

from tests.support.sqs_queue import Arguments, Queue, SqsError


@dataclasses.dataclass
class _Task:
    source: str
    handle: str
    started: int
    to_move: int
    status: str = "RUNNING"
    moved: int = 0
    why: str = ""


class Moves:
    """The tasks of all queues; *pace* and *fails* are a test's to set."""

    def __init__(self, queues: Mapping[str, Queue]) -> None:
        self.pace = 1000
        self.fails = ""  # why a task ends before it moved anything
        self.known = True  # whether the service has such tasks at all
        self._queues = queues
        self._tasks: list[_Task] = []
        self._times = itertools.count(int(time.time() * 1000))

    def handles(self, action: str) -> bool:
        return self.known and action in self._acts

    @property
    def _acts(self) -> dict[str, Any]:
        return {
            "StartMessageMoveTask": self._start,
            "ListMessageMoveTasks": self._list,
            "CancelMessageMoveTask": self._cancel,
        }

    def do(self, action: str, arguments: Arguments) -> Arguments:
        answer: Arguments = self._acts[action](arguments)
        return answer

    def _start(self, arguments: Arguments) -> Arguments:
        name = arguments["SourceArn"].rpartition(":")[2]
        if not any(queue.dead_name == name for queue in self._queues.values()):
            words = "Source queue must be configured as a Dead Letter Queue."
            raise SqsError("ResourceNotFoundException", words, status=404)
        if any(task.source == name and task.status == "RUNNING" for task in self._tasks):
            words = "There is already a task running. Only one active task is allowed."
            raise SqsError("AWS.SimpleQueueService.UnsupportedOperation", words)
        started = next(self._times)
        lie = len(self._queues[name].held)
        task = _Task(name, f"task-{started}", started, lie)
        if self.fails:
            task.status, task.why = "FAILED", self.fails
        self._tasks.insert(0, task)
        return {"TaskHandle": task.handle}

    def _list(self, arguments: Arguments) -> Arguments:
        name = arguments["SourceArn"].rpartition(":")[2]
        found = [task for task in self._tasks if task.source == name]
        for task in found:
            if task.status == "RUNNING":
                self._move(task)
            elif task.status == "CANCELLING":
                task.status = "CANCELLED"
        return {"Results": [_description(each) for each in found[: arguments.get("MaxResults", 1)]]}

    def _move(self, task: _Task) -> None:
        here = self._queues[task.source]
        for message in list(here.held.values())[: self.pace]:
            del here.held[message.id]
            home = message.origin.rpartition(":")[2]
            self._queues[home].send(message.body, attributes=message.attributes)
            task.moved += 1
        if not here.held:
            task.status = "COMPLETED"

    def _cancel(self, arguments: Arguments) -> Arguments:
        for task in self._tasks:
            if task.handle == arguments["TaskHandle"] and task.status == "RUNNING":
                task.status = "CANCELLING"
                return {"ApproximateNumberOfMessagesMoved": task.moved}
        raise SqsError("ResourceNotFoundException", "The task is not running.", status=404)


def _description(task: _Task) -> Arguments:
    fields: Arguments = {
        "Status": task.status,
        "SourceArn": f"arn:aws:sqs:us-east-1:111122223333:{task.source}",
        "ApproximateNumberOfMessagesMoved": task.moved,
        "ApproximateNumberOfMessagesToMove": task.to_move,
        "StartedTimestamp": task.started,
    }
    if task.status == "RUNNING":
        fields["TaskHandle"] = task.handle
    return fields | ({"FailureReason": task.why} if task.why else {})
