"""The operator's rules for the network traffic of runs, from the settings."""

from __future__ import annotations

from processors.browser.egress.policy import EgressPolicy, Layer, endpoints
from processors.browser.egress.proxy import looked_up, machine_addresses
from qa_queue.cases.hosts import HostList
from qa_queue.errors import SettingsError
from qa_queue.extensions import queue_names
from qa_queue.redis import servers_by_sentinel
from qa_queue.redis.servers import main_server
from qa_queue.settings import Settings


def hosts_in(settings: Settings, name: str, *, networks: bool = False) -> HostList:
    """Return the list of hosts in a setting.

    Raises:
        SettingsError: it cannot be read.
    """
    try:
        return HostList.parse(getattr(settings, name), networks=networks)
    except ValueError as error:
        raise SettingsError(f"{name.upper()}: {error}") from None


def egress_policy(settings: Settings) -> EgressPolicy | None:
    """Return the operator's rules for the traffic of runs; None where the proxy is switched off.

    Looks up names, and asks the Sentinels for their servers.

    Raises:
        SettingsError: a list of hosts cannot be read.
    """
    if not settings.qa_egress_proxy:
        return None
    operator = Layer(
        rule="operator",
        allow_name="QA_EGRESS_ALLOW",
        deny_name="QA_EGRESS_DENY",
        allow=hosts_in(settings, "qa_egress_allow", networks=True) if settings.qa_egress_allow else None,
        deny=hosts_in(settings, "qa_egress_deny", networks=True),
    )
    return EgressPolicy(
        layers=(operator,),
        own=tuple(map(looked_up, endpoints((*own_urls(settings), *servers_by_sentinel(main_server(settings)))))),
        machine=machine_addresses(),
        private=settings.qa_egress_private,
    )


def own_urls(settings: Settings) -> list[str]:
    """Return the URLs of the service itself, which no run may open."""
    ports = (settings.qa_web_port, settings.qa_dashboard_port)
    names = [name.strip() for name in settings.qa_web_hosts.split(",") if name.strip()]
    database = settings.supabase_db_url.get_secret_value() if settings.supabase_db_url else ""
    stores = (settings.supabase_url or "", database, settings.qa_s3_endpoint or "")
    sentinels = [place.strip() for place in (settings.redis_sentinels or "").split(",")]
    redis = [settings.redis_dsn, *(settings.redis_url_of(queue) or "" for queue in queue_names()), *sentinels]
    pages = [f"http://{host}:{port}" for port in ports for host in ("127.0.0.1", *names)]
    public = [f"{scheme}://{name}" for name in names for scheme in ("http", "https")]
    return [url for url in (*pages, *public, *redis, *stores) if url]
