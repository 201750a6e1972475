"""What an action or assertion is given to work on."""

from __future__ import annotations

from dataclasses import dataclass

from playwright.async_api import Locator, Page

from processors.browser.element_finder import Deadline
from processors.browser.failures import StepFailedError
from processors.browser.protocol import SessionOptions
from qa_queue.cases.model import Args
from qa_queue.models import ErrorKind


@dataclass(frozen=True, kw_only=True)
class ActionContext:
    """One step on its way to the page. `subject` names the element in messages; `locator` finds it."""

    page: Page
    args: Args
    options: SessionOptions
    deadline: Deadline
    subject: str
    locator: Locator | None = None

    @property
    def element(self) -> Locator:
        """The element of a step that needs one."""
        if self.locator is None:
            raise StepFailedError(ErrorKind.INPUT, "this step needs a target")
        return self.locator

    @property
    def left_ms(self) -> float:
        """The time that is left for this step."""
        return self.deadline.left_ms

    @property
    def masks(self) -> list[Locator]:
        """What a picture has to black out."""
        return masks(self.page, self.options.secrets)

    def secret(self, value: str) -> bool:
        """Whether a value holds one of the run's secrets."""
        return any(secret in value for secret in self.options.secrets if secret)


def masks(page: Page, secrets: tuple[str, ...]) -> list[Locator]:
    """Everything on the page, in its frames too, whose text shows a secret."""
    return [frame.get_by_text(secret) for frame in page.frames for secret in secrets if secret]
