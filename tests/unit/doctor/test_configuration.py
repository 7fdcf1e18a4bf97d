"""What is said of the configuration before anything is asked."""


def test_the_checked_configuration_is_reported(doctor):
    assert doctor().one("TC001") == (
        "prod", "ok", "TC001",
        "trailcourier.toml: queue cloudtrail in eu-west-1, credentials default, sinks archive", "",
    )  # fmt: skip


def test_what_is_seldom_meant_is_a_warning(doctor):
    said = doctor(instead={"buckets": "#"}, more='[sinks.unused]\ntype = "stdout"\n')

    first, second = said.of("TC002")
    assert first.level == "warning"
    assert "sources.prod.buckets: not set" in first.text
    assert "sinks.unused: no source uses it" in second.text


def test_a_fifo_queue_is_the_first_error(doctor):
    said = doctor(instead={"/cloudtrail": "/cloudtrail.fifo"})

    assert (said.code, said.errors) == (1, ["TC001"])
    assert "is a FIFO queue" in said.one("TC001").text
