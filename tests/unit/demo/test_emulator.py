import threading

import pytest
from moto.sqs import models

from trailcourier.demo import emulator


@pytest.fixture
def queue(monkeypatch):
    for owner, name in (
        (models.SQSBackend, "is_message_valid_based_on_retention_period"),
        (models.Queue, "delete_message"),
        (models.Message, "visible"),
        (models.Message, "delayed"),
    ):
        monkeypatch.setattr(
            owner, name, getattr(owner, name)
        )  # put back what patch_moto() replaces
    emulator.patch_moto()
    return models.Queue("trail", "us-east-1", "111122223333")


def received(queue, receipt, kind=models.Message):
    message = kind(receipt, "body")
    message.receipt_handle = receipt
    queue.add_message(message)


def test_a_delete_does_not_undo_another(queue):
    other = threading.Thread(target=queue.delete_message, args=["other"])

    class Halfway(models.Message):
        """At its second check the queue builds its new list; the other delete starts then."""

        looks = 0

        def had_receipt_handle(self, receipt_handle):
            if receipt_handle == "first":
                self.looks += 1
                if self.looks == 2:
                    other.start()
                    other.join(0.2)  # it waits for the lock
            return super().had_receipt_handle(receipt_handle)

    received(queue, "first", Halfway)
    received(queue, "other")

    queue.delete_message("first")
    other.join(5)

    assert queue._messages == []
