def test_the_depth_is_asked_for_by_one_of_all(ledger):
    assert [ledger.depth.due() for _ in range(3)] == [True, False, False]


def test_the_depth_is_what_was_put_and_nothing_before(ledger):
    before = ledger.depth.last()

    ledger.depth.put(17)

    assert (before, ledger.depth.last()) == (None, 17)


def test_an_old_depth_is_no_longer_told(ledger, pass_time):
    ledger.depth.put(17)
    pass_time(119)
    assert ledger.depth.last() == 17
    pass_time(2)
    assert ledger.depth.last() is None
