"""What is said of the configuration before anything is asked."""


def test_it_is_said_what_is_looked_at(doctor):
    assert doctor().one("TC001") == (
        "prod", "ok", "TC001",
        "trailcourier.toml: queue cloudtrail in eu-west-1, as default, to archive", "",
    )  # fmt: skip


def test_what_is_seldom_meant_is_a_warning(doctor):
    said = doctor(instead={"buckets": "#"}, more='[sinks.unused]\ntype = "stdout"\n')

    first, second = said.of("TC002")
    assert first.level == "warning"
    assert "sources.prod.buckets: not set" in first.text
    assert "sinks.unused: no source sends to it" in second.text


def test_a_fifo_queue_is_the_first_error(doctor):
    said = doctor(instead={"/cloudtrail": "/cloudtrail.fifo"})

    assert (said.code, said.errors) == (1, ["TC001"])
    assert "is a FIFO queue" in said.one("TC001").text
