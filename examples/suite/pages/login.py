"""The sign-in page."""

from __future__ import annotations

from playwright.sync_api import Locator, Page


class LoginPage:
    def __init__(self, page: Page) -> None:
        self.page = page
        self.user = page.get_by_label("User name")
        self.password = page.get_by_label("Password")

    def sign_in(self, user: str, password: str) -> None:
        self.page.goto("/login")
        self.user.fill(user)
        self.password.fill(password)
        self.page.get_by_role("button", name="Sign in").click()

    @property
    def heading(self) -> Locator:
        return self.page.get_by_role("heading", level=1)
