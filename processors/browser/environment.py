"""From the `use` of a case to the options of a browser context. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from processors.browser.protocol import SessionOptions
from qa_queue.cases.environment import HttpCredentials, Use
from qa_queue.cases.urls import web_url
from qa_queue.errors import InputError
from qa_queue.errors.validation import nearest
from qa_queue.models import Viewport

_SAME = ("locale", "color_scheme", "reduced_motion", "forced_colors", "contrast", "user_agent", "has_touch")
_ON = ("offline", "ignore_https_errors")


def context_options(
    options: SessionOptions, devices: Mapping[str, Mapping[str, Any]], proxy: str | None = None
) -> dict[str, Any]:
    """Return the options as Playwright's `new_context` takes them; `devices` are Playwright's, `proxy` is a URL.

    Raises:
        InputError: a device is unknown, or credentials belong to no site.
    """
    use = options.use
    found: dict[str, Any] = {
        "base_url": options.base_url,
        "accept_downloads": True,
        **_device(use.device, devices),
        **{name: value for name in _SAME if (value := getattr(use, name)) is not None},
        **{name: True for name in _ON if getattr(use, name)},
        **_others(use, options.base_url),
    }
    if proxy is not None:
        found["proxy"] = {"server": proxy, "bypass": "<-loopback>"}  # loopback does not bypass it
    if options.records_video and options.recordings is not None:
        found["record_video_dir"] = options.recordings
    if options.state is not None:
        found["storage_state"] = options.state
    if options.viewport or "viewport" not in found:
        found["viewport"] = (options.viewport or Viewport()).model_dump()
    return found


def _device(name: str | None, devices: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    if name is None:
        return {}
    if name not in devices:
        near = nearest(name, devices)
        hint = f"did you mean {near!r}?" if near else "use a name from Playwright's list, such as 'Pixel 7'."
        raise InputError(f"device {name!r} is unknown: {hint}")
    return {key: value for key, value in devices[name].items() if key != "default_browser_type"}


def _others(use: Use, base_url: str | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if use.time_zone is not None:
        found["timezone_id"] = use.time_zone
    if use.geolocation is not None:
        found["geolocation"] = use.geolocation.model_dump()
    if use.permissions:
        found["permissions"] = list(use.permissions)
    if use.headers:
        found["extra_http_headers"] = dict(use.headers)
    if not use.java_script_enabled:
        found["java_script_enabled"] = False
    if use.http_credentials is not None:
        login, site = use.http_credentials, origin_of(use.http_credentials, base_url)
        found["http_credentials"] = {"username": login.username, "password": login.password, "origin": site}
    return found


def origin_of(credentials: HttpCredentials, base_url: str | None) -> str:
    """Return the only site that receives the credentials.

    Raises:
        InputError: neither they nor the case name a site.
    """
    url = credentials.origin or base_url
    if url is None:
        raise InputError("use.http_credentials belong to one site: set base_url, or `origin` beside them")
    parts = urlsplit(web_url(url, base_url))
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
