"""Where the configuration comes from: `qa-alerts.yaml` and QA_ALERT_CHANNELS; read again when the file changes."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from qa_queue.errors import InputError, QAError
from qa_queue.extensions import queue_names
from qa_queue.monitoring.alerts.config import AlertConfig
from qa_queue.monitoring.alerts.loader import channels_of_setting, load_config
from qa_queue.settings import Settings, read_every_secret

log = logging.getLogger(__name__)


def alert_config(settings: Settings) -> AlertConfig:
    """The configuration as it is set now; the defaults and no channel where nothing is.

    Raises:
        CaseError: what is wrong with the file, each with its line.
        InputError: a channel of QA_ALERT_CHANNELS is no URL, or two channels have one name.
    """
    path = settings.qa_alerts_file
    asked = "qa_alerts_file" in settings.model_fields_set
    config = load_config(path, queue_names(), read_every_secret()) if asked or path.exists() else AlertConfig()
    given = settings.qa_alert_channels
    more = channels_of_setting(given.get_secret_value()) if given else ()
    names = [channel.name for channel in (*config.channels, *more)]
    if len(set(names)) < len(names):
        raise InputError(f"{path}: a channel has a name that QA_ALERT_CHANNELS gives too: call it otherwise.")
    return replace(config, channels=(*config.channels, *more))


class ConfigSource:
    """The configuration of a process that goes on: a file that is changed counts from the next look on.

    One that is broken is told once and changes nothing: what was there before goes on to count.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stamp: tuple[int, int] | str | None = "never"
        self._config = AlertConfig()

    def current(self) -> AlertConfig:
        """What counts now; the same object as long as nothing has changed."""
        stamp = _stamp(self._settings.qa_alerts_file)
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._config = alert_config(self._settings)
            except QAError as error:
                log.error("Alerts go on as they were set before, for this cannot be used: %s", error)  # noqa: TRY400
        return self._config


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
