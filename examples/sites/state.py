"""The data of the sites of one server, and the API over it. Every server begins with the same data."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

PASSWORD = "open-sesame"
POLLS_UNTIL_DONE = 3


@dataclass
class State:
    """The data of the sites. `bug` is the name of the planted bug; empty for the correct sites."""

    bug: str = ""
    numbers: count[int] = field(default_factory=lambda: count(100))
    items: list[dict[str, Any]] = field(
        default_factory=lambda: [
            {"id": 1, "name": "Cup", "cents": 450},
            {"id": 2, "name": "Kettle", "cents": 2900},
            {"id": 3, "name": "Grinder", "cents": 8950},
        ]
    )
    orders: list[dict[str, Any]] = field(
        default_factory=lambda: [{"id": 1, "customer": "Bob", "amount": 12, "status": "open"}]
    )
    files: list[dict[str, Any]] = field(default_factory=list)
    sessions: dict[str, str] = field(default_factory=dict)
    job: dict[str, Any] = field(default_factory=lambda: {"state": "none", "polls": 0})


@dataclass(frozen=True)
class Call:
    """A request of the API: the parts of its path, its JSON body, the token of its session."""

    parts: tuple[str, ...] = ()
    body: dict[str, Any] = field(default_factory=dict)
    token: str = ""


@dataclass(frozen=True)
class Answer:
    """A response of the API; `token` begins a session."""

    body: Any = None
    status: int = 200
    token: str | None = None


Operation = Callable[[State, Call], Answer]


def add_item(state: State, call: Call) -> Answer:
    """Add an item to the inventory."""
    item = {"id": next(state.numbers), "name": call.body["name"], "cents": call.body["cents"]}
    state.items.append(item)
    return Answer(item, 201)


def change_item(state: State, call: Call) -> Answer:
    """Change the price of an item."""
    return _change(state.items, call)


def delete_item(state: State, call: Call) -> Answer:
    """Remove an item."""
    state.items = [item for item in state.items if str(item["id"]) != call.parts[0]]
    return Answer(status=204)


def add_order(state: State, call: Call) -> Answer:
    """Add an order."""
    amount = call.body["amount"] * (2 if state.bug == "amount-doubled" else 1)
    order = {"id": next(state.numbers), "customer": call.body["customer"], "amount": amount, "status": "open"}
    state.orders.append(order)
    return Answer(order, 201)


def change_order(state: State, call: Call) -> Answer:
    """Change the status of an order."""
    return _change(state.orders, call)


def get_order(state: State, call: Call) -> Answer:
    """Return one order."""
    found = next((order for order in state.orders if str(order["id"]) == call.parts[0]), None)
    return Answer(found, 200 if found else 404)


def delete_order(state: State, call: Call) -> Answer:
    """Remove an order."""
    state.orders = [order for order in state.orders if str(order["id"]) != call.parts[0]]
    return Answer(status=204)


def _change(rows: list[dict[str, Any]], call: Call) -> Answer:
    row = next((row for row in rows if str(row["id"]) == call.parts[0]), None)
    if row is None:
        return Answer({"error": "not found"}, 404)
    row.update(call.body)
    return Answer(row)


def sign_in(state: State, call: Call) -> Answer:
    """Begin a session."""
    if call.body["password"] != PASSWORD and state.bug != "any-password":
        return Answer({"error": "Wrong user or password."})
    token = f"session-{next(state.numbers)}"
    state.sessions[token] = call.body["user"]
    return Answer({"user": call.body["user"]}, token=token)


def who_am_i(state: State, call: Call) -> Answer:
    """Return the user of the session."""
    user = state.sessions.get(call.token)
    if state.bug == "session-forgets":
        state.sessions.pop(call.token, None)
    return Answer({"user": user})


def sign_out(state: State, call: Call) -> Answer:
    """End the session."""
    if state.bug != "sign-out-keeps-session":
        state.sessions.pop(call.token, None)
    return Answer(status=204)


def add_file(state: State, call: Call) -> Answer:
    """Store an uploaded file."""
    name, size = call.body["name"], len(call.body["text"].encode())
    shown = name[:5] if state.bug == "name-cut" else name
    state.files.append({"name": shown, "size": 0 if state.bug == "size-zero" else size})
    return Answer(status=201)


def start_job(state: State, _: Call) -> Answer:
    """Start the export."""
    state.job = {"state": "running", "polls": 0}
    return Answer(state.job, 202)


def poll_job(state: State, _: Call) -> Answer:
    """Return the state of the export, which takes a number of polls."""
    if state.job["state"] == "running" and state.bug != "job-stuck":
        state.job["polls"] += 1
        if state.job["polls"] >= POLLS_UNTIL_DONE:
            state.job["state"] = "failed" if state.bug == "job-fails" else "done"
    return Answer(state.job)


OPERATIONS: dict[tuple[str, str], Operation] = {
    ("GET", r"/api/items"): lambda state, _: Answer(state.items),
    ("POST", r"/api/items"): add_item,
    ("PUT", r"/api/items/(\d+)"): change_item,
    ("DELETE", r"/api/items/(\d+)"): delete_item,
    ("GET", r"/api/orders"): lambda state, _: Answer(state.orders),
    ("POST", r"/api/orders"): add_order,
    ("GET", r"/api/orders/(\d+)"): get_order,
    ("PUT", r"/api/orders/(\d+)"): change_order,
    ("DELETE", r"/api/orders/(\d+)"): delete_order,
    ("POST", r"/api/login"): sign_in,
    ("GET", r"/api/me"): who_am_i,
    ("POST", r"/api/logout"): sign_out,
    ("GET", r"/api/files"): lambda state, _: Answer(state.files),
    ("POST", r"/api/files"): add_file,
    ("POST", r"/api/jobs"): start_job,
    ("GET", r"/api/jobs"): poll_job,
}


def operate(state: State, method: str, path: str, call: Call) -> Answer:
    """Perform the operation of a path."""
    for (wanted, pattern), operation in OPERATIONS.items():
        if wanted == method and (match := re.fullmatch(pattern, path)):
            return operation(state, Call(match.groups(), call.body, call.token))
    return Answer({"error": f"{method} {path} is unknown"}, 404)
