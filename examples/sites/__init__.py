"""Small sites, and twenty tests of them, each as plain Playwright in Python and as a case in YAML.

Every test has two bugs that can be planted in the sites. Both forms of a test pass on the correct sites and fail on
each of its bugs.
"""

from __future__ import annotations

from dataclasses import dataclass

from examples.sites.server import serve

__all__ = ["TESTS", "SiteTest", "serve"]


@dataclass(frozen=True)
class SiteTest:
    """A test by the name of its case file and of its function, its kind, and the bugs that it finds."""

    name: str
    kind: str
    bugs: tuple[str, str]


TESTS = (
    SiteTest("add_item", "CRUD through a table", ("total-stale", "price-loses-cents")),
    SiteTest("edit_item", "CRUD through a table", ("edits-first-row", "edit-not-saved")),
    SiteTest("delete_item", "CRUD through a table", ("deletes-next-row", "delete-returns")),
    SiteTest("sign_in", "login with state", ("any-password", "sign-out-keeps-session")),
    SiteTest("stay_signed_in", "login with state", ("session-forgets", "greets-other")),
    SiteTest("place_order", "wizard", ("back-forgets", "summary-wrong-shipping")),
    SiteTest("refuse_bad_email", "wizard", ("accepts-bad-email", "no-error-text")),
    SiteTest("search_products", "search and filter", ("case-sensitive-search", "no-empty-state")),
    SiteTest("filter_and_sort", "search and filter", ("sorts-as-text", "filter-ignored")),
    SiteTest("upload_file", "upload and download", ("size-zero", "name-cut")),
    SiteTest("download_export", "upload and download", ("no-header-row", "wrong-file-name")),
    SiteTest("rename_folder", "dialog and pop-up", ("rename-on-cancel", "rename-ignored")),
    SiteTest("confirm_report", "dialog and pop-up", ("wrong-report", "opener-not-updated")),
    SiteTest("show_seeded_order", "API-seeded", ("total-of-first", "status-missing")),
    SiteTest("mark_order_paid", "API-seeded", ("paid-in-page-only", "amount-doubled")),
    SiteTest("apply_discount", "data-driven", ("limit-excluded", "no-cents")),
    SiteTest("pay_by_card", "iframe", ("parent-not-updated", "accepts-expired")),
    SiteTest("finish_card", "drag", ("drop-copies", "count-stale")),
    SiteTest("wait_for_export", "polling", ("job-stuck", "job-fails")),
    SiteTest("open_menu", "responsive", ("menu-dead", "no-breakpoint")),
)
