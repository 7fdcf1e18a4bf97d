from types import SimpleNamespace

import pytest

from bench import report
from bench.figures import figures, ratios_by_round, stub_is_fast
from bench.latency import arrival_times, latencies, percentile
from bench.log_files import log_file_name
from bench.measurements import Measurements, Memory
from bench.turns import Turn, empty_outputs


def turn(ms, *, seconds=1.0, objects=100):
    """A turn in which an object took so many milliseconds, three quarters of it in one role."""
    spent = ms * objects / 1000
    own = {"objects": spent * 0.75, "control": spent * 0.25, "beat": 0.0}
    return Turn(objects, seconds, own, {"broker": 0.1})


def measured(**changed):
    turns = {
        "bare 20": [turn(1), turn(2), turn(1)],
        "line 20": [turn(4), turn(5), turn(2)],
        "stock 20": [turn(8), turn(15), turn(3)],
        "few 20": [turn(6)],
        "events 20": [turn(5)],
        "bare 200": [turn(2)],
        "line 200": [turn(5, seconds=0.5)],
        "bare 2000": [turn(9)],
        "line 2000": [turn(12)],
        "one 20": [turn(5, seconds=2), turn(5, seconds=2)],
        "two 20": [turn(5, seconds=1), turn(5, seconds=1.25)],
    }
    given = {
        "stub_rate": 50_000.0,
        "broker": "Valkey 9.1.2",
        "turns": turns,
        "pace": 50.0,
        "latencies": [0.01 * (at + 1) for at in range(200)],
        "memory": (Memory(2000, 110.0), Memory(20_000, 113.5)),
        "empty_task_ms": [1.0, 1.5, 0.5],
    }
    return Measurements(**given | changed)


def test_a_turn_has_the_cpu_time_of_an_object_and_its_rate():
    result = turn(4, seconds=0.5)

    assert result.ms == pytest.approx(4)
    assert result.cpu_ms_of("objects") == pytest.approx(3)
    assert result.cpu_ms_of("broker") == pytest.approx(1)
    assert result.rate == 200


def test_each_figure_is_the_median_of_the_rounds():
    shown = {each.name: (round(each.value, 4), each.unit) for each in figures(measured())}

    assert shown == {
        "line_cpu_vs_bare_20": (0.4, "ratio"),
        "line_cpu_vs_bare_200": (0.4, "ratio"),
        "line_cpu_vs_bare_2000": (0.75, "ratio"),
        "line_beyond_bare_in_empty_tasks_20": (2.0, "tasks"),
        "line_objects_per_s_20": (100, "objects/s"),
        "line_events_per_s_200": (40_000, "events/s"),
        "line_cpu_ms_per_object_20": (4, "ms"),
        "line_vs_stock_celery_20": (2, "ratio"),
        "two_workers_vs_one": (1.8, "ratio"),
        "latency_p50_s": (1, "s"),
        "latency_p99_s": (1.98, "s"),
        "rss_growth_mib": (3.5, "MiB"),
    }


def test_contenders_are_compared_round_by_round():
    turns = {"a": [turn(2), turn(30)], "b": [turn(1), turn(10)]}

    assert ratios_by_round(turns, "a", "b", lambda t: t.ms) == pytest.approx([2, 3])


@pytest.mark.parametrize(("stub_rate", "fast"), [(500.0, False), (1000.0, True)])
def test_the_page_warns_of_a_stub_that_is_not_much_faster_than_the_line(stub_rate, fast):
    found = measured(stub_rate=stub_rate)

    assert stub_is_fast(found) is fast
    assert ("NOT 5 times" in report.page(found, figures(found), {}, "")) is not fast


def test_a_percentile_is_a_value_that_was_measured():
    assert percentile([1.0], 0.99) == 1.0
    assert percentile([1.0, 2.0, 3.0, 4.0], 0.5) == 2.0
    assert percentile([float(at) for at in range(1, 101)], 0.99) == 99.0


def test_latency_is_from_the_send_until_the_file_is_renamed(tmp_path):
    name = log_file_name(20, 7)
    path = tmp_path / "prod" / f"{name}.json.gz-0123456789abcdef.ndjson"
    path.parent.mkdir()
    (path.parent / "other").touch()
    path.touch()
    at = path.stat().st_ctime

    assert latencies({name: at - 2}, arrival_times(tmp_path)) == pytest.approx([2])


def test_a_file_that_did_not_arrive_has_no_latency():
    with pytest.raises(RuntimeError, match="1 of 2 files"):
        latencies(
            {log_file_name(20, 7): 1.0, log_file_name(20, 8): 1.0},
            {log_file_name(20, 7)[-16:]: 2.0},
        )


def test_outputs_are_emptied_and_not_deleted(tmp_path):
    path = tmp_path / "prod" / f"{log_file_name(20, 7)}-0123456789abcdef.ndjson"
    path.parent.mkdir()
    path.write_text("{}")

    empty_outputs(SimpleNamespace(output=tmp_path))

    assert path.stat().st_size == 0


def test_the_page_and_the_picture_show_all_figures(tmp_path):
    from bench import picture  # a second, which every process of a test run would pay

    found = measured()
    shown = figures(found)

    written = report.page(found, shown, {"nginx": "1.22.1"}, "2026-11-28")
    picture.draw(found, tmp_path / "results.png")

    assert [each.name for each in shown if f"| `{each.name}` |" not in written] == []
    assert "| bare loop | 20 | 1.00 [1.00-2.00] |" in written
    assert "0.40 [0.25-0.50] at 20 events" in written
    assert (tmp_path / "results.png").read_bytes()[:4] == b"\x89PNG"
