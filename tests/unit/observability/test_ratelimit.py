from trailcourier.observability.ratelimit import CAUSES, LINES, WINDOW, Repeats


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def test_ten_lines_of_a_cause_are_written_and_the_next_has_the_number_left_out():
    clock = Clock()
    repeats = Repeats(clock)

    first = [repeats.left_out("full") for _ in range(LINES + 5)]
    clock.now += WINDOW
    later = [repeats.left_out("full") for _ in range(2)]

    assert first == [0] * LINES + [None] * 5
    assert later == [5, 0]


def test_causes_are_limited_separately():
    repeats = Repeats(Clock())
    for _ in range(LINES + 1):
        repeats.left_out("full")

    assert repeats.left_out("empty") == 0


def test_the_number_of_remembered_causes_is_bounded():
    repeats = Repeats(Clock())

    for number in range(CAUSES * 3):
        repeats.left_out(number)

    assert len(repeats._seen) <= CAUSES
