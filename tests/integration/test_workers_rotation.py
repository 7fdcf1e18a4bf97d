"""A broker's password that is changed while a fleet works, and is named by its file."""

import time

import pytest

from tests.support.fleet import until
from tests.support.impaired import administrator
from tests.support.watched import watching

OBJECTS = 30


class Rotated:
    """The user ``fleet`` of a broker, and the file that has its URL."""

    def __init__(self, running, folder):
        self.client = administrator(running)
        self.address = running.url.partition("@")[2]
        self.file = folder / "broker-url"
        self.rights = {"categories": ["+@all"], "keys": ["*"], "channels": ["*"]}
        self.accept("old")
        self.tell("old")

    def accept(self, *passwords):
        named = [f"+{each}" for each in passwords]
        self.client.acl_setuser(
            "fleet", enabled=True, reset_passwords=True, passwords=named, **self.rights
        )

    def tell(self, password):
        written = self.file.with_suffix(".new")
        written.write_text(f"redis://fleet:{password}@{self.address}\n")
        written.replace(self.file)

    def cut(self):
        """Close all connections of the fleet."""
        self.client.client_kill_filter(_type="normal", user="fleet", skipme=True)
        self.client.client_kill_filter(_type="pubsub", user="fleet", skipme=True)

    def while_both_are_valid(self, old, new):
        self.accept(old, new)
        self.tell(new)
        self.accept(new)
        self.cut()

    def while_only_the_new_one_is(self, _old, new):
        self.accept(new)
        self.cut()
        time.sleep(1)  # the file comes later
        self.tell(new)


@pytest.fixture
def rotated(own_broker, tmp_path):
    return Rotated(own_broker, tmp_path)


@pytest.mark.slow
def test_a_password_is_rotated_under_load(tmp_path, own_broker, rotated):
    secret = f"file:{rotated.file}"
    with watching(tmp_path, own_broker.url, TRAILCOURIER_BROKER__URL=secret) as watched:
        watched.carry(0)

        first = carry_on(watched, 1, lambda: rotated.while_both_are_valid("old", "new"))
        second = carry_on(watched, 101, lambda: rotated.while_only_the_new_one_is("new", "newer"))

        assert first < 20
        assert second < 20
        assert watched.page.api("workers?refresh=1")
        assert watched.page.api("queues/length")["active_queues"]
        assert not any(each.ended for each in watched.fleet.started)


def carry_on(watched, begin, rotate):
    """Announce files from number *begin* on and *rotate* amid them; seconds until all are done."""
    for number in range(begin, begin + OBJECTS):
        watched.announce(number)
        if number == begin + OBJECTS // 3:
            rotate()
            since = time.monotonic()
    until(lambda: not watched.sqs.messages("trail"), what=lambda: output(watched))
    return time.monotonic() - since


def output(watched):
    return "\n".join(each.output for each in watched.fleet.started)
