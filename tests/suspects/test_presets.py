"""Imitations of hosted services, in the shapes that their documentation publishes, around one and the same model."""

import base64
import hashlib
import io
import json
import threading
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from PIL import Image

from nf.cli.verify import verify
from nf.core.controls import Controls
from nf.core.errors import ConfigError, SuspectError, UnknownNameError
from nf.core.queries import QuerySet
from nf.suspects import Interface, examine, open_suspect
from nf.suspects.adapter import parse_adapter
from nf.suspects.aws import Aws, sign
from nf.suspects.presets import PRESETS

NAMES = ("zero", "Ein", "two", "three")
WEIGHTS = np.random.default_rng(0).normal(size=(36, 4))
POOL = np.random.default_rng(1).integers(0, 256, (400, 1, 6, 6), dtype=np.uint8)


def plain(images):
    """Probabilities (N, 4) of the model that all of them serve; of pixels (N, 1, 6, 6) in [0, 255]."""
    logits = (np.asarray(images, np.float64).reshape(len(images), -1) / 255 - 0.5) @ WEIGHTS * 3
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


LABELS = plain(POOL).argmax(axis=1)
_BY_CLASS = [np.flatnonzero(label == LABELS) for label in range(4)]
CONTROLS = np.stack([members[:8] for members in _BY_CLASS], axis=1).ravel()
QUERIES = np.setdiff1d(np.arange(400), CONTROLS)[:20]


@pytest.fixture
def queries():
    controls = Controls(POOL[CONTROLS], LABELS[CONTROLS].astype(np.int64), NAMES)
    card = {"scheme": "naturalfinger", "threshold": 0.6, "num_classes": 4}
    labels = LABELS[QUERIES].astype(np.int64)
    return QuerySet(POOL[QUERIES], labels, (labels + 1) % 4, card, controls=controls)


def from_file(data):
    return np.asarray(Image.open(io.BytesIO(data)))[None, None]


def from_unit(values):
    """Pixels from numbers in [0, 1]."""
    return np.asarray(values) * 255


def from_form(request):
    head = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode()
    (part,) = BytesParser().parsebytes(head + request.body).get_payload()
    assert part.get_param("name", header="content-disposition") == "image"
    return from_file(part.get_payload(decode=True))


def ranked(image, count=3):
    scores = plain(image)[0]
    return [(NAMES[place], float(scores[place])) for place in np.argsort(-scores)[:count]]


def as_json(request):
    assert request.headers["Content-Type"].startswith("application/json")
    return json.loads(request.body)


def tf_serving(request):
    (instance,) = as_json(request)["instances"]
    assert np.shape(instance) == (6, 6, 1)
    return {"predictions": plain([from_unit(instance)]).tolist()}


def kserve_v1(request):
    (instance,) = as_json(request)["instances"]
    assert np.shape(instance) == (1, 6, 6)
    return {"predictions": [int(plain([from_unit(instance)])[0].argmax())]}


def mlflow(request):
    (row,) = as_json(request)["inputs"]
    return {"predictions": plain([from_unit(row)]).tolist()}


def torchserve(request):
    return dict(ranked(from_file(request.body)))


def huggingface(request):
    assert request.headers["Content-Type"] == "image/png"
    return [{"label": name, "score": score} for name, score in ranked(from_file(request.body))]


def sagemaker(request):
    assert request.headers["Content-Type"] == "image/png"
    return plain(from_file(request.body))[0].tolist()


def bentoml(request):
    return int(plain(from_form(request))[0].argmax())


def vertex(request):
    (instance,) = as_json(request)["instances"]
    best = ranked(from_file(base64.b64decode(instance["content"])))
    ids, scores = [name for name, _ in best], [score for _, score in best]
    return {"predictions": [{"ids": ["7"] * 3, "displayNames": ids, "confidences": scores}], "deployedModelId": "1"}


def rekognition(request):
    assert request.headers["X-Amz-Target"] == "RekognitionService.DetectCustomLabels"
    assert request.headers["Content-Type"] == "application/x-amz-json-1.1"
    body = json.loads(request.body)
    best = ranked(from_file(base64.b64decode(body["Image"]["Bytes"])))
    return {"CustomLabels": [{"Name": name, "Confidence": 100 * score} for name, score in best]}


def roboflow(request):
    best = ranked(from_file(base64.b64decode(request.body)))
    return {"predictions": [{"class": name, "class_id": 9, "confidence": score} for name, score in best], "time": 0.1}


def azure(request):
    best = ranked(from_file(request.body))
    found = [{"probability": score, "tagId": "a1", "tagName": name} for name, score in best]
    return {"id": "x", "project": "y", "created": "2026-01-01", "predictions": found}


SERVICES = {
    "tf-serving": tf_serving,
    "kserve-v1": kserve_v1,
    "mlflow": mlflow,
    "torchserve": torchserve,
    "huggingface": huggingface,
    "sagemaker": sagemaker,
    "bentoml": bentoml,
    "vertex": vertex,
    "rekognition": rekognition,
    "roboflow": roboflow,
    "azure-custom-vision": azure,
}


@contextmanager
def serving(service, seen, refusal=503):
    """A server at an address; where ``service`` has no answer it sends the status ``refusal``."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # or each answer takes 40 ms

        def do_GET(self):
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_POST(self):
            self.body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append(self)
            answer = service(self)
            data = json.dumps(answer).encode()
            self.send_response(refusal if answer is None else 200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/path"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("stated", [Interface(), Interface(labels=NAMES)])
def test_every_preset_gives_the_labels_of_the_model(queries, preset, stated):
    seen = []
    with serving(SERVICES[preset], seen) as address:
        suspect = open_suspect(address, preset=preset, stated=stated)
        examined = examine(suspect, queries, stated)
        assert examined.answers.labels.tolist() == LABELS[QUERIES].tolist()
        assert suspect.asked.images == suspect.asked.requests == len(seen)


def test_a_server_that_is_busy_while_controls_are_asked_is_no_reason_to_ask_otherwise(queries, tmp_path):
    """The answers so far are kept, and the next run asks none of it twice."""
    served = iter(range(10**6))

    def busy_for_a_while(request):
        number = next(served)
        return None if 40 <= number < 50 else tf_serving(request)

    seen = []
    with serving(busy_for_a_while, seen) as address:

        def run():
            limits = {"first_wait": 0.01, "retries": 3}
            suspect = open_suspect(address, preset="tf-serving", manners=limits, journal=tmp_path)
            return suspect, examine(suspect, queries)

        for _ in range(2):
            with pytest.raises(
                SuspectError, match=r"got 503; [0-9]+ of [0-9]+ images asked; run again to go on|got 503"
            ):
                run()
        suspect, examined = run()
    assert examined.answers.labels.tolist() == LABELS[QUERIES].tolist()
    assert suspect.asked.remembered == 40
    assert len(seen) == suspect.asked.images + 10  # those that were refused


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("datatype", ["FP32", "UINT8"])
def test_a_server_that_describes_nothing_is_found_out(queries, layout, datatype):
    def infer(request):
        (tensor,) = as_json(request)["inputs"]
        image = np.reshape(tensor["data"], tensor["shape"])
        wanted = (1, 1, 6, 6) if layout == "nchw" else (1, 6, 6, 1)
        if tensor["datatype"] != datatype or image.shape != wanted:
            return None
        scores = plain(image if datatype == "UINT8" else from_unit(image))
        return {"outputs": [{"name": "y", "datatype": "FP32", "shape": [1, 4], "data": scores[0].tolist()}]}

    with serving(infer, [], refusal=400) as address:
        assert examine(open_suspect(address), queries).answers.labels.tolist() == LABELS[QUERIES].tolist()


def write(folder, **described):
    path = folder / "shop.yaml"
    path.write_text(yaml.safe_dump(described))
    return path


def test_an_adapter_file_describes_any_other(queries, tmp_path, monkeypatch):
    """Tokens go into headers, query, body and password; the image as JPEG into the middle of a text."""
    for name in ("HEADER", "QUERY", "BODY", "PASSWORD"):
        monkeypatch.setenv(f"SHOP_{name}", f"secret-{name.lower()}")
    (tmp_path / "names.txt").write_text("\n".join(NAMES))
    seen = []

    def service(request):
        body = as_json(request)
        assert body["key"] == "secret-body"
        kind, _, data = body["picture"].partition(";base64,")
        assert kind == "data:image/png"
        return {
            "result": {
                "guesses": [{"what": name, "sure": sure} for name, sure in ranked(from_file(base64.b64decode(data)))]
            }
        }

    with serving(service, seen) as address:
        path = write(
            tmp_path,
            address=address,
            headers={"X-Api-Key": "$SHOP_HEADER"},
            query={"key": "${SHOP_QUERY}", "price": "5$$"},
            basic={"user": "me", "password": "$SHOP_PASSWORD"},
            json={"key": "$SHOP_BODY", "picture": "data:image/png;base64,{base64}"},
            read="result.guesses",
            label="what",
            score="sure",
            labels="names.txt",
        )
        suspect = open_suspect(str(path))
        assert examine(suspect, queries).answers.labels.tolist() == LABELS[QUERIES].tolist()
        assert "secret" not in repr(suspect.__dict__)
    assert seen[0].headers["X-Api-Key"] == "secret-header"
    assert base64.b64decode(seen[0].headers["Authorization"].removeprefix("Basic ")) == b"me:secret-password"
    assert seen[0].path == "/path?key=secret-query&price=5%24"


@pytest.mark.parametrize("preset", ["sagemaker", "rekognition"])
def test_services_of_aws_get_signed_requests(queries, tmp_path, monkeypatch, preset):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush-hush")
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    aws, seen = Aws(preset, "eu-central-1"), []
    with serving(SERVICES[preset], seen) as address:
        described = {"address": address, "preset": preset, "labels": list(NAMES), "aws": vars(aws)}
        suspect = open_suspect(str(write(tmp_path, **described)))
        assert examine(suspect, queries).answers.labels.tolist() == LABELS[QUERIES].tolist()
        assert "hush" not in repr(suspect.__dict__)
    for request in seen[:3]:  # as the service checks it
        moment = datetime.strptime(request.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        wanted = sign(address, request.body, dict(request.headers), aws, moment)
        assert wanted["Authorization"] == request.headers["Authorization"]
        assert request.headers["Host"] == address.split("/")[2]


def test_the_command_takes_an_adapter_file(queries, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    queries.save(tmp_path / "queries")
    with serving(azure, []) as address:
        path = write(tmp_path, address=address, preset="azure-custom-vision", price=0.5, labels=list(NAMES))
        done = CliRunner().invoke(verify, [str(path), "--queries", str(tmp_path / "queries")], catch_exceptions=False)
    assert done.exit_code == 4, done.output  # the set has no calibration
    assert "matching rate  1.000" in done.output
    assert "requests for" in done.output
    assert "cost" in done.output
    assert list((tmp_path / "state/naturalfinger").iterdir()) == []


def test_evidence_names_the_address_of_an_adapter_file_and_no_secret(queries, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("SHOP_KEY", "hush-hush")
    queries.save(tmp_path / "queries")
    with serving(azure, []) as address:
        described = {"address": f"{address}?user=hush-too", "query": {"key": "$SHOP_KEY"}, "labels": list(NAMES)}
        path = write(tmp_path, preset="azure-custom-vision", **described)
        arguments = [str(path), "--queries", str(tmp_path / "queries"), "--report", str(tmp_path / "report")]
        done = CliRunner().invoke(verify, arguments, catch_exceptions=False)
    assert done.exit_code == 4, done.output
    evidence, page = ((tmp_path / "report" / name).read_text() for name in ("evidence.json", "index.html"))
    assert json.loads(evidence)["suspect"] == {
        "address": address,
        "file": "shop.yaml",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "bytes": path.stat().st_size,
    }
    assert address in page
    assert "hush" not in evidence + page


def test_the_command_needs_no_home(queries, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", "/proc/nowhere")
    queries.save(tmp_path / "queries")
    with serving(sagemaker, []) as address:
        arguments = [address, "--preset", "sagemaker", "--queries", str(tmp_path / "queries")]
        done = CliRunner().invoke(verify, arguments, catch_exceptions=False)
    assert done.exit_code == 4, done.output  # the set has no calibration


def test_an_empty_answer_is_none_of_the_classes(queries):
    def silent(request):
        told = rekognition(request)
        return told if told["CustomLabels"][0]["Name"] != "two" else {"CustomLabels": []}

    with serving(silent, []) as address:
        stated = Interface(labels=NAMES)
        answers = examine(open_suspect(address, preset="rekognition", stated=stated), queries, stated).answers
    wanted = np.where(LABELS[QUERIES] == 2, -1, LABELS[QUERIES])
    assert answers.labels.tolist() == wanted.tolist()


def numbered(image):
    """Numbers of classes and their scores, the best first."""
    return [(NAMES.index(name), score) for name, score in ranked(image)]


def _floats(best):
    return [(float(label), score) for label, score in best]


FORMS = {
    "a class alone": lambda best: {"prediction": best[0][0]},
    "a class beside others": lambda best: {"prediction": best[0][0], "model": "v1", "took": 3},
    "a numbered class": lambda best: {"class_id": best[0][0], "confidence": best[0][1]},
    "a predicted class": lambda best: {"predicted_class": str(best[0][0]), "confidence": best[0][1]},
    "number and name": lambda best: {"class": best[0][0], "name": NAMES[best[0][0]], "confidence": best[0][1]},
    "JSON in a text": lambda best: json.dumps({"label": str(best[0][0]), "score": best[0][1]}),
    "scores in a text": lambda best: json.dumps([dict(best).get(label, 0.0) for label in range(4)]),
    "names in order": lambda best: [NAMES[label] for label, _ in best],
    "numbers as text in order": lambda best: [str(label) for label, _ in best],
    "numbers in order": lambda best: [label for label, _ in best],
    "pairs": lambda best: [[str(label), score] for label, score in best],
    "pairs of numbers": lambda best: [[label, score] for label, score in best],
    "a float alone": lambda best: {"prediction": float(best[0][0])},
    "a float with a score": lambda best: {"class_id": float(best[0][0]), "confidence": best[0][1]},
    "floats in order": lambda best: [float(label) for label, _ in best],
    "pairs of floats": lambda best: [[float(label), score] for label, score in best],
    "floats beside scores": lambda best: {
        "class": [float(label) for label, _ in best],
        "score": [score for _, score in best],
    },
    "scores by float": lambda best: {str(label): score for label, score in _floats(best)},
    "a score in per cent": lambda best: {"label": str(best[0][0]), "confidence": f"{100 * best[0][1]:.1f} %"},
    "scores in per cent": lambda best: {str(label): f"{100 * score:.2f}%" for label, score in best},
    "scores as text": lambda best: [{"label": str(label), "score": f"{score:.4f}"} for label, score in best],
    "scores by number": lambda best: {"0": 0.0, "1": 0.0, "2": 0.0, "3": 0.0} | {str(k): v for k, v in best},
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("stated", [Interface(), Interface(labels=NAMES)])
def test_forms_of_answers_that_home_made_servers_give(queries, form, stated):
    named = "name" in form
    if stated.labels and not named:
        stated = Interface(offset=0)
    with serving(lambda request: FORMS[form](numbered(from_file(request.body))), []) as address:
        suspect = open_suspect(address, preset="huggingface", stated=stated)
        assert examine(suspect, queries, stated).answers.labels.tolist() == LABELS[QUERIES].tolist()


@pytest.mark.parametrize("answer", [[2.5, 0.9], [[2.5, 0.9], [1.5, 0.1]], {"class_id": 2.5, "confidence": 0.9}])
def test_a_fraction_is_no_class(queries, answer):
    with serving(lambda _: answer, []) as address, pytest.raises(SuspectError, match=r"say with `read:` in an adapter"):
        examine(open_suspect(address, preset="huggingface"), queries)


@pytest.mark.parametrize("form", [lambda p: [[p]], lambda p: [p], lambda p: p, lambda p: {"prediction": p}])
@pytest.mark.parametrize("label", [0, 1])
def test_one_number_is_the_probability_of_one_of_two_classes(queries, form, label):
    two = replace(queries.controls, labels=queries.controls.labels // 2, class_names=("few", "many"))
    asked = replace(queries, card={**queries.card, "num_classes": 2}, labels=queries.labels // 2, controls=two)

    def served(request):
        scores = plain(from_file(request.body))[0]
        return form(float(scores[2:].sum() if label else scores[:2].sum()))

    with serving(served, []) as address:
        examined = examine(open_suspect(address, preset="huggingface"), asked)
    halves = plain(POOL[QUERIES])
    assert examined.answers.labels.tolist() == (halves[:, 2:].sum(1) > 0.5).astype(int).tolist()
    assert (examined.found.how.kind, examined.found.how.classes) == ("probabilities", (label,))
    np.testing.assert_allclose(examined.answers.probabilities[:, 1], halves[:, 2:].sum(1), rtol=1e-5)


def test_minus_one_is_none_of_the_classes(queries):
    def unsure(request):
        label = int(plain(from_file(request.body))[0].argmax())
        return -1 if label == 2 else label

    with serving(unsure, []) as address:
        answers = examine(open_suspect(address, preset="huggingface"), queries).answers
    assert answers.labels.tolist() == np.where(LABELS[QUERIES] == 2, -1, LABELS[QUERIES]).tolist()


@pytest.mark.parametrize(
    ("preset", "answer", "message"),
    [
        (
            "roboflow",
            {"message": "Forbidden"},
            r"at 'predictions', got null; an answer begins {\"message\": \"Forbidden\"}",
        ),
        ("huggingface", {"result": 2}, r"same class, none of yours, .*; an answer begins {\"result\": 2}"),
        ("huggingface", [3, 0.9], r"same class, in the best of .*; an answer begins \[3, 0.9\]"),
        ("huggingface", {"label": "none"}, r"same class, none of yours, .*; an answer begins {\"label\": \"none\"}"),
        ("roboflow", {"predictions": []}, r"same class, none of yours, .*; an answer begins {\"predictions\": \[\]}"),
        ("huggingface", {"x": "hush/hush \x1b[2J" + "y" * 200}, r"got {\"x\": \"\*\*\* .*y; say"),
    ],
)
def test_an_answer_that_says_nothing_is_shown(queries, monkeypatch, preset, answer, message):
    monkeypatch.setenv("SHOP_TOKEN", "hush/hush")
    stated = Interface(labels=NAMES) if "none" in message else Interface()
    with serving(lambda _: answer, []) as address, pytest.raises(SuspectError, match=message) as caught:
        examine(open_suspect(address, preset=preset, stated=stated, token_from="SHOP_TOKEN"), queries, stated)
    assert "say with `read:` in an adapter file where the class stands" in str(caught.value)
    assert "hush" not in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"send": None}, "expected either send or json"),
        ({"json": {"x": "{base64}"}}, "expected either send or json"),
        ({"send": "gif"}, "send: expected png, jpeg, base64 or file:FIELD, got 'gif'"),
        ({"send": None, "json": {"x": 1}}, "json: expected a place for the image, one of {nchw}"),
        ({"read": "a["}, "read: expected a JMESPath, got 'a\\['"),
        ({"address": "ftp://host"}, "address: expected an address that begins with http"),
        ({"reed": "a"}, "unknown key 'reed'"),
        ({"headers": {"X": "$NF_NOT_SET"}}, "headers.X: expected a value in the environment variable NF_NOT_SET"),
        ({"ca": "nowhere.pem"}, "nowhere.pem: expected certificates to trust"),
        ({"labels": "nowhere.txt"}, "nowhere.txt: expected names of classes"),
        ({"labels": ["a"], "interface": {"labels": ["b"]}}, r"labels: expected these or interface\.labels, got both"),
        ({"form": {"a": "b"}}, "form: expected send: file:FIELD beside it"),
        ({"send": None, "json": {"x": "data:{nchw}"}}, "json: expected {nchw} as a value of its own, got it elsewhere"),
        ({"send": None, "json": {"x": ["{nhw}", " {nhw}"]}}, "json: expected {nhw} as a value of its own, got"),
        ({"send": None, "json": {"{nchw}": 1}}, "json: expected {nchw} as a value of its own, got it elsewhere"),
        ({"send": None, "json": {"{base64}": 1}}, "json: expected {base64} as a value, got it elsewhere"),
        ({"send": None, "json": ["{nchw}", "{nhwc}"]}, "json: expected one layout .*, got {nchw} and {nhwc}"),
        ({"send": None, "json": {"x": "{nchw}", "on": date(2026, 1, 1)}}, "json: expected what JSON can hold"),
        ({"headers": {"X-Key": "a", "x-key": "b"}}, "headers: expected each name once, whatever its case"),
        (
            {"headers": {"authorization": "a"}, "basic": {"user": "b", "password": "c"}},
            "expected one way in which the server knows the caller, got a header Authorization and basic",
        ),
        (
            {"send": None, "preset": "v2", "address": "http://127.0.0.1:9/v2/models/a?key=b"},
            r"address: expected that of a model beside preset v2, got one with '\?'",
        ),
        *(
            ({"send": None, "preset": "v2", key: value}, f"{key}: expected none beside preset v2, whose protocol")
            for key, value in {
                "query": {"key": "a"},
                "read": "a",
                "send": "png",
                "json": {"x": "{nchw}"},
                "form": {"a": "b"},
                "label": "a",
                "score": "a",
            }.items()
        ),
        ({"interface": {"layout": "nchw"}}, "nothing but size, .* for a server that takes pictures, got nchw"),
    ],
)
def test_adapter_files_that_say_nothing_usable(tmp_path, change, message):
    described = {"address": "http://127.0.0.1:9/", "send": "png", **change}
    path = write(tmp_path, **{key: value for key, value in described.items() if value is not None})
    with pytest.raises(ConfigError, match=message):
        open_suspect(str(path))


@pytest.mark.parametrize("said", [{"headers": {"authorization": "a"}}, {"basic": {"user": "a", "password": "b"}}])
def test_a_token_does_not_go_out_beside_what_the_file_says(tmp_path, monkeypatch, said):
    monkeypatch.setenv("SHOP_TOKEN", "hush")
    path = write(tmp_path, address="http://127.0.0.1:9/", send="png", **said)
    with pytest.raises(ConfigError, match=r"expected one way in which .* and a token"):
        open_suspect(str(path), token_from="SHOP_TOKEN")


def test_a_header_of_the_file_takes_the_place_of_the_presets_whatever_its_case():
    described = {"address": "http://127.0.0.1:9/", "preset": "roboflow", "headers": {"content-type": "text/plain"}}
    assert parse_adapter(described, "shop").headers == {"content-type": "text/plain"}


def test_a_preset_that_is_none_names_those_that_are(tmp_path):
    with pytest.raises(UnknownNameError, match=r"unknown preset 'azure': expected one of azure-custom-vision, bentoml"):
        open_suspect("http://127.0.0.1:9/", preset="azure")
    with pytest.raises(ConfigError, match=r"preset: expected an address that speaks so, got model\.onnx"):
        open_suspect("model.onnx", preset="mlflow")
    with pytest.raises(ConfigError, match=r"expected an address without '\?' and '#'") as caught:
        open_suspect("http://127.0.0.1:9/?key=secret", preset="roboflow")
    assert "secret" not in str(caught.value)
    with pytest.raises(ConfigError, match="expected an adapter file, cannot read it"):
        open_suspect(str(tmp_path / "nowhere.yaml"))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"other": 1}, "expected a class or scores at 'class', got null"),
        ({"class": True}, "expected a class or scores at 'class', got true"),
        ({"class": [["a", 1]]}, "expected a class or scores at 'class'"),
        ({"class": {"a": [1]}}, "expected a class or scores at 'class'"),
    ],
)
def test_answers_without_a_class(tmp_path, answer, message):
    with serving(lambda _: answer, []) as address:
        path = write(tmp_path, address=address, send="png", read="class")
        with pytest.raises(SuspectError, match=message):
            open_suspect(str(path), output="labels")(POOL[:2])
