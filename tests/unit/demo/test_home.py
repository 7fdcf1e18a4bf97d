import pytest

from trailcourier import settings
from trailcourier.demo import home

AROUND = {
    "PATH": "/bin",
    "AWS_PROFILE": "production",
    "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
    "TRAILCOURIER_BROKER__URL": "redis://production:6379/0",
    "FLOWER_PORT": "1",
    "HTTPS_PROXY": "http://proxy:3128",
    "no_proxy": "example.com",
}


def test_nothing_of_the_surroundings_leads_to_a_real_account_or_broker():
    told = home.environment(AROUND, endpoint="http://127.0.0.1:1")

    assert told["PATH"] == "/bin"
    assert told["AWS_ACCESS_KEY_ID"] == "demo"
    assert told["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert not {"AWS_PROFILE", "TRAILCOURIER_BROKER__URL", "FLOWER_PORT"} & told.keys()
    assert not {"HTTPS_PROXY", "no_proxy"} & told.keys()


@pytest.mark.parametrize("name", ["plain", 'a "quoted" folder', "größe"])
def test_the_configuration_is_one_that_loads(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    path = home.configure(folder, "http://127.0.0.1:1/123456789012/q", processes=3, metrics=0)

    found = settings.load(path, home.environment(AROUND, endpoint="http://127.0.0.1:1"))

    assert found.broker.url is None
    assert found.workers.processes == 3
    assert found.workers.state_dir == folder / "state"
    assert found.sinks["files"].path == folder / "events"
    assert found.sources["demo"].queue.region == "us-east-1"
    assert found.egress.endpoint("s3") == "http://127.0.0.1:1"
