"""How a source stands, as the ledger knows it."""

import json

import msgspec
import pytest

from tests.unit.fleets import NOTED, well
from tests.unit.ledger.conftest import admit, claim, refs
from trailcourier.dispositions import REASONS
from trailcourier.ledger import Ledger
from trailcourier.ledger.left import EARLY, LeftMessage
from trailcourier.ledger.outcomes import Report
from trailcourier.ledger.quarantine import Entry, entry_id
from trailcourier.ledger.scopes import Failing
from trailcourier.models import Message, Numbers, Outcome, QueueLimits
from trailcourier.status import Standing, standing

AGAIN = "tried again after 5 s at first and every 30 s at last"

LISTENS = (
    "See that it runs and listens where the sink's settings say (`trailcourier sink test siem`), "
    "then the network between."
)
SUMS = {
    "records:in": 12,
    "records:filtered:aws-reads": 4,
    "sink:archive:delivered": 7,
    "sink:archive:filtered": 4,
    "sink:archive:refused": 1,
}


def finish(ledger, outcome, *, message="m1", **report):
    admit(ledger, message, refs(message))
    ledger.outcomes.finish(claim(ledger, message), Report(outcome, **report), jitter=1.0)


def advice(ledger):
    return standing(ledger).advice


def test_a_source_that_has_done_nothing_has_nothing_to_say(ledger):
    well(ledger)

    found = standing(ledger)

    assert found == Standing(
        source="prod", messages=0, oldest_seconds=None, in_flight=0, parked=0, quarantined=0,
        workers=8, last_success_seconds=None, records={"in": 0},
        objects={"named": 0, "delivered": 0}, messages_by_outcome={"received": 0}, sinks={},
        advice=[], breakers=[], problems=[], steps=found.steps,
    )  # fmt: skip
    just_now = pytest.approx(0, abs=2)
    assert found.steps == {"forward": None} | dict.fromkeys(NOTED, just_now)
    assert found.state == "well"


def test_what_is_in_hand_is_counted(ledger):
    admit(ledger, "m1", refs("a", "b"))
    finish(ledger, Outcome("parked", "archived"), message="m2")

    found = standing(ledger, depth=5)

    assert (found.depth, found.messages, found.in_flight, found.parked) == (5, 2, 2, 1)


def test_what_was_done_adds_up(ledger):
    finish(ledger, Outcome("delivered"), sums=SUMS)

    found = standing(ledger)

    assert found.records == {"in": 12, "filtered:aws-reads": 4}
    assert found.objects == {"named": 1, "delivered": 1}
    assert found.messages_by_outcome == {"received": 1}  # and held: it is not settled
    assert sum(found.sinks["archive"].values()) == found.records["in"]


def test_ages_are_seconds_by_the_ledgers_clock(ledger, pass_time):
    finish(ledger, Outcome("delivered"))
    pass_time(40)
    admit(ledger, "m2", refs("b"))
    pass_time(2)

    found = standing(ledger)

    assert found.last_success_seconds == pytest.approx(42, abs=1)
    assert found.oldest_seconds == pytest.approx(42, abs=1)  # not settled, so held


def test_an_open_breaker_holds_it_up_and_comes_with_what_to_do(ledger, pass_time):
    ledger.breakers.failed(
        "sink:archive", "a", reason="sink-full", text="no room left on \x1b[2Jdisk", limit=1
    )
    pass_time(30)

    found = standing(ledger)

    assert found.state == "held up"
    (breaker,) = found.breakers
    assert (breaker.name, breaker.reason) == ("sink:archive", "sink-full")
    assert breaker.open_seconds == pytest.approx(30, abs=1)
    assert found.advice[0] == (
        f"sink:archive is open, and {AGAIN}: no room left on \\x1b[2Jdisk. "
        "Make room on the disk the sink writes to."
    )


def test_words_that_end_in_a_full_stop_do_not_get_another(ledger):
    ledger.breakers.failed("sink:siem", "a", reason="of-next-year", text="It is away.", limit=1)

    assert advice(ledger) == [f"sink:siem is open, and {AGAIN}: It is away."]


def test_what_is_parked_behind_no_breaker_comes_with_the_cause_and_what_to_do(ledger):
    for message in ("m1", "m2"):
        finish(
            ledger, Outcome("parked", "sink-unreachable", "siem:5999: \x1b[2Jrefused."),
            message=message, breakers=[Failing("sink:siem")],
        )  # fmt: skip
    finish(ledger, Outcome("parked", "archived", "s3://acme-logs/m3: in Glacier"), message="m3")
    well(ledger)
    found = standing(ledger)

    assert found.state == "see below"
    first, second = found.advice
    assert first == (
        "Parked, and tried again by itself: 2 as sink-unreachable, s3://acme-logs/m1 among them: "
        "siem:5999: \\x1b[2Jrefused. " + LISTENS
    )
    assert second == (
        "Parked, and tried again by itself: 1 as archived, s3://acme-logs/m3 among them: in "
        "Glacier. " + REASONS["archived"].advice
    )


def test_what_is_parked_behind_an_open_breaker_is_told_by_the_breaker_alone(ledger):
    finish(
        ledger, Outcome("parked", "sink-unreachable", "refused"), breakers=[Failing("sink:siem")]
    )
    ledger.breakers.failed("sink:siem", "b", reason="sink-unreachable", text="refused", limit=1)

    (said,) = advice(ledger)

    assert said.startswith("sink:siem is open")


def test_the_advice_about_a_sink_names_it(ledger):
    ledger.breakers.failed("sink:siem", "a", reason="sink-unreachable", text="refused", limit=1)

    assert advice(ledger) == [f"sink:siem is open, and {AGAIN}: refused. {LISTENS}"]


def test_a_breaker_opened_for_a_reason_of_a_newer_version_is_shown_without_advice(ledger):
    ledger.breakers.failed("sink:archive", "a", reason="of-next-year", text="words", limit=1)

    assert advice(ledger) == [f"sink:archive is open, and {AGAIN}: words."]


def test_a_source_is_held_up_whatever_else_stands_still(ledger):
    ledger.breakers.failed("sink:siem", "a", reason="network", text="no", limit=1)

    found = standing(ledger)

    assert (found.state, found.moves) == ("held up", False)
    assert found.problems


@pytest.mark.parametrize(("row", "said"), [(99, False), (100, True)])
def test_a_long_row_of_skips_is_mentioned(ledger, row, said):
    ledger.sums.skipped("digest", row)

    assert [each.partition(".")[0] for each in advice(ledger)] == (
        ["The last 100 objects were skipped as digest"] if said else []
    )


def test_a_degraded_source_says_which_permission_is_missing(ledger):
    ledger.flow.degrade()

    (said,) = advice(ledger)
    assert "Allow `sqs:ChangeMessageVisibility`" in said


def test_refusals_are_mentioned_with_the_command_that_lists_them(ledger):
    (ref,) = refs("a")
    ledger.quarantine.put(Entry("id", "object", "corrupt", "broken", ref))
    well(ledger)

    found = standing(ledger)

    assert found.quarantined == 1
    assert found.state == "see below"
    assert "`trailcourier quarantine list --source prod`" in found.advice[0]


def test_refusals_without_room_are_said(client, ledger):
    small = Ledger(client, "prod", Numbers(quarantine_entries=1, quarantine_remembered=2))
    for ref in refs(*"abcde"):
        small.quarantine.put(Entry(entry_id(ref), "object", "corrupt", "broken", ref))

    found = standing(ledger)

    assert (found.quarantined, found.evicted) == (3, 2)
    said = [each for each in advice(ledger) if "refused" in each]
    assert said[0].startswith("3 refused, 2 of them without details for want of room: `trail")
    assert said[1].startswith("2 refused objects had no room in quarantine at all, since this")


def test_refused_messages_without_room_are_said(client, ledger):
    small = Ledger(client, "prod", Numbers(quarantine_messages=1))
    for at in range(3):
        foreign = Entry(f"e{at}", "message", "not-understood", "no", message=f"m{at}")
        small.quarantine.set_aside(foreign, Message(f"m{at}", "r", ""))

    found = standing(ledger)

    assert found.forgotten == {"messages": 2}
    assert any(
        each.startswith(
            "2 entries of messages that were not understood had no room in quarantine at all, "
            "since this ledger began. The log names each, as message_not_understood;"
        )
        for each in found.advice
    )


def test_messages_left_to_the_queue_are_said_with_their_buckets(ledger):
    well(ledger)
    few = [LeftMessage(f"a{at}", "r", 1, "acme-logs/111122223333") for at in range(3)]
    often = [LeftMessage("b", "r", EARLY + 1, "org-logs/1")]
    ledger.left.note([*few, *often], dict.fromkeys(["a0", "a1", "a2", "b"], 39_600))

    found = standing(ledger, depth=0)

    assert (found.state, found.moves) == ("see below", True)
    assert found.left.messages == 4
    told = (
        "The queue hides 4 messages left to it, as too many objects of their bucket and account "
        "are parked: acme-logs/111122223333 (3), org-logs/1 (1). They are handed back when its "
        "breaker closes, or after 5 min while few of its objects are parked; 1 that were received "
        "more than 3 times, 60 min after they were left at the earliest, once none is parked and "
        "others were delivered. The last comes back by itself within 11 h. Repair what keeps those "
        "objects parked."
    )
    assert found.advice == [told]


def test_of_many_buckets_some_are_named(ledger):
    for at in range(8):
        left = LeftMessage(f"m{at}", "r", 1, f"b{at}/1")
        ledger.left.note([left], {left.message: 100})

    (said,) = [each for each in advice(ledger) if each.startswith("The queue hides 8")]

    assert "b4/1 (1), 3 more. They" in said


def test_folders_of_keys_of_no_known_shape_are_said_with_their_numbers(ledger):
    ledger.sums.in_folders({"AWSLogs/*/Fresh": 3, "copies/*": 40})
    ledger.sums.in_folders({f"f{at}/*": 1 for at in range(60)})
    (ref,) = refs("a")
    ledger.quarantine.put(Entry(entry_id(ref), "object", "unknown-key", "a", ref))

    found = standing(ledger).unknown_folders

    assert list(found.items())[:3] == [("copies/*", 40), ("others", 12), ("AWSLogs/*/Fresh", 3)]
    assert len(found) == 51
    said = next(each for each in advice(ledger) if "no known shape" in each)
    assert "since this ledger began: copies/* (40), others (12), AWSLogs/*/Fresh (3), f0/*" in said


def test_no_age_is_negative_after_the_brokers_clock_was_put_back(ledger, pass_time):
    finish(ledger, Outcome("delivered"))
    ledger.breakers.failed("sink:archive", "a", reason="sink-full", text="no", limit=1)
    pass_time(-3600)

    found = standing(ledger)

    assert (found.last_success_seconds, found.breakers[0].open_seconds) == (0, 0)
    assert found.oldest_seconds == 0


def test_a_queue_that_does_not_answer_is_said_first(ledger):
    found = standing(ledger, trouble="The queue does not say.")

    assert found.depth is None
    assert found.advice[0] == "The queue does not say."


@pytest.mark.parametrize(
    ("receives", "hours", "said"),
    [(4, 1, []), (5, 1, ["A message was received 5 of 10 times"]), (1, 48, ["The oldest message"])],
)
def test_half_of_what_the_queue_bears_with_is_said(ledger, pass_time, receives, hours, said):
    admit(ledger, "m1", refs("a"), receives=receives)
    ledger.depth.put(3, QueueLimits(kept=4 * 86_400, receives=10))
    pass_time(hours * 3600)
    well(ledger)

    found = standing(ledger)

    assert [" ".join(each.split()[:3]) for each in found.advice] == [
        " ".join(each.split()[:3]) for each in said
    ]
    assert found.receives == receives
    assert found.patience_used == pytest.approx(
        max(receives > 1 and receives / 10, hours / 96), 0.01
    )


def test_what_is_not_received_is_as_old_as_the_last_delivery(ledger, pass_time):
    finish(ledger, Outcome("delivered"))
    ledger.leases.forget(["m1"])
    ledger.depth.put(3, QueueLimits(kept=4 * 86_400, receives=10))
    pass_time(3 * 86_400)
    well(ledger)
    flows = standing(ledger, depth=3)
    ledger.breakers.failed("queue:prod", "a", reason="credentials", text="no", limit=1)

    assert flows.patience_used == 0
    assert standing(ledger, depth=0).patience_used == 0
    assert standing(ledger, depth=3).patience_used == pytest.approx(0.75, 0.01)


def test_a_source_whose_places_are_all_taken_is_not_called_well(ledger, pass_time):
    ledger.breakers.succeeded("queue:prod")
    admit(ledger, "m", refs("a"))
    assert not any("Nothing was received" in each for each in standing(ledger).advice)
    pass_time(60)
    well(ledger)
    ledger.claims.renew([claim(ledger, "m")])

    found = standing(ledger)

    assert found.state == "see below"
    assert "Nothing was received for 60 s: as many objects are in flight" in found.advice[0]


def test_every_key_of_its_json_has_a_description(ledger):
    written = json.loads(msgspec.json.encode(standing(ledger)))

    described = msgspec.json.schema(Standing)["$defs"]["Standing"]["properties"]
    assert written.keys() == described.keys()
    assert all(each["description"] for each in described.values())
