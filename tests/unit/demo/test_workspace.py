import pytest

from trailcourier import settings
from trailcourier.demo import workspace

PARENT = {
    "PATH": "/bin",
    "AWS_PROFILE": "production",
    "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
    "TRAILCOURIER_BROKER__URL": "redis://production:6379/0",
    "FLOWER_PORT": "1",
    "HTTPS_PROXY": "http://proxy:3128",
    "no_proxy": "example.com",
}


def test_the_environment_leads_to_no_real_account_or_broker():
    environment = workspace.isolated_environment(PARENT, endpoint="http://127.0.0.1:1")

    assert environment["PATH"] == "/bin"
    assert environment["AWS_ACCESS_KEY_ID"] == "demo"
    assert environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert not {"AWS_PROFILE", "TRAILCOURIER_BROKER__URL", "FLOWER_PORT"} & environment.keys()
    assert not {"HTTPS_PROXY", "no_proxy"} & environment.keys()


@pytest.mark.parametrize("name", ["plain", 'a "quoted" folder', "größe"])
def test_the_configuration_is_one_that_loads(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    path = workspace.write_configuration(
        folder, "http://127.0.0.1:1/123456789012/q", processes=3, metrics=0
    )

    found = settings.load(
        path, workspace.isolated_environment(PARENT, endpoint="http://127.0.0.1:1")
    )

    assert found.broker.url is None
    assert found.workers.processes == 3
    assert found.workers.state_dir == folder / "state"
    assert found.sinks["files"].path == folder / "events"
    assert found.sources["demo"].queue.region == "us-east-1"
    assert found.network.endpoint("s3") == "http://127.0.0.1:1"
