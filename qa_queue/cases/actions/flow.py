"""The action that uses a flow."""

from collections.abc import Collection
from typing import ClassVar

from pydantic import Field

from qa_queue.cases.steps import Action, SaveAsUse
from qa_queue.cases.vocabulary import NAMES_SCHEMA, JsonValues, Name, Words


class UseFlow(Action, keyword="use"):
    """Do the steps of a flow, another file, with values for its parameters."""

    short: ClassVar[str | None] = "flow"
    unused_fields: ClassVar[Collection[str]] = ("timeout", "screenshot", "navigates", "heal")
    secret_fields: ClassVar[Collection[str] | None] = ("with",)
    flow: Words = Field(description="The flow's file, relative to the file of this step.")
    given_values: JsonValues = Field(
        default_factory=dict,
        validation_alias="with",
        serialization_alias="with",
        description="Values for the flow's parameters.",
        json_schema_extra=NAMES_SCHEMA,
    )
    save_as: Name | None = Field(
        None, description="The variable that gets the flow's returned values, as a mapping."
    )

    @property
    def requires_presence(self) -> bool:
        """False: there is no element."""
        return False

    @property
    def flow_key(self) -> str:
        """The flow."""
        return self.flow

    @property
    def save_as_use(self) -> SaveAsUse:
        """Optional, here or beside the action."""
        return "optional"

    @property
    def assigned(self) -> Collection[str]:
        """The variable for the returned values."""
        return () if self.save_as is None else (self.save_as,)

    def sentence(self) -> str:
        """Return the action in words."""
        return f"use {self.flow}"
