"""Commands on the state of the service: its health, and its alerts and their channels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import uuid4

import typer
from rich.markup import escape

from qa_queue.cli.options import Json, open_backend, open_settings
from qa_queue.cli.render import Console, plain_table
from qa_queue.errors import InputError, QAError
from qa_queue.errors.validation import count_of
from qa_queue.models.outcomes import ExitCode
from qa_queue.monitoring import Health
from qa_queue.monitoring.alerts import Alert, alert_config, firing
from qa_queue.monitoring.alerts.channels import transport_of
from qa_queue.monitoring.alerts.conditions import duration_words
from qa_queue.monitoring.alerts.config import AlertChannel, AlertConfig
from qa_queue.monitoring.alerts.message import Message, trial_message

PANEL = "Service"

app = typer.Typer()
alerts = typer.Typer(help="List alerts, and test the channels for their messages.", no_args_is_help=True)
app.add_typer(alerts, name="alerts", rich_help_panel=PANEL)


@alerts.command("list")
def list_alerts(as_json: Json = False) -> None:
    """List the alerts that fire now, the worst first, and channels that did not accept their last message."""
    out = Console()
    state = open_backend(check=False).alerts
    found, broken, active = firing(state.load()), state.channel_errors(), state.active()
    if as_json:
        listed = [_as_json(alert) for alert in found]
        out.print_json(data={"alerts": listed, "watched": active, "broken_channels": broken})
        return
    if not active:
        out.print("[yellow]No scheduler evaluates the rules: start `python -m qa_queue.worker.scheduler`.[/]")
    for name, error in broken.items():
        out.print(
            f"[yellow]channel {escape(name)} did not accept its last message:[/] {escape(error)}", soft_wrap=True
        )
    if not found:
        out.print("No alert fires.")
        return
    table = plain_table()
    for column in ("Severity", "Alert", "Since", "What"):
        table.add_column(column, overflow="fold", no_wrap=column != "What")
    for alert in found:
        about = f" {alert.subject}" if alert.subject else ""
        table.add_row(alert.severity.value, f"{alert.rule}{about}", _since(alert), escape(alert.summary))
    out.print(table)


@alerts.command("test")
def try_channels(
    channel: Annotated[str | None, typer.Option(help="Only the channel of this name.")] = None,
    as_json: Json = False,
) -> None:
    """Send a test message through the channels and show the results. Exits 1 if one did not accept it."""
    out = Console()
    chosen = _chosen(alert_config(open_settings()), channel)
    message = trial_message(message_id=uuid4().hex, now=datetime.now(UTC), sender="qa-queue alerts test")
    errors = {name: _attempt(name, one, message) for name, one in chosen.items()}
    if as_json:
        out.print_json(data={"channels": [{"name": n, "ok": e is None, "error": e} for n, e in errors.items()]})
    else:
        for name, one in chosen.items():
            error = errors[name]
            mark = "[green]sent  [/]" if error is None else "[red]failed[/]"
            why = f"  {escape(error)}" if error else ""
            out.print(f"{mark} {escape(name)} ({escape(one.kind)}){why}", soft_wrap=True)
    if any(errors.values()):
        raise typer.Exit(ExitCode.FAILED)


@alerts.command()
def check(as_json: Json = False) -> None:
    """Check rules and channels without sending anything; mistakes are reported with their lines."""
    out, settings = Console(), open_settings()
    config = alert_config(settings)
    for name, channel in config.channels.items():
        transport_of(name, channel)
    if as_json:
        rules = [{"name": name, **rule.model_dump(mode="json")} for name, rule in config.rules.items()]
        channels = [
            {"name": name, "kind": one.kind, "severity": one.severity.value}
            for name, one in config.channels.items()
        ]
        out.print_json(data={"rules": rules, "channels": channels})
        return
    where = settings.qa_alerts_file if settings.qa_alerts_file.exists() else "the defaults"
    numbers = f"{count_of(len(config.rules), 'rule')}, {count_of(len(config.channels), 'channel')}"
    out.print(f"{escape(str(where))}: {numbers}", highlight=False)
    for name, channel in config.channels.items():
        out.print(f"  {escape(name)} ({escape(channel.kind)}), {channel.severity.value} and worse")
    if not config.channels:
        out.print("  No messages are sent: add `channels:` to the file, or set QA_ALERT_CHANNELS.")


def _chosen(config: AlertConfig, name: str | None) -> Mapping[str, AlertChannel]:
    if not config.channels:
        raise InputError("there is no channel: add one to qa-alerts.yaml or QA_ALERT_CHANNELS.")
    if name is None:
        return config.channels
    if name not in config.channels:
        raise InputError(f"there is no channel {name!r}; there are {', '.join(config.channels)}.")
    return {name: config.channels[name]}


def _attempt(name: str, channel: AlertChannel, message: Message) -> str | None:
    """Return why the channel did not accept a message; None if it did."""
    try:
        transport_of(name, channel).send(message)
    except QAError as error:
        return str(error)
    return None


def _since(alert: Alert) -> str:
    return f"{datetime.fromtimestamp(alert.firing_since or 0, UTC).astimezone():%m-%d %H:%M:%S}"


def _as_json(alert: Alert) -> dict[str, Any]:
    since = datetime.fromtimestamp(alert.firing_since or 0, UTC).isoformat()
    shown = alert.model_dump(mode="json", include={"rule", "kind", "subject", "severity", "summary", "value"})
    return shown | {"since": since, "told": alert.notified}


@app.command(rich_help_panel=PANEL)
def health(as_json: Json = False) -> None:
    """Show the state of Redis, Supabase, workers and the scheduler. Exits 3 if Redis or Supabase cannot be used."""
    out = Console()
    found = open_backend(check=False).health_check()
    if as_json:
        out.print_json(data={"ok": found.ok, **asdict(found), "warnings": list(found.warnings)}, default=str)
    else:
        for line in _lines(found):
            out.print(line, soft_wrap=True, highlight=False)
    if not found.ok:
        raise typer.Exit(ExitCode.INFRASTRUCTURE)


def _lines(found: Health) -> Iterator[str]:
    for name, problem in (("redis", found.redis), ("supabase", found.supabase)):
        yield f"[green]ok    [/] {name}" if problem is None else f"[red]broken[/] {name}  {escape(problem)}"
    if found.scheduler is not None:
        alive = found.scheduler.alive
        yield "[green]ok    [/] scheduler" if alive else "[yellow]none  [/] scheduler"
    for queue, workers in found.workers.items():
        age = found.oldest_waiting_s.get(queue)
        waits = f", the oldest job has waited {duration_words(age)}" if age is not None else ""
        mark = "[green]ok    [/]" if workers else "[yellow]none  [/]"
        yield f"{mark} {queue}  {count_of(workers, 'worker')}{waits}"
    yield from (f"[yellow]note  [/] {escape(warning)}" for warning in found.warnings)
