"""The service's own pages, over a real Redis and the store's twin."""

import re
from datetime import timedelta
from pathlib import Path

import httpx
from redis import Redis

from qa_queue.api.app import create_app
from qa_queue.models import ArtifactKind, RunStatus, StepStatus
from qa_queue.services import Backend
from qa_queue.settings import load_settings
from qa_queue.store.memory import MemoryStore
from tests.support.heals import store_healed
from tests.support.queueing import add
from tests.support.records import NOON, artifact_record, case_record, finished_run, run_record, step_record
from tests.support.serving import serving

EVIL = "<script>alert(1)</script>"


def test_the_overview_lists_every_queue_and_the_newest_runs(pages: httpx.Client, store: MemoryStore) -> None:
    case = case_record(name="Buy a coffee")
    store.save([case, run_record(case, status=RunStatus.FAILED, error="no button\ncall log")])
    page = pages.get("/")
    assert page.status_code == 200
    for text in ("test-execution", "cleanup", "adaptation-learning", "Buy a coffee", "no button"):
        assert text in page.text
    assert "call log" not in page.text


def test_text_of_cases_and_sites_is_escaped_and_no_script_may_run(pages: httpx.Client, store: MemoryStore) -> None:
    case = case_record(name=EVIL)
    run = run_record(case, status=RunStatus.FAILED, error=EVIL)
    store.save([case, run, step_record(run, status=StepStatus.FAILED, error=EVIL)])
    for url in ("/", f"/runs/{run.id}"):
        page = pages.get(url)
        assert EVIL not in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]


def test_notes_of_a_run_are_on_its_page(pages: httpx.Client, store: MemoryStore) -> None:
    """What an import lost is known before the run has ended."""
    case = case_record()
    run = run_record(case, notes=(f"step 2 was lost: {EVIL}",))
    store.save([case, run])
    assert "<li>step 2 was lost: &lt;script&gt;" in pages.get(f"/runs/{run.id}").text


def test_an_artifact_is_served_and_one_outside_the_folder_is_not(
    pages: httpx.Client, store: MemoryStore, tmp_path: Path
) -> None:
    case = case_record()
    run = run_record(case)
    inside = artifact_record(run, kind=ArtifactKind.SCREENSHOT, path=f"{run.id}/1/a.png", name="a.png")
    outside = artifact_record(run, path="../secret", name="b")
    store.save([case, run, inside, outside])
    file = tmp_path / "artifacts" / inside.path
    file.parent.mkdir(parents=True)
    file.write_bytes(b"picture")
    (tmp_path / "secret").write_text("s")
    assert pages.get(f"/runs/{run.id}/artifacts/{inside.id}").content == b"picture"
    assert pages.get(f"/runs/{run.id}/artifacts/{outside.id}").status_code == 404


def test_an_unknown_run_is_a_page_that_says_so(pages: httpx.Client) -> None:
    page = pages.get("/runs/7d0f6c1e-0000-4000-8000-000000000000")
    assert page.status_code == 404
    assert "there is no run" in page.text


def test_only_loopback_names_are_answered(pages: httpx.Client) -> None:
    assert pages.get("/", headers={"host": "attacker.example"}).status_code == 400


def test_readiness_names_the_part_that_is_unavailable(store: MemoryStore, tmp_path: Path) -> None:
    settings = load_settings(redis_url="redis://127.0.0.1:1/0", qa_home=tmp_path, qa_api_open_on_loopback=True)
    with serving(create_app(Backend(settings, store))) as url, httpx.Client(base_url=url, timeout=20) as client:
        assert client.get("/health/live").json() == {"status": "alive"}
        ready = client.get("/health/ready")
        assert ready.status_code == 503
        assert "127.0.0.1:1/0" in ready.json()["redis"]
        assert client.get("/").status_code == 503


def test_a_run_that_goes_on_is_followed_and_can_be_cancelled(
    pages: httpx.Client, store: MemoryStore, redis_db: Redis
) -> None:
    case = case_record()
    run = run_record(case)
    store.save([case, run])
    add(redis_db, run.id)
    page = pages.get(f"/runs/{run.id}").text
    assert f'data-events="/api/v1/runs/{run.id}/events"' in page
    assert f'action="/runs/{run.id}/cancel"' in page
    answer = pages.post(f"/runs/{run.id}/cancel")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/runs/{run.id}")
    ended = pages.get(f"/runs/{run.id}").text
    assert "cancelled by local" in ended
    assert "data-events" not in ended


def test_a_run_is_pinned_and_unpinned_by_its_button(pages: httpx.Client, store: MemoryStore) -> None:
    """Lists mark it."""
    case = case_record()
    run = finished_run(case)
    store.save([case, run])
    mark = '<span class="badge">pinned</span>'
    for word, following in (("pin", "unpin"), ("unpin", "pin")):
        assert f'action="/runs/{run.id}/{word}"' in pages.get(f"/runs/{run.id}").text
        assert pages.post(f"/runs/{run.id}/{word}").headers["location"] == f"/runs/{run.id}"
        page, overview = pages.get(f"/runs/{run.id}").text, pages.get("/").text
        assert f'action="/runs/{run.id}/{following}"' in page
        assert (mark in page) is (mark in overview) is (word == "pin")


def test_an_ended_run_is_made_again_by_its_button(pages: httpx.Client, store: MemoryStore) -> None:
    case = case_record()
    run = finished_run(case, RunStatus.FAILED)
    store.save([case, run])
    answer = pages.post(f"/runs/{run.id}/rerun")
    again = store.get_run(answer.headers["location"].removeprefix("/runs/"))
    assert (again.test_case_id, again.status) == (case.id, RunStatus.QUEUED)


def test_runs_are_filtered_and_paged(pages: httpx.Client, store: MemoryStore) -> None:
    case = case_record()
    runs = [finished_run(case, RunStatus.FAILED, finished_at=NOON + timedelta(minutes=n)) for n in range(60)]
    store.save([case, *runs, finished_run(case)])
    first = pages.get("/", params={"show": "failed"}).text
    assert first.count('class="badge failed"') == 50
    older = re.search(r'href="([^"]+cursor=[^"]+)"', first)
    assert older is not None
    assert pages.get(older[1].replace("&amp;", "&")).text.count('class="badge failed"') == 10


def test_pictures_of_a_step_stand_beside_it(pages: httpx.Client, store: MemoryStore) -> None:
    case = case_record()
    run = finished_run(case, RunStatus.FAILED)
    shown = artifact_record(run, "step.png", step_number=1)
    store.save(
        [
            case,
            run,
            step_record(run, 1, source="buy.yaml:3"),
            shown,
            artifact_record(run, "trace.zip", content_type="application/zip"),
        ]
    )
    row = pages.get(f"/runs/{run.id}").text.partition("<tbody>")[2].partition("</tbody>")[0]
    assert f"/runs/{run.id}/artifacts/{shown.id}" in row
    assert "trace.zip" not in row
    assert "buy.yaml:3" in row


def test_a_heal_is_shown_with_its_reasons_and_judged_by_its_buttons(
    pages: httpx.Client, store: MemoryStore, tmp_path: Path
) -> None:
    row = store_healed(store, tmp_path)
    store.save([step_record(row.test_run_id, 2, status=StepStatus.ADAPTED)])
    for url in (f"/runs/{row.test_run_id}", "/adaptations"):
        page = pages.get(url).text
        assert "97 % sure" in page
        assert f'action="/adaptations/{row.id}/accept?back=' in page
    answer = pages.post(f"/adaptations/{row.id}/reject", params={"back": f"/runs/{row.test_run_id}"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/runs/{row.test_run_id}")
    assert store.get_adaptation(row.id).status == "rejected"
    assert row.id not in pages.get("/adaptations").text
    assert row.id in pages.get("/adaptations", params={"show": "rejected"}).text
    answer = pages.post(f"/adaptations/{row.id}/accept", params={"back": "//elsewhere.example"})
    assert answer.headers["location"] == "/"
    assert store.get_case(row.test_case_id).definition["steps"][1]["click"] == row.new_target
