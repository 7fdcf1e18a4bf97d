def test_only_one_process_polls_a_source_and_another_may_after_it(ledger):
    first, second = ledger.poll_lease(0), ledger.poll_lease(0)

    assert first.take()
    assert not second.take()
    assert ledger.poll_lease(1).take()
    first.release()
    assert second.take()


def test_a_poll_lease_that_is_not_renewed_for_ten_seconds_is_free(ledger, pass_time):
    killed, next_one = ledger.poll_lease(0), ledger.poll_lease(0)
    killed.take()
    pass_time(9)
    killed.renew()
    pass_time(9)

    assert not next_one.take()
    pass_time(1)
    assert next_one.take()
    assert not killed.renew()


def test_a_poll_lease_renewed_after_its_release_stays_free(ledger):
    ended = ledger.poll_lease(0)
    ended.take()
    ended.release()

    assert not ended.renew()
    assert ledger.poll_lease(0).take()
