"""``setup destroy``: say what would be lost, ask, and remove what setup created."""

from collections.abc import Sequence
from pathlib import Path

from trailcourier import provision
from trailcourier.cli import output
from trailcourier.cli.setup import new_key, report
from trailcourier.cli.setup.account import SetupAccount
from trailcourier.provision import Layout, StepReport, waiting_messages


def destroy(account: SetupAccount, key_files: Sequence[Path], *, yes: bool, as_json: bool) -> bool:
    """Remove the set-up and print what was removed; return False if the person says no."""
    facts = account.collect_facts()
    layout, steps = Layout(account.request, facts), provision.plan(account.request, facts)
    looking = account.runner(facts)
    preview = list(provision.preview_destroy(steps, looking))
    waiting = list(waiting_messages.count(layout, preview, looking))
    if not as_json:
        report.say(report.format_account(layout, facts.caller))
        if not yes:
            report.say_lines(report.format_step(each) for each in preview)
        report.say_lines(waiting_messages.describe(waiting))
    if not yes and not output.confirm('Remove what is "to remove"?'):
        output.say("Nothing was changed. To remove it without this question, add --yes.")
        return False
    removing = account.runner(facts)
    reports: list[StepReport] = []
    for each in provision.destroy(steps, removing):
        reports.append(each)
        if not as_json:
            report.say(report.format_step(each))
    keys = (each.known.get("access_key_id", "") for each in (looking, removing))
    deleted = frozenset(str(each) for each in keys if each)
    left = list(new_key.retire_key_files(key_files, deleted))
    if as_json:
        output.say_json({"steps": reports, "waiting": waiting, "files": left})
    else:
        report.say_lines(left)
        report.say(report.format_totals(reports))
        report.say_lines(report.explain_nothing_found(account.request, reports))
    return True
