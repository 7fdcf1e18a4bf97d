def test_degraded_mode_lasts_an_hour_and_is_reported_once(ledger, pass_time):
    assert [ledger.mode.note_degraded(), ledger.mode.note_degraded()] == [True, False]
    pass_time(3599)
    assert ledger.mode.is_degraded()
    pass_time(2)
    assert not ledger.mode.is_degraded()
