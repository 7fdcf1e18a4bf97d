def test_one_caller_of_all_samples_the_depth(ledger):
    assert [ledger.depth.take_turn() for _ in range(3)] == [True, False, False]


def test_the_depth_is_unknown_until_it_is_noted(ledger):
    before = ledger.depth.read()

    ledger.depth.note(17)

    assert (before, ledger.depth.read()) == (None, 17)


def test_an_old_depth_is_unknown_again(ledger, pass_time):
    ledger.depth.note(17)
    pass_time(119)
    assert ledger.depth.read() == 17
    pass_time(2)
    assert ledger.depth.read() is None
