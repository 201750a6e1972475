"""The versions of the shop that cases are run against."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.shop_versions import gone
from benchmarks.shop_versions.embedded import framed, in_shadow_root
from benchmarks.shop_versions.framework import framework_markup
from benchmarks.shop_versions.mutation import Mutation, together
from benchmarks.shop_versions.names import renamed_classes, renamed_ids, renamed_test_ids, stripped
from benchmarks.shop_versions.structure import moved, reordered, wrapped
from benchmarks.shop_versions.twins import twins
from benchmarks.shop_versions.words import reworded, translated


@dataclass(frozen=True)
class Version:
    """A release of the shop; `gone` says that some elements which cases use no longer exist."""

    name: str
    description: str
    mutate: Mutation
    gone: bool = False


ORIGINAL = Version("original", "the shop as it is", together())
VERSIONS = (
    Version("ids", "ids renamed, with what refers to them", renamed_ids()),
    Version("classes", "classes renamed", renamed_classes()),
    Version("test-ids", "test ids renamed", renamed_test_ids()),
    Version("moved", "header, search, summaries, fieldsets and buttons in other places", moved()),
    Version("wrapped", "controls and content in more elements", wrapped()),
    Version("reordered", "lists, menus, fields and choices in the opposite order", reordered()),
    Version("reworded", "names and labels slightly reworded", reworded()),
    Version("translated", "German words, the same markup", translated()),
    Version("twins", "a second button of the same name for each button", twins()),
    Version("frame", "the content of pages in an iframe", framed()),
    Version("shadow", "the content of pages in an open shadow root", in_shadow_root()),
    Version("framework", "a component library's markup: div buttons, generated names", framework_markup()),
    Version("stripped", "no ids, classes, test ids, ARIA names or placeholders", stripped()),
    Version(
        "redesign", "reworded, reordered, moved and wrapped", together(reworded(), reordered(), moved(), wrapped())
    ),
    Version(
        "everything",
        "reworded, reordered, moved, new test ids, a component library's markup, in an open shadow root",
        together(reworded(), reordered(), moved(), renamed_test_ids(), framework_markup(), in_shadow_root()),
    ),
    Version("no-controls", "buttons and links that cases use removed", gone.removed(gone.CONTROLS), gone=True),
    Version("no-fields", "fields that cases use removed", gone.removed(gone.FIELDS), gone=True),
    Version(
        "other-controls",
        "look-alikes with another meaning for buttons and links",
        gone.replaced_by_look_alikes(gone.CONTROLS),
        gone=True,
    ),
    Version(
        "other-fields",
        "look-alikes with another meaning for fields",
        gone.replaced_by_look_alikes(gone.FIELDS),
        gone=True,
    ),
    Version(
        "gone-redesign",
        "buttons and links removed, the rest reworded, wrapped and with new test ids",
        together(gone.removed(gone.CONTROLS), reworded(), wrapped(), renamed_test_ids()),
        gone=True,
    ),
)
