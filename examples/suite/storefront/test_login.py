"""Signing in, by page objects; the class shares one account."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from pages.login import LoginPage
from playwright.sync_api import expect

import qa_queue


class Account(NamedTuple):
    user: str
    password: str


@pytest.fixture(scope="class")
def account() -> Account:
    return Account("ann", "coffee-please")


class TestLogin:
    @pytest.mark.smoke
    def test_a_customer_is_welcomed(self, login_page: LoginPage, account: Account) -> None:
        with qa_queue.step("Sign in"):
            login_page.sign_in(*account)
        expect(login_page.heading).to_have_text("Welcome back, Ann")

    @pytest.mark.parametrize("password", ["", "tea-please", "COFFEE-PLEASE"], ids=["empty", "wrong", "upper case"])
    def test_a_wrong_password_is_refused(self, login_page: LoginPage, account: Account, password: str) -> None:
        login_page.sign_in(account.user, password)
        expect(login_page.heading).not_to_have_text("Welcome back, Ann")
