"""What is said of the configuration before anything is asked."""


def test_the_checked_configuration_is_reported(doctor):
    assert doctor().one("TC001") == (
        "prod", "ok", "TC001",
        "trailcourier.toml: queue cloudtrail in eu-west-1, credentials default, sinks archive", "",
    )  # fmt: skip


def test_what_is_seldom_meant_is_a_warning(doctor):
    report = doctor(instead={"buckets": "#"}, more='[sinks.unused]\ntype = "stdout"\n')

    first, second = report.of("TC002")
    assert first.level == "warning"
    assert "sources.prod.buckets: not set" in first.text
    assert "sinks.unused: no source uses it" in second.text


def test_a_fifo_queue_is_the_first_error(doctor):
    report = doctor(instead={"/cloudtrail": "/cloudtrail.fifo"})

    assert (report.code, report.errors) == (1, ["TC001"])
    assert "is a FIFO queue" in report.one("TC001").text
