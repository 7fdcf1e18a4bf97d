from trailcourier.repeats import CAUSES, LINES, WINDOW, Repeats


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def test_of_one_cause_a_few_lines_are_written_and_the_next_says_how_many_were_not():
    clock = Clock()
    repeats = Repeats(clock)

    first = [repeats.left_out("full") for _ in range(LINES + 5)]
    clock.now += WINDOW
    later = [repeats.left_out("full") for _ in range(2)]

    assert first == [0] * LINES + [None] * 5
    assert later == [5, 0]


def test_causes_do_not_silence_each_other():
    repeats = Repeats(Clock())
    for _ in range(LINES + 1):
        repeats.left_out("full")

    assert repeats.left_out("empty") == 0


def test_what_is_remembered_of_causes_has_an_end():
    repeats = Repeats(Clock())

    for number in range(CAUSES * 3):
        repeats.left_out(number)

    assert len(repeats._seen) <= CAUSES
