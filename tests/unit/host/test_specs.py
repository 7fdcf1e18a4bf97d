"""The commands of the processes of a fleet."""

import subprocess
import sys

import pytest

from trailcourier.host.specs import clean_environment, flower, process_specs

PASSWORD = "hunter2-correct-horse"


def test_a_fleet_is_object_workers_then_control_then_beat():
    found = process_specs(processes=2)

    assert [each.name for each in found] == ["objects-1", "objects-2", "control", "beat"]
    assert [each.role for each in found] == ["objects", "objects", "control", "beat"]
    assert [each.stdout for each in found] == ["ours", "ours", "log", "log"]


def test_each_is_the_command_of_a_larger_fleet():
    objects, control, beat = process_specs(processes=1)

    assert " ".join(objects.argv).endswith("-A tasks worker -Q objects -n objects-1@%h")
    assert " ".join(control.argv).endswith("-A tasks worker -Q control")
    assert " ".join(beat.argv).endswith("-A beat beat --pidfile=")


def test_the_password_of_flower_is_on_no_command_line():
    page = flower(port=5555, user="demo", password=PASSWORD)

    assert PASSWORD not in " ".join(page.argv)
    assert page.environment["FLOWER_BASIC_AUTH"] == f"demo:{PASSWORD}"


def test_variables_that_celery_would_obey_are_left_out():
    around = {
        "PATH": "/bin",
        "BROKER_URL": "redis://other",
        "RESULT_BACKEND": "redis://other",
        "CELERY_BROKER_URL": "redis://other",
        "CELERY_QUIET": "1",
        "APP": "other",
        "LOADER": "other",
        "CONFIG_MODULE": "other",
        "CELERYBEAT": "of nobody's",
    }

    assert clean_environment(around) == {"PATH": "/bin", "CELERYBEAT": "of nobody's"}


def test_flower_is_the_command_of_a_larger_fleet():
    page = flower(port=5555, user="demo", password=PASSWORD)

    assert " ".join(page.argv).endswith("-A tasks flower --port=5555")


@pytest.mark.parametrize("place", range(4), ids=["objects", "control", "beat", "flower"])
def test_packages_of_another_program_in_the_working_directory_are_not_imported(tmp_path, place):
    for name in ("tasks", "beat", "trailcourier", "redis"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"raise SystemExit('the wrong {name}')")
    page = flower(port=5555, user="demo", password=PASSWORD)
    argv = [*process_specs(processes=1), page][place].argv
    environment = {
        "PYTHONPATH": ":".join(path for path in sys.path if path),
        "TRAILCOURIER_BROKER__URL": "redis://127.0.0.1:1/0",
        "TRAILCOURIER_SOURCES__PROD__QUEUE_URL":
            "https://sqs.us-east-1.amazonaws.com/111122223333/cloudtrail",
        "TRAILCOURIER_SOURCES__PROD__SINKS": "console",
        "TRAILCOURIER_SINKS__CONSOLE__TYPE": "stdout",
    }  # fmt: skip

    done = subprocess.run(
        [*argv, "--help"], cwd=tmp_path, env=environment, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip

    assert "wrong" not in done.stdout + done.stderr
    assert done.returncode == 0, done.stderr
