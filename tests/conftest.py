"""What holds for every test: a clean environment, one hypothesis profile, and what a skip means."""

import os
from collections.abc import Iterator

import hypothesis
import pytest

from trailcourier.observability import log

# `make test-full` sets it; read once, before the environment is cleaned
FULL = os.environ.get("TRAILCOURIER_FULL") == "1"

OURS = ("AWS_", "TRAILCOURIER_", "CELERY_", "FLOWER_")
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")

hypothesis.settings.register_profile(
    "trailcourier",
    deadline=None,
    print_blob=True,
    # by the clock, which says more of what else the machine does
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("trailcourier")


@pytest.fixture(scope="session", autouse=True)
def clean_environment() -> Iterator[None]:
    """Take away what the machine's owner configured, so that no test meets a real account."""
    with pytest.MonkeyPatch.context() as patch:
        for name in tuple(os.environ):
            if name.startswith(OURS) or name.lower() in PROXIES:
                patch.delenv(name)
        # without these botocore reads ~/.aws and asks the instance metadata service
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield


@pytest.fixture(autouse=True)
def outspoken() -> None:
    """Let no line be left out of a test's log because other tests said the same."""
    log._repeats.forget()


LONGEST = "tests/simulation/"  # one test for minutes
# where tests start programs and wait for them, or call AWS's stand-ins again and again
LONG = ("tests/acceptance/", "tests/reliability/", "tests/integration/", "tests/unit/doctor/")
SHORT_ONLY = 0.2  # of all files, at the end


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Have each worker take the next file of a mix that ends with short ones.

    The random order could leave the longest file to one worker at the end, and pytest-xdist's own
    order, by how many tests a file has, does: the longest files have few.
    """
    if not hasattr(config, "workerinput"):
        return
    place: dict[str, float] = {}
    for long in (True, False):
        names = dict.fromkeys(
            name for item in items if (name := file_of(item)).startswith(LONG) == long
        )
        share = 1 - SHORT_ONLY if long else 1
        place |= {
            name: -1 if name.startswith(LONGEST) else share * at / len(names)
            for at, name in enumerate(names)
        }
    items.sort(key=lambda item: place[file_of(item)])


def file_of(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def must_run(nodeid: str) -> bool:
    return FULL and nodeid.startswith("tests/reliability/")


def fail_instead(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure: what shows that nothing is lost may not be left out unseen."""
    if report.skipped and must_run(report.nodeid):
        report.outcome = "failed"
        report.longrepr = f"skipped, but a reliability test must run here: {report.longrepr}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    report = yield
    fail_instead(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    report = yield
    fail_instead(report)
    return report
