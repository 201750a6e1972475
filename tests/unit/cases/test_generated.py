"""Values that are made from a seed: repeated exactly by it, different at each place."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from qa_queue.cases.generated import Seed
from qa_queue.cases.values import Scope, resolve, resolve_step, resolve_value, scope_for
from qa_queue.errors import CaseError
from tests.unit.cases.support import case

NOW = datetime(2026, 1, 30, 9, 5, 7, tzinfo=UTC)
SCOPE = Scope(generator=Seed("5eed", NOW).generator(1))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${now}", "2026-01-30T09:05:07Z"),
        ("${now:+2d:date}", "2026-02-01"),
        ("${now:-30m:%d.%m.%Y %H:%M}", "30.01.2026 08:35"),
        ("${now:%H:%M:%S}", "09:05:07"),
        ("${now:+1w}", "2026-02-06T09:05:07Z"),
        ("${now:unix}", "1769763907"),
    ],
)
def test_times(text: str, value: str) -> None:
    """Offset and format follow a colon each, and may both be left out."""
    assert resolve(text, SCOPE) == value


@pytest.mark.parametrize(
    ("zone", "text", "value"),
    [
        ("Europe/Berlin", "${now}", "2026-01-30T10:05:07+01:00"),
        ("Europe/Berlin", "${now:%H:%M}", "10:05"),
        ("Pacific/Auckland", "${now:+1d:date}", "2026-01-31"),
        ("Pacific/Honolulu", "${now:date}", "2026-01-29"),
        ("Europe/Berlin", "${now:+60d:%d.%m. %H:%M %z}", "31.03. 10:05 +0200"),
        ("Europe/Berlin", "${now:+8w:%H:%M}", "10:05"),
        ("Europe/Berlin", "${now:+1440h:%d.%m. %H:%M}", "31.03. 11:05"),
        ("Europe/Berlin", "${now:+90m:iso}", "2026-01-30T11:35:07+01:00"),
        ("Europe/Berlin", "${now:unix}", "1769763907"),
        ("${env.ZONE}", "${now:time}", "18:05:07"),
    ],
)
def test_times_are_those_of_the_case_s_time_zone(zone: str, text: str, value: str) -> None:
    """The page shows dates in `use.time_zone`; a value to compare them with has to be in the same one."""
    made = case(use={"time_zone": zone}, vars={"when": text})
    scope = scope_for(made, {"ZONE": "Asia/Tokyo"}, generator=Seed("5eed", NOW).generator(1))
    assert (resolve(text, scope), scope.variables["when"]) == (value, int(value) if value.isdigit() else value)


def test_a_time_zone_that_does_not_exist() -> None:
    """One that comes from the environment is only known when the run begins."""
    made = case(use={"time_zone": "${env.ZONE}"})
    with pytest.raises(CaseError, match=r"use\.time_zone: 'Berlin' is not a time zone"):
        scope_for(made, {"ZONE": "Berlin"}, generator=Seed("5eed", NOW).generator(1))


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("${uuid}", r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"),
        ("${random.int:1:9}", r"[1-9]"),
        ("${random.int:-5:-5}", r"-5"),
        ("${random.email}", r"[a-z]+\.[0-9a-f]{10}@example\.com"),
        ("${random.word}", r"[a-z]{6,7}"),
    ],
)
def test_random_values_are_repeated_by_their_seed(text: str, pattern: str) -> None:
    """Another seed, another try and another step have others."""
    one = resolve(text, SCOPE.at("3"))
    assert re.fullmatch(pattern, one)
    assert resolve(text, SCOPE.at("3")) == one
    others = {resolve(text, SCOPE.at(f"{n}")) for n in range(30)}
    assert len(others) > 1 or text == "${random.int:-5:-5}"


def test_each_occurrence_in_a_step_has_its_own_value() -> None:
    """And a whole reference keeps its type."""
    assert len(set(resolve("${uuid} ${uuid}", SCOPE).split())) == 2
    assert isinstance(resolve_value("${random.int:1:9}", SCOPE), int)
    other_try = replace(SCOPE, generator=Seed("5eed", NOW).generator(2))
    assert resolve("${uuid}", SCOPE) != resolve("${uuid}", other_try)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("${random.int}", "needs the least and the greatest number: write ${random.int:1:9}"),
        ("${random.int:9:1}", "goes from 9 to 1: put the smaller number first"),
        ("${random.name}", "is not a value: write ${uuid}, ${now}, ${random.int:1:9}"),
        ("${uuid:-x}", "is not a value: write ${uuid}"),
        ("${now:tomorrow}", "has 'tomorrow', which is neither an offset nor a format: write ${now}, ${now:+2d}"),
        ("${now:%Q}", "has %Q in its format, which is not known"),
        ("${now:+999999w}", "is not a time between the years 1 and 9999"),
        ("${rundom.int:1:2}", "did you mean random?"),
        ("${run.seed}", "a run has ${run.id} and ${run.attempt}"),
        ("${env.A.B}", "write ${env.NAME}, as its values have no parts"),
    ],
)
def test_a_broken_value(text: str, problem: str) -> None:
    """The message has the right form."""
    with pytest.raises(CaseError, match=re.escape(problem)):
        resolve(text, SCOPE)


def test_a_seed_has_the_time_of_its_run() -> None:
    """A fresh one is shown with it, and repeats it; a seed of one's own leaves the time to the clock."""
    fresh = Seed.of(None, now=NOW, fresh="1f0c")
    assert str(fresh) == "1f0c@2026-01-30T09:05:07Z"
    later = datetime(2027, 1, 1, tzinfo=UTC)
    assert Seed.of(str(fresh), now=later, fresh="x") == fresh
    assert Seed.of("7", now=later, fresh="x") == Seed("7", later)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${var.user.name}", "Ann"),
        ("${var.user.tags[1]}", "b"),
        ("${var.user.tags[-1]}", "b"),
        ("${var.user.tags}", '["a", "b"]'),
        ("${var.user.age:-7}", "7"),
        ("${data.First name}", "Ann"),
        ("${run.attempt}", "2"),
        ("${var.none}", "null"),
    ],
)
def test_parts_of_values(text: str, value: str) -> None:
    """A path leads into lists and mappings, and a default stands in for a part too."""
    user = {"name": "Ann", "tags": ["a", "b"]}
    scope = Scope(variables={"user": user, "none": None}, data={"First name": "Ann"}, run={"attempt": 2})
    assert resolve(text, scope) == value


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("${var.user.nme}", "has no value: var.user is a mapping without 'nme'; did you mean 'name'?"),
        ("${var.user.tags[2]}", "has no value: var.user.tags is a list of 2"),
        ("${var.user.name.first}", "has no value: var.user.name is 'Ann', which has no parts"),
    ],
)
def test_a_part_that_is_missing(text: str, problem: str) -> None:
    """The message says how far the path leads."""
    scope = Scope(variables={"user": {"name": "Ann", "tags": ["a", "b"]}})
    with pytest.raises(CaseError, match=re.escape(problem)):
        resolve(text, scope)


def test_a_field_that_is_not_text_takes_a_whole_reference() -> None:
    """Text is read as the number that the field needs; other text is refused with the field's words."""
    made = case({"expect": {"css": "li", "count": "${var.n}"}}).steps[0]
    assert resolve_step(made, Scope(variables={"n": 3})).args.check.count == 3
    assert resolve_step(made, Scope(variables={"n": "3"})).args.check.count == 3
    with pytest.raises(CaseError, match="expect: expected a whole number, got 'many'"):
        resolve_step(made, Scope(variables={"n": "many"}))
