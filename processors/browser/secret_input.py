"""Filling secrets into fields, on the hosts that may receive them.

A field is looked up once and kept as a handle, which belongs to one document. The host is that of this document,
and the text is inserted by a script within it. Playwright's own `fill` and `type` send key strokes to the page that
is open by then: a case could leave for a site of its own between the check and the first key.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from playwright.async_api import ElementHandle

from processors.browser.action_context import ActionContext
from processors.browser.failures import StepFailedError
from qa_queue.cases.actions import Fill, Type
from qa_queue.cases.urls import document_url
from qa_queue.models import ErrorKind

_SET_IN_PAGE = frozenset({"date", "time", "datetime-local", "month", "week", "color", "range", "select"})
DOTS = "element => element.style.setProperty('-webkit-text-security', 'disc', 'important')"
_FIELD = "element => element.tagName === 'LABEL' && element.control || element"
_KIND = "element => element.tagName === 'SELECT' ? 'select' : element.type"
_FILL = """(element, text) => {
  element.focus();
  if (element.select) element.select();
  else element.ownerDocument.getSelection().selectAllChildren(element);
  return element.ownerDocument.execCommand('insertText', false, text);
}"""
_TYPE = """(element, text) => {
  element.focus();
  const page = element.ownerDocument, view = page.defaultView;
  const press = (kind, key) => page.activeElement.dispatchEvent(
    new view.KeyboardEvent(kind, {key, bubbles: true, cancelable: true, composed: true}));
  return [...text].every(key => {
    const typed = !press('keydown', key) || !press('keypress', key) || page.execCommand('insertText', false, key);
    press('keyup', key);
    return typed;
  });
}"""


async def fill_secret(call: ActionContext[Fill] | ActionContext[Type]) -> None:
    """Fill the value of a step into its field, where the host of the field's document may receive its secrets."""
    found = await call.element.element_handle(timeout=call.left_ms)
    field = (await found.evaluate_handle(_FIELD)).as_element()
    assert field is not None
    refuse_host(call, await _url_of(field))
    await field.wait_for_element_state("editable", timeout=call.left_ms)
    await field.evaluate(DOTS)
    await call.page.context.tracing.group(f"{call.args.keyword.capitalize()} {call.args.value!r}")
    try:
        await _insert(call, field)
    finally:
        await call.page.context.tracing.group_end()


def refuse_host(call: ActionContext[Any], url: str) -> None:
    """Refuse the secrets of a step on a host that may not receive them.

    Raises:
        StepFailedError: the host is not one of those of every secret in the step.
    """
    refused = _refused(call, url, call.secrets)
    if refused:
        raise StepFailedError(
            ErrorKind.INPUT,
            f"the secret {refused[0]} may not be used at {url or 'an empty page'}: "
            f"QA_SECRET_{refused[0]}_HOSTS of the worker does not name this host",
        )


def _refused(call: ActionContext[Any], url: str, names: Collection[str]) -> list[str]:
    hosts = call.options.secret_hosts
    return sorted(name for name in names if name not in hosts or not hosts[name].match_url(url))


async def _insert(call: ActionContext[Fill] | ActionContext[Type], field: ElementHandle) -> None:
    kind = await field.evaluate(_KIND)
    if kind == "select":
        await field.select_option(call.args.value, timeout=call.left_ms)
    elif kind in _SET_IN_PAGE:
        await field.fill(call.args.value, timeout=call.left_ms)
    elif not await field.evaluate(_TYPE if isinstance(call.args, Type) else _FILL, call.args.value):
        raise StepFailedError(ErrorKind.NOT_ACTIONABLE, f"{call.subject} takes no text")


async def _url_of(field: ElementHandle) -> str:
    frame = await field.owner_frame()
    urls = []
    while frame is not None:
        urls.append(frame.url)
        frame = frame.parent_frame
    return document_url(urls)
