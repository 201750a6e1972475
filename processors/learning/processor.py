"""The processor of the `adaptation-learning` queue."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import ClassVar

from processors.base import BaseJobProcessor
from processors.learning.scoring import COUNTED, CaseScore, CaseTally, LocatorTally
from qa_queue.errors import NotFoundError
from qa_queue.models import JobProgress, LearningJobData, LearningJobResult, RunStatus
from qa_queue.store.records import CaseRecord, PatternRecord, RunRecord

log = logging.getLogger(__name__)

RUNS_PER_PAGE = 200  # held in memory with their steps


class LearningProcessor(BaseJobProcessor[LearningJobData, LearningJobResult]):
    """Recounts the finished runs of each case and writes what has changed.

    Cancelled runs and runs that the infrastructure failed do not count. A case without runs that count is left as
    it is. The figures come from the rows alone, so learning twice changes nothing.
    """

    payload: ClassVar[type[LearningJobData]] = LearningJobData

    async def process(self, data: LearningJobData) -> LearningJobResult:
        """Learn case by case.

        Raises:
            NotFoundError: a requested case is not in the store; nothing was written.
        """
        cases = await asyncio.to_thread(self._cases, data.test_case_ids)
        result = LearningJobResult()
        for done, case in enumerate(cases):
            await self._report(done, len(cases), case.name)
            result = _sum(result, await asyncio.to_thread(self._learn, case))
        log.info("Learning %s: %s", self.context.job_id, result.summary)
        await self._report(len(cases), len(cases), result.summary)
        return result

    def _cases(self, case_ids: tuple[str, ...] | None) -> list[CaseRecord]:
        store = self.services.store
        if case_ids is None:
            return store.list_cases()
        found = {case_id: store.get_case(case_id) for case_id in case_ids}
        missing = [case_id for case_id, case in found.items() if case is None]
        if missing:
            raise NotFoundError(
                f"no case has the id {', '.join(missing)}: `qa-queue runs` lists the runs of known cases."
            )
        return [case for case in found.values() if case]

    def _learn(self, case: CaseRecord) -> LearningJobResult:
        tally, locators = CaseTally(), LocatorTally()
        for runs in self._finished(case.id):
            tally.add(runs)
            locators.add(runs, self.services.store.list_steps([run.id for run in runs]))
        score = tally.score()
        if score is None:
            return LearningJobResult(cases=1)
        self._save_score(case, score)
        return self._save_patterns(case.id, self._allowed(case.id, locators)).model_copy(
            update={"runs": score.runs}
        )

    def _allowed(self, case_id: str, locators: LocatorTally) -> list[PatternRecord]:
        """Return the patterns without learned locators that a person rejected."""
        verdicts = self.services.store.knowledge(case_id).verdicts
        rejected = [(one.step_key, one.locator) for one in verdicts if one.verdict == "rejected"]
        return [
            pattern
            for pattern in locators.patterns(case_id)
            if not (pattern.learned and (pattern.step_key, pattern.locator) in rejected)
        ]

    def _finished(self, case_id: str) -> Iterator[list[RunRecord]]:
        """Yield the runs that count, newest first, a page at a time."""
        last: RunRecord | None = None
        while page := self.services.store.list_runs(
            case_ids=[case_id], statuses=COUNTED, limit=RUNS_PER_PAGE, after=last
        ):
            yield page
            last = page[-1]

    def _save_score(self, case: CaseRecord, score: CaseScore) -> None:
        if CaseScore(case.reliability_score or 0.0, case.flake_rate or 0.0, case.runs_learned) != score:
            self.services.store.save_learned(
                case.id,
                reliability_score=score.reliability,
                flake_rate=score.flake_rate,
                runs_learned=score.runs,
            )

    def _save_patterns(self, case_id: str, patterns: list[PatternRecord]) -> LearningJobResult:
        """Replace the stored patterns; those that no run supports any more are deleted."""
        stored = {pattern.id: pattern for pattern in self.services.store.list_patterns(case_id)}
        changed = [pattern for pattern in patterns if stored.get(pattern.id) != pattern]
        stale = sorted(stored.keys() - {pattern.id for pattern in patterns})
        self.services.store.save(changed)
        self.services.store.delete_patterns(stale)
        return LearningJobResult(
            cases=1,
            patterns=len(patterns),
            patterns_changed=len(changed),
            patterns_removed=len(stale),
        )

    async def _report(self, done: int, total: int, message: str) -> None:
        await self.update_progress(
            JobProgress(
                test_run_id=self.context.job_id,
                current_step=done,
                total_steps=total,
                percentage=100 * done // total if total else 100,
                message=message,
                status=RunStatus.COMPLETED if done == total else RunStatus.RUNNING,
            )
        )


def _sum(one: LearningJobResult, other: LearningJobResult) -> LearningJobResult:
    counted = ("cases", "runs", "patterns", "patterns_changed", "patterns_removed")
    return one.model_copy(update={name: getattr(one, name) + getattr(other, name) for name in counted})
