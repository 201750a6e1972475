"""The `adaptation-learning` queue: the reliability of cases and the locators of their steps, from finished runs."""

from processors.learning.processor import LearningProcessor

__all__ = ["LearningProcessor"]
