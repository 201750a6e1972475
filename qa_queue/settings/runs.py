"""The settings of what a run may reach and use up."""

from __future__ import annotations

from pydantic import Field

from qa_queue.settings.redis import RedisSettings


class RunSettings(RedisSettings):
    """The network of runs, and the limits of each try."""

    qa_egress_proxy: bool = Field(
        default=True,
        description="Send the traffic of runs through the worker's own proxy, which applies the rules below; "
        "without it, only URLs are compared with the addresses of the service.",
    )
    qa_egress_allow: str = Field(
        default="",
        description="Hosts that runs may reach, separated by commas: HOST, *.DOMAIN or *, with a port or a scheme "
        "as in https://HOST:PORT, and networks such as 10.0.0.0/8; without it, all.",
    )
    qa_egress_deny: str = Field(
        default="", description="Hosts that runs may not reach, written as in QA_EGRESS_ALLOW; wins over it."
    )
    qa_egress_private: bool = Field(
        default=True,
        description="Allow runs to reach private addresses, such as sites of an intranet and of this machine.",
    )
    qa_static_cache_mb: int = Field(
        default=0,
        ge=0,
        description="MiB of scripts, styles, images and fonts that the proxy keeps for later runs, by the rules of "
        "HTTP; not of HTTPS. 0 keeps none.",
    )
    qa_run_network_mb: int = Field(
        default=2048,
        ge=1,
        description="MiB that the pages of a try may receive through the proxy; then the run fails.",
    )
    qa_run_pages: int = Field(
        default=100, ge=1, description="Tabs and windows that the pages of a try may open; then the run fails."
    )
    qa_run_dialogs: int = Field(
        default=500, ge=1, description="Dialogs that the pages of a try may open; then the run fails."
    )
    qa_run_downloads: int = Field(
        default=20,
        ge=1,
        description="Files that a try may download; further ones are refused, and the run fails.",
    )
    qa_run_elements: int = Field(
        default=300_000, ge=100, description="Elements that a document of a try may have; then the run fails."
    )
    qa_run_response_mb: int = Field(
        default=100,
        ge=1,
        description="MiB of the largest response to a `request` step, as it comes from the network and "
        "decompressed; a larger one fails the step.",
    )
    qa_run_steps: int = Field(
        default=10_000, ge=1, description="Steps that a try may execute, loops included; then the run fails."
    )
    qa_run_passes: int = Field(
        default=10_000, ge=1, description="Passes that all loops of a try may make; then the run fails."
    )
    qa_run_artifacts_mb: int = Field(
        default=1024, ge=1, description="MiB of files that a try may keep; then the run fails."
    )
    qa_run_seconds: int = Field(
        default=24 * 3600,
        ge=1,
        description="The longest `timeout` that a case may have; a run of another one fails.",
    )
    qa_max_download_mb: int = Field(
        default=25,
        ge=1,
        le=1000,
        description="MB of the largest file that a run may download; a larger one is refused, and the run fails.",
    )
    qa_evidence_max_mb: int = Field(
        default=100, ge=1, description="Megabytes that one file of evidence may have; a larger one is not stored."
    )
