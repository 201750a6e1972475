"""Bare Playwright loops: `python -m benchmarks.engine.others.loops sync|async URL BROWSER RUNS SLOTS`.

The same five steps on one warm browser, a context each, with nothing around them and nothing recorded.
"""

from __future__ import annotations

import asyncio
import sys

from playwright import async_api, sync_api

from benchmarks.engine.moments import one_run


def in_turn(url: str, browser: str, runs: int) -> None:
    """One run after the other, by the synchronous API."""
    with sync_api.sync_playwright() as driver, driver.chromium.launch(executable_path=browser) as chromium:
        for _ in range(runs):
            with one_run():
                context = chromium.new_context(base_url=url)
                page = context.new_page()
                page.goto("/login")
                page.get_by_label("User name").fill("ann")
                page.get_by_label("Password").fill("coffee-please")
                page.get_by_role("button", name="Sign in").click()
                sync_api.expect(page.get_by_role("heading", name="Welcome back, Ann")).to_be_visible()
                context.close()


async def at_once(url: str, browser: str, runs: int, slots: int) -> None:
    """Run `slots` runs at once, by the asynchronous API."""
    left = iter(range(runs))
    async with async_api.async_playwright() as driver:
        chromium = await driver.chromium.launch(executable_path=browser)
        await asyncio.gather(*(_loop(chromium, url, left) for _ in range(slots)))
        await chromium.close()


async def _loop(chromium: async_api.Browser, url: str, left: object) -> None:
    for _ in left:  # type: ignore[attr-defined] # an iterator that all loops share
        with one_run():
            context = await chromium.new_context(base_url=url)
            page = await context.new_page()
            await page.goto("/login")
            await page.get_by_label("User name").fill("ann")
            await page.get_by_label("Password").fill("coffee-please")
            await page.get_by_role("button", name="Sign in").click()
            await async_api.expect(page.get_by_role("heading", name="Welcome back, Ann")).to_be_visible()
            await context.close()


def main(kind: str, url: str, browser: str, runs: int, slots: int) -> None:
    if kind == "sync":
        in_turn(url, browser, runs)
    else:
        asyncio.run(at_once(url, browser, runs, slots))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
