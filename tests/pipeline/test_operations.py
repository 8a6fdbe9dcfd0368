"""The deployments on a real Prefect server and worker: what is due is done, verdicts told, query sets retired."""

import json
import shutil
import threading
import time
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import yaml

from nf.core.files import read_json
from nf.monitoring import Ledger, read_history

THIEF, HONEST = "distill-vgg13_bn-source-t1", "scratch-resnet18-t1"
POLL_SECONDS = "1"


@pytest.fixture(scope="module")
def webhook():
    """URL of a server, and the list of what was posted to it: bearer and message."""
    posted = []

    class Inbox(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posted.append((self.headers["Authorization"], json.loads(body)))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Inbox) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", posted
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def operated(reproduced, services, webhook, tmp_path_factory):
    """A project under a Prefect server and worker, with two suspects to watch; its MLflow server is away."""
    root = tmp_path_factory.mktemp("operated") / "project"
    shutil.copytree(reproduced.root, root, ignore=shutil.ignore_patterns(".mlflow"))
    suspects = [{"name": name, "onnx": f"out/smoke/onnx/{name}.onnx", "output": "logits"} for name in (THIEF, HONEST)]
    (root / "watchlist.yaml").write_text(yaml.safe_dump({"suspects": suspects}))
    clone = services.start_prefect(
        type(reproduced)(root),
        PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS=POLL_SECONDS,
        PREFECT_WORKER_QUERY_SECONDS=POLL_SECONDS,
        MLFLOW_TRACKING_URI=f"http://127.0.0.1:{services.free_port()}",
        MLFLOW_HTTP_REQUEST_MAX_RETRIES="0",
        NF_WEBHOOK_URL=webhook[0],
        NF_WEBHOOK_TOKEN="bearer",
    )
    clone.run("flows", "deploy", "--pool", "test")
    services.start(clone, "prefect", "worker", "start", "--pool", "test", "--type", "process")
    return clone


def ask(clone, path, body=None):
    """What the Prefect server answers."""
    data = None if body is None else json.dumps(body).encode()
    url = f"{clone.settings['PREFECT_API_URL']}/{path}"
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def runs(clone, flow):
    return ask(clone, "flow_runs/filter", {"flows": {"name": {"any_": [flow]}}, "sort": "EXPECTED_START_TIME_ASC"})


def refingerprint(clone):
    """Run the deployment and return the lines of the ledger after."""
    clone.run("prefect", "deployment", "run", "refingerprint/refingerprint", "--watch", "--watch-interval", "1")
    return Ledger(clone.out / "issued").sets()


@pytest.fixture(scope="module")
def issued(operated):
    """The first query set for use."""
    (first,) = refingerprint(operated)
    return first


@pytest.fixture(scope="module")
def watched(operated, issued, services):
    """A scheduled run of `watch`, due in the near future; the one that the server made of it."""
    due = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=10)
    schedule = {"schedule": {"interval": 3600, "anchor_date": due.isoformat()}, "active": True}
    ask(operated, f"deployments/{ask(operated, 'deployments/name/watch/watch')['id']}/schedules", [schedule])
    ended = ("COMPLETED", "FAILED", "CRASHED")
    services.wait_for(
        lambda: [run for run in runs(operated, "watch") if run["state_type"] in ended], services.processes[-1]
    )
    return due, runs(operated, "watch")[0]


def outbox(clone):
    return [path for path in (clone.root / ".mlflow" / "outbox").iterdir() if path.is_dir()]


def test_every_deployment_is_registered_with_its_schedule(operated):
    found = {each["name"]: each for each in ask(operated, "deployments/filter", {})}
    crons = {name: [each["schedule"].get("cron") for each in found[name]["schedules"]] for name in found}
    assert crons["reproduce"] == []
    assert crons["refingerprint"] == ["0 3 * * 1"]
    assert crons["watch"][:1] == ["0 5 * * *"]


def test_a_query_set_is_issued_versioned_and_its_run_kept_while_mlflow_is_away(operated, issued):
    folder = Ledger(operated.out / "issued").folder(issued.digest)
    assert {path.name for path in folder.iterdir()} >= {"queries.safetensors", "sheet.png", "scores.csv"}
    assert read_json(folder / "metrics.json")["query_set"] == issued.digest
    status = json.loads(operated.run("dvc", "status", "--json", "out/smoke/issued.dvc").stdout)
    assert status == {}
    (record,) = outbox(operated)
    assert read_json(record / "record.json")["tags"]["query_set"] == issued.digest


def test_a_run_that_is_due_is_picked_up_and_done(watched):
    due, run = watched
    assert run["state_type"] == "COMPLETED"
    assert run["auto_scheduled"] is True
    late = datetime.fromisoformat(run["start_time"]) - due
    assert timedelta() <= late < timedelta(seconds=60)


def test_verdicts_are_kept_drawn_and_told(operated, issued, watched, webhook):
    watch = operated.out / "watch"
    verdicts = {
        name: [observation.outcome for observation in read_history(watch / f"{name}.jsonl")] for name in (THIEF, HONEST)
    }
    assert verdicts[HONEST] == ["not shown"]
    assert verdicts[THIEF][0] != "not shown"
    assert THIEF in (watch / "index.html").read_text()
    ((bearer, message),) = webhook[1]
    assert bearer == "Bearer bearer"
    assert (message["suspect"], message["query_set"]) == (THIEF, issued.digest)
    said = {each["suspect"]: each["outcome"] for each in read_json(watch / "verdicts.json")["suspects"]}
    assert message["outcome"] == said[THIEF] != "not shown"
    assert set(message["benchmark"]) >= {"independent_accused", "trained_accused", "missed"}
    filters = {"filter": {"event": {"name": ["naturalfinger.verdict.changed"]}}}
    deadline = time.monotonic() + 30
    while not (events := ask(operated, "events/filter", filters)["events"]) and time.monotonic() < deadline:
        time.sleep(0.5)
    (event,) = events
    assert event["resource"]["prefect.resource.id"] == f"naturalfinger.suspect.smoke.{THIEF}"
    assert event["payload"]["score"] == message["score"]


def test_dvc_keeps_what_was_issued_and_who_has_seen_it(operated, watched):
    """A checkout of everything, which takes out of the way what DVC does not see."""
    known = Ledger(operated.out / "issued").sets()
    assert set(known[-1].seen_by) == {THIEF, HONEST}
    assert json.loads(operated.run("dvc", "status", "--json", "out/smoke/issued.dvc").stdout) == {}
    operated.run("dvc", "checkout")
    assert Ledger(operated.out / "issued").sets() == known
    (operated.out / "issued" / "ledger.json").write_text("damaged")
    operated.run("dvc", "checkout", "--force")
    assert Ledger(operated.out / "issued").sets() == known


def test_the_next_set_retires_the_one_before_and_mlflow_compares_them_once_it_is_back(
    operated, issued, watched, services, tmp_path
):
    import mlflow  # here, as it takes seconds, in every process that shares the files

    first, second = refingerprint(operated)
    assert first.digest == issued.digest
    assert first.burnt_at == second.issued_at
    assert set(first.seen_by) == {THIEF, HONEST}
    assert second.status == "fresh"
    assert len(outbox(operated)) == 3

    port = services.free_port()
    url = f"http://127.0.0.1:{port}"
    stores = ("--backend-store-uri", f"sqlite:///{tmp_path}/mlflow.db", "--artifacts-destination", str(tmp_path / "a"))
    lean = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # ten processes that nothing here needs
    online = replace(operated, settings={**operated.settings, **lean, "MLFLOW_TRACKING_URI": url})
    place = ("--host", "127.0.0.1", "--port", str(port), "--workers", "1")
    server = services.start(online, "mlflow", "server", *place, *stores)
    services.wait_for(lambda: services.answers(f"{url}/health"), server)
    assert online.run("flows", "send").stdout.split() == ["3", "sent"]
    assert outbox(operated) == []
    client = mlflow.MlflowClient(url)
    (experiment,) = [each for each in client.search_experiments() if each.name != "Default"]
    found = {
        (run.data.tags["kind"], run.data.tags["query_set"]): run.data.metrics
        for run in client.search_runs([experiment.experiment_id])
    }
    old, new = (found["scheme", issued.digest]["aruc"] for issued in (first, second))
    assert found["refingerprint", second.digest]["change.aruc"] == pytest.approx(new - old)
    assert found["refingerprint", first.digest] == {}
