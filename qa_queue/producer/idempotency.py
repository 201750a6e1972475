"""One run for one idempotency key and case: who claims it first submits it, the others get that run.

A claim whose submission then fails is released. Who asked in between was given the id of a run that never came, and
finds out when it looks for the run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from redis import Redis

KEEP_S = 24 * 3600

# KEYS: claims. ARGV: the run ids that claimed them. Another's claim stays.
_RELEASE = """
for at, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[at] then redis.call('DEL', key) end
end
"""


def claim_key(idempotency_key: str, case_id: str) -> str:
    """Where a claim stands; hashed, so that a key may be any text."""
    name = hashlib.sha256(f"{case_id}\0{idempotency_key}".encode()).hexdigest()
    return f"qa:idempotency:{name}"


def claim(connection: Redis, wanted: Mapping[str, str]) -> dict[str, str]:
    """Claim for 24 h, `{run id: claim key}`; returns `{run id: run id that holds its claim}`.

    One round trip, atomic for each key: of any number of racers, one finds its own run id.
    """
    pipeline = connection.pipeline(transaction=True)
    for run_id, key in wanted.items():
        pipeline.set(key, run_id, nx=True, ex=KEEP_S)
        pipeline.get(key)
    holders = pipeline.execute()[1::2]
    return {run_id: holder.decode() for run_id, holder in zip(wanted, holders, strict=True)}


def release(connection: Redis, claims: Mapping[str, str]) -> None:
    """Give up claims, `{run id: claim key}`, of runs that were not submitted after all."""
    if claims:
        connection.eval(_RELEASE, len(claims), *claims.values(), *claims)
