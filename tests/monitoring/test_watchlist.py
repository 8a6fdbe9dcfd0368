import os
import subprocess
import sys

import pytest

from nf.core.errors import ConfigError
from nf.monitoring import load_watchlist, open_watched
from nf.suspects import HttpSuspect, ServedSuspect


@pytest.fixture
def write(tmp_path):
    def save(text):
        path = tmp_path / "watchlist.yaml"
        path.write_text(text)
        return path

    return save


def test_a_suspect_is_opened_isolated_and_relative_to_the_list(write, tmp_path):
    path = write("suspects: [{name: shop, onnx: files/shop.onnx, output: labels, timeout: 5}]")
    (suspect,) = load_watchlist(path).suspects
    opened = open_watched(suspect, tmp_path)
    assert (opened.path, opened.output, opened.timeout_seconds) == (tmp_path / "files/shop.onnx", "labels", 5.0)


def test_a_suspect_may_be_behind_an_address(write, tmp_path, monkeypatch):
    path = write("suspects: [{name: api, address: 'HTTPS://shop.example/v2/models/api', token_from: SHOP_TOKEN}]")
    (suspect,) = load_watchlist(path).suspects
    with pytest.raises(ConfigError, match="token: expected one in the environment variable SHOP_TOKEN, found none"):
        open_watched(suspect, tmp_path)
    monkeypatch.setenv("SHOP_TOKEN", "secret")
    assert isinstance(open_watched(suspect, tmp_path), HttpSuspect)


def test_a_server_of_another_form_has_a_preset_or_an_adapter_file(write, tmp_path, monkeypatch):
    monkeypatch.setenv("SHOP_KEY", "secret")
    (tmp_path / "shop.yaml").write_text("{address: 'https://shop.example/', send: png, headers: {X-Key: $SHOP_KEY}}")
    path = write(
        "suspects: [{name: a, address: 'https://shop.example/', preset: mlflow}, {name: b, adapter: shop.yaml}]"
    )
    for suspect in load_watchlist(path).suspects:
        assert isinstance(open_watched(suspect, tmp_path), ServedSuspect)
    monkeypatch.delenv("SHOP_KEY")
    with pytest.raises(ConfigError, match=r"headers.X-Key: expected a value in the environment variable SHOP_KEY"):
        open_watched(suspect, tmp_path)


def test_the_list_says_how_a_suspect_is_asked(write, tmp_path):
    (tmp_path / "names.txt").write_text("no\nyes\n")
    (tmp_path / "how.yaml").write_text("output_name: 1\nsize: 32\n")
    path = write(
        "suspects: [{name: shop, onnx: a, input: 'nhwc,imagenet', size: 224, labels: names.txt, interface: how.yaml}]"
    )
    (suspect,) = load_watchlist(path).suspects
    asked = open_watched(suspect, tmp_path).interface
    assert (asked.layout, asked.size, asked.labels, asked.output_name) == ("nhwc", (224, 224), ("no", "yes"), 1)


def test_what_the_project_ships_is_a_list_of_nobody(request):
    assert load_watchlist(request.config.rootpath / "watchlist.yaml").suspects == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("suspects: [{name: shop, file: a}]", r"suspects\[0\]: unknown key 'file', expected some of name"),
        ("suspects: [{name: shop}]", r"suspects\[0\]: shop: expected either onnx or address"),
        (
            "suspects: [{name: shop, onnx: a, address: 'http://localhost/v2/models/shop'}]",
            r"suspects\[0\]: shop: expected either onnx or address",
        ),
        (
            "suspects: [{name: shop, onnx: a, preset: mlflow}]",
            "shop: preset: expected an address that speaks so, got a",
        ),
        ("suspects: [{name: shop, adapter: a.json}]", r"shop: adapter: expected a YAML file, got 'a\.json'"),
        (
            "suspects: [{name: shop, address: 'ftp://localhost'}]",
            r"shop: address: expected an address that begins with http:// or https://",
        ),
        ("suspects: [{name: shop, onnx: a.csv}]", "onnx: expected a suspect that can be asked again, got a table"),
        ("suspects: [{name: shop, onnx: a.TSV}]", "onnx: expected a suspect that can be asked again, got a table"),
        ("suspects: [{name: shop, onnx: a.txt}]", "onnx: expected a suspect that can be asked again, got a table"),
        ("suspects: [{name: shop, onnx: a.yaml}]", r"onnx: expected a file of a model, got 'a\.yaml'; name it as ada"),
        ("suspects: [{name: shop, onnx: 'http://a/'}]", "onnx: expected a file of a model, got 'http://a/'; name it"),
        (
            "suspects: [{name: shop, onnx: a, timeout: .inf}]",
            "timeout: expected seconds .*, got inf",
        ),
        ("suspects: [{name: shop, onnx: a, token_from: T}]", "token_from: expected an address to send a token to"),
        ("suspects: [{name: shop, onnx: a, input: nhcw}]", "input: expected words such as nhwc, .*got 'nhcw'"),
        ("suspects: [{name: shop, onnx: a, size: big}]", "size: expected pixels as in 224 or 240x320, got 'big'"),
        ("suspects: [{name: ../shop, onnx: a}]", "name: expected small letters, digits and '.-_', got '../shop'"),
        ("suspects: [{name: shop, onnx: a, output: words}]", r"output: expected one of 'logits', .*, got 'words'"),
        (
            "suspects: [{name: shop, onnx: a, timeout: 0}]",
            "timeout: expected seconds above 0 and no more .*, got 0",
        ),
        ("suspects: [{name: a, onnx: x}, {name: a, onnx: y}]", "expected each name once, got a more than once"),
        ("suspects: {}", "suspects: expected a list"),
        ("[]", r"expected a mapping, got \[\]"),
        ("suspects: [", "is not YAML"),
    ],
)
def test_bad_lists(write, text, message):
    with pytest.raises(ConfigError, match=message):
        load_watchlist(write(text))


def test_no_list(tmp_path):
    with pytest.raises(ConfigError, match=r"expected a watch list at .*nowhere.yaml, found nothing"):
        load_watchlist(tmp_path / "nowhere.yaml")


def test_a_folder_is_no_list(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load_watchlist(tmp_path)


def test_a_list_is_utf8_whatever_the_locale(tmp_path):
    path = tmp_path / "watchlist.yaml"
    path.write_bytes("suspects:\n  - {name: one, onnx: modèle.onnx}\n".encode())
    code = (
        f"from pathlib import Path; from nf.monitoring import load_watchlist as l; print(ascii(l(Path({str(path)!r}))))"
    )
    told = subprocess.run(
        [sys.executable, "-X", "utf8=0", "-c", code],
        env={**os.environ, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "mod\\xe8le.onnx" in told.stdout, told.stderr
