"""Checks of how the page looks."""

import re
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field

from qa_queue.cases.checks.base import ElementCheck, named
from qa_queue.cases.targets import Targets
from qa_queue.cases.vocabulary import MAX_COUNT, Count

FILE_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"
Share = Annotated[float, Field(ge=0, le=1)]


def _name(value: Any) -> Any:
    if not isinstance(value, str) or not re.fullmatch(FILE_NAME, value):
        raise ValueError("the name of a screenshot has letters, digits, - and _, as in `screenshot: cart`")
    return value


ScreenshotName = Annotated[str, BeforeValidator(_name), Field(min_length=1, max_length=60, pattern=FILE_NAME)]


class ToHaveScreenshot(ElementCheck, keyword="screenshot"):
    """The page, or the element, looks as its baseline, a PNG in the folder `FILE-screenshots` beside the file.

    `qa-queue run FILE --wait --update-screenshots` writes baselines. Without one the check fails, and the picture
    of the run becomes the baseline of the next one. Animations are finished and the caret is hidden.
    """

    needs_target: ClassVar[bool] = False
    at_most_one: ClassVar[tuple[tuple[str, ...], ...]] = (("target", "full_page"),)
    screenshot: ScreenshotName = named(
        "to_have_screenshot", "screenshot", "The baseline's name: letters, digits, - and _."
    )
    mask: Targets = Field((), description="Elements to cover.")
    full_page: bool = Field(False, description="The whole page, not only the part in view.")
    threshold: Share = Field(
        0.2, description="How different a pixel's colour may be, from 0 to 1, before it counts; 0.2 by default."
    )
    max_diff_pixels: Count | None = Field(None, description="How many pixels may differ; none by default.")
    max_diff_ratio: Share | None = Field(None, description="The share of pixels that may differ, from 0 to 1.")

    def allowed_pixels(self, total: int) -> int:
        """Return how many pixels of a picture may differ."""
        by_share = MAX_COUNT if self.max_diff_ratio is None else int(self.max_diff_ratio * total)
        by_number = MAX_COUNT if self.max_diff_pixels is None else self.max_diff_pixels
        given = self.max_diff_ratio is not None or self.max_diff_pixels is not None
        return min(by_share, by_number) if given else 0
