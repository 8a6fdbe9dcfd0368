"""The deployments on a real Prefect server and worker: what is due is done, verdicts told, query sets retired."""

import json
import shutil
import stat
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psutil
import pytest
import yaml

from nf.core.files import read_json
from nf.monitoring import Ledger, read_history
from nf.verdict.levels import EVEN

SERVED = "served"
TOKEN, BEARER, PATH = "token-of-the-suspect-0f1e2d", "bearer-of-the-webhook-3c4b5a", "path-of-the-webhook-697887"
THIEF, HONEST = "distill-vgg13_bn-source-t1", "scratch-resnet18-t1"
POLL_SECONDS = "1"


@dataclass(frozen=True)
class Inboxed:
    """A server's ``url``, what was ``posted`` to it, tokens that it ``heard``, and how processes were ``called``."""

    url: str
    posted: list
    heard: list
    called: set


@pytest.fixture(scope="module")
def webhook():
    """URL of a server, and the list of what was posted to it: bearer and message.

    Whoever gets anything from it is told so with the token repeated; it also looks at what all processes are called.
    """
    posted, heard, called = [], [], set()

    class Inbox(BaseHTTPRequestHandler):
        def do_GET(self):
            heard.append(self.headers["Authorization"])
            called.update(" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"]))
            self.send_response(403)
            self.end_headers()
            self.wfile.write(json.dumps({"error": f"not with {self.headers['Authorization']}"}).encode())

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posted.append((self.headers["Authorization"], json.loads(body)))
            called.update(" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Inbox) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Inboxed(f"http://127.0.0.1:{server.server_port}", posted, heard, called)
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def operated(reproduced, services, webhook, tmp_path_factory):
    """A project under a Prefect server and worker, with two suspects to watch; its MLflow server is away."""
    root = tmp_path_factory.mktemp("operated") / "project"
    shutil.copytree(reproduced.root, root, ignore=shutil.ignore_patterns(".mlflow"))
    # Seeds of issued sets cannot be chosen without a trace. Against seven honest models the thief's p-value is 0.001 to
    # 0.06 by the seed, twice that for a list of two: at the profile's level, one run in dozens would not accuse it.
    type(reproduced)(root).edit(lambda profile: profile["levels"].update(independent=EVEN - 0.01))
    suspects = [{"name": name, "onnx": f"out/smoke/onnx/{name}.onnx", "output": "logits"} for name in (THIEF, HONEST)]
    suspects.append({"name": SERVED, "address": f"{webhook.url}/v2/models/shop", "token_from": "NF_SUSPECT_TOKEN"})
    (root / "watchlist.yaml").write_text(yaml.safe_dump({"suspects": suspects}))
    clone = services.start_prefect(
        type(reproduced)(root),
        PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS=POLL_SECONDS,
        PREFECT_WORKER_QUERY_SECONDS=POLL_SECONDS,
        MLFLOW_TRACKING_URI=f"http://127.0.0.1:{services.free_port()}",
        MLFLOW_HTTP_REQUEST_MAX_RETRIES="0",
        NF_WEBHOOK_URL=f"{webhook.url}/{PATH}",
        NF_WEBHOOK_TOKEN=BEARER,
        NF_SUSPECT_TOKEN=TOKEN,
    )
    clone.run("flows", "deploy", "--pool", "test")
    services.start(clone, "prefect", "worker", "start", "--pool", "test", "--type", "process")
    return clone


def ask(clone, path, body=None):
    """What the Prefect server answers."""
    data = None if body is None else json.dumps(body).encode()
    url = f"{clone.settings['PREFECT_API_URL']}/{path}"
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    patience = 10
    while True:
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:  # its database is locked for a moment, and Prefect's clients ask again
            patience -= 1
            if error.code != 503 or patience == 0:
                raise
            time.sleep(1)


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
    # Prefect begins a moment early, a busy machine late; the next run is due in an hour.
    assert timedelta(seconds=-10) <= late < timedelta(minutes=3)


def test_verdicts_are_kept_drawn_and_told(operated, issued, watched, webhook):
    watch = operated.out / "watch"
    verdicts = {
        name: [observation.outcome for observation in read_history(watch / f"{name}.jsonl")] for name in (THIEF, HONEST)
    }
    assert verdicts[HONEST] == ["not shown"]
    assert verdicts[THIEF][0] != "not shown"
    assert THIEF in (watch / "index.html").read_text()
    ((bearer, message),) = webhook.posted
    assert bearer == f"Bearer {BEARER}"
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


def test_tokens_and_seeds_stand_in_no_record_log_or_process_list(operated, issued, watched, webhook, services):
    """While they are in use, and after. The seed is where the queries are, in the ledger and the set's own card."""
    assert webhook.heard[0] == f"Bearer {TOKEN}"
    assert any("prefect" in name for name in webhook.called)
    assert not [name for name in webhook.called if TOKEN in name or BEARER in name or PATH in name]
    assert "***" in read_history(operated.out / "watch" / f"{SERVED}.jsonl")[0].error
    code = {*operated.git("ls-files").splitlines()}  # this file, too, names what it looks for
    kept = {
        path: path.read_bytes()
        for path in operated.root.rglob("*")
        if path.is_file() and ".git/" not in str(path) and str(path.relative_to(operated.root)) not in code
    }
    logs = {f"log {each.args}": services.log(each).encode() for each in services.processes}
    database = [path for path in kept if path.name.startswith("prefect.db")]
    assert any(THIEF.encode() in kept[path] for path in database)  # it can be found there
    for secret in (TOKEN, BEARER, PATH):
        assert [place for place, data in {**kept, **logs}.items() if secret.encode() in data] == []
    seed = str(issued.seed).encode()
    holding = [path for path, data in kept.items() if seed in data]
    assert {path.name for path in holding if ".dvc" not in path.parts} == {"ledger.json", "card.json"}
    assert [place for place, data in logs.items() if seed in data] == []


def test_nobody_else_reads_query_sets_wherever_they_lie(operated, watched):
    """Under a umask that lets everybody read; a folder that is closed keeps what DVC and MLflow write in it."""
    closed = ["out", ".dvc/cache", ".prefect", ".mlflow"]
    assert {name: oct(stat.S_IMODE((operated.root / name).stat().st_mode)) for name in closed} == dict.fromkeys(
        closed, "0o700"
    )
    sets = [*operated.root.rglob("queries.safetensors"), *operated.root.rglob("ledger.json")]
    places = {path.relative_to(operated.root).parts[0] for path in sets}
    assert places == {"out", ".mlflow"}
    assert [path for path in sets if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


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
