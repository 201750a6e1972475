"""Rules that answer or fail the requests of a context's pages in place of their servers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from playwright.async_api import BrowserContext, Request, Route

from processors.browser.page_log import guarded_async

Answer = Callable[[Route], Awaitable[None]]
_EVERY_URL = "**/*"


@dataclass(kw_only=True)
class Rule:
    """A rule: the requests that it applies to, and its answer to them; `left` counts those that it still answers.

    `kind` and `label` name it for the step that ends it, as `mock` and the pattern of its URLs.
    """

    kind: str
    label: str
    applies: Callable[[Request], bool]
    answer: Answer
    left: int | None = None


class Interception:
    """The rules of a context. The latest that applies answers; without one, a request goes to its server.

    Requests are held up by the browser only while there are rules.
    """

    def __init__(self, context: BrowserContext) -> None:
        self._context = context
        self._rules: list[Rule] = []
        self._handler = guarded_async(self._handle)

    async def add(self, rule: Rule) -> None:
        """Add a rule."""
        if not self._rules:
            await self._context.route(_EVERY_URL, self._handler)
        self._rules.append(rule)

    async def remove(self, kind: str, label: str | None) -> bool:
        """Remove the rules of a kind, or those of one label; False where there are none."""
        kept = [rule for rule in self._rules if rule.kind != kind or label not in (None, rule.label)]
        removed, self._rules = len(kept) < len(self._rules), kept
        if removed and not kept:
            await self._context.unroute(_EVERY_URL, self._handler)
        return removed

    def labels(self, kind: str) -> list[str]:
        """Return the labels of the rules of a kind."""
        return [rule.label for rule in self._rules if rule.kind == kind]

    async def _handle(self, route: Route) -> None:
        for rule in reversed(self._rules):
            if rule.left != 0 and rule.applies(route.request):
                if rule.left is not None:
                    rule.left -= 1
                await rule.answer(route)
                return
        await route.fallback()
