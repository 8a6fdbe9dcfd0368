"""The ``nf`` command as a person types it."""

import json
import shutil
import subprocess
import sys

import onnx
import pytest

from nf.cli import main
from nf.core.files import read_csv, read_json, write_sealed


@pytest.fixture
def typed(reproduced, monkeypatch, capfd):
    """Run ``nf`` with arguments in the clone's folder, in this process, which has imported what a new one must.

    What libraries and processes that it starts write counts as its output, too.
    """

    def run(*arguments):
        monkeypatch.chdir(reproduced.root)
        monkeypatch.setattr(sys, "argv", ["nf", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        return subprocess.CompletedProcess(arguments, ended.value.code, *capfd.readouterr())

    return run


@pytest.fixture
def queries(reproduced):
    return reproduced.out / "fingerprints" / "naturalfinger"


def test_a_thief_and_an_honest_model(reproduced, typed, queries):
    suspect = reproduced.out / "onnx" / "distill-vgg13_bn-source-t1.onnx"
    thief = reproduced.run("nf", "verify", str(suspect), "--queries", str(queries), check=False)
    assert thief.returncode == 1
    assert thief.stdout.startswith("verdict        STOLEN\n")
    assert "(level 20 %): no independent model scores so high" in thief.stdout
    assert "independent models accused:" in thief.stdout
    assert "controls       " in thief.stdout
    honest = typed("verify", reproduced.out / "onnx" / "scratch-resnet18-t1.onnx", "--queries", queries)
    assert honest.returncode == 0
    assert honest.stdout.startswith("verdict        NOT SHOWN\n")


def test_evidence_as_json(reproduced, typed, queries):
    suspect = reproduced.out / "onnx" / "source.onnx"
    evidence = json.loads(typed("verify", suspect, "--queries", queries, "--json").stdout)
    assert evidence["scheme"] == "naturalfinger"
    assert evidence["query_set_digest"] == json.loads((queries / "card.json").read_text())["digest"]
    assert evidence["suspect"]["bytes"] == suspect.stat().st_size
    assert 0 <= evidence["score"] <= 1


def one_line(result):
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1
    return lines[0]


def test_bad_suspects_give_one_line(reproduced, typed, queries, tmp_path):
    assert "nowhere.onnx" in one_line(typed("verify", tmp_path / "nowhere.onnx", "--queries", queries))
    junk = tmp_path / "junk.onnx"
    junk.write_bytes(b"<html>")
    assert "junk.onnx" in one_line(typed("verify", junk, "--queries", queries))
    truncated = tmp_path / "truncated.onnx"
    truncated.write_bytes((reproduced.out / "onnx" / "source.onnx").read_bytes()[:5000])
    assert "truncated.onnx" in one_line(typed("verify", truncated, "--queries", queries))


def test_a_suspect_for_other_images_or_classes(typed, queries, tmp_path):
    def network(channels, classes):
        weights = onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, (channels, classes), [0.5] * channels * classes)
        nodes = [
            onnx.helper.make_node("GlobalAveragePool", ["x"], ["p"]),
            onnx.helper.make_node("Flatten", ["p"], ["f"]),
            onnx.helper.make_node("MatMul", ["f", "w"], ["y"]),
        ]
        values = [
            onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", channels, 16, 16]),
            onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["n", classes]),
        ]
        graph = onnx.helper.make_graph(nodes, "g", values[:1], values[1:], [weights])
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10)
        path = tmp_path / f"{channels}-{classes}.onnx"
        onnx.save(model, path)
        return path

    line = one_line(typed("verify", network(1, 7), "--queries", queries))
    assert "10 classes, as the source model has, got 'y' of float32 and shape (N, 7)" in line
    for channels in (1, 3):
        constant = typed("verify", network(channels, 10), "--queries", queries)
        assert constant.returncode == 3
        assert "verdict        NO VERDICT" in constant.stdout
        assert "it gives every control image the same class" in constant.stdout


def test_bad_query_sets_give_one_line(reproduced, typed, queries, tmp_path):
    suspect = reproduced.out / "onnx" / "source.onnx"
    assert "expected the folder of a query set" in one_line(typed("verify", suspect, "--queries", tmp_path))
    damaged = tmp_path / "damaged"
    shutil.copytree(queries, damaged)
    (damaged / "queries.safetensors").write_bytes(b"junk")
    assert "is damaged" in one_line(typed("verify", suspect, "--queries", damaged))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("variant", "magic-0"), "unknown variant of profile 'smoke' 'magic': expected one of contragan, corrected"),
        (("variant", "twins"), "variant: expected <name>-<seed>, such as twins-0, got 'twins'"),
        (("fingerprint", "magic"), "'magic': expected one of akh"),
        (
            ("zoo", "--profile", "mnist"),
            "unknown profile 'mnist': expected one of "
            "cifar10, cifar10-brief, cifar10-narrow, cifar10-small, digits, gpu-smoke,",
        ),
        (("zoo", "--params", "nowhere.yaml"), "expected the settings at nowhere.yaml, found nothing"),
        (("zoo", "--out", "elsewhere"), "found nothing; run `nf prepare`"),
    ],
)
def test_unknown_names_and_missing_files_give_one_line(typed, arguments, message):
    assert message in one_line(typed(*arguments))


def test_an_unknown_name_gives_one_line_and_no_more_as_the_process_ends(reproduced):
    result = reproduced.run("nf", "gan", "biggan", check=False)
    assert "'biggan': expected one of contragan, icrgan, logan, reacgan, sagan, wgan_gp" in one_line(result)


def test_bench_prints_a_table_and_keeps_query_sets(reproduced, typed, tmp_path):
    """MetaV's verifier needs the answers' probabilities, AKH's matching rate labels only."""
    out = tmp_path / "out"
    shutil.copytree(reproduced.out, out / "smoke")

    def bench():
        lines = typed("bench", "akh", "metav", "naturalfinger", "--out", out).stdout.splitlines()
        assert lines[0].split()[:3] == ["scheme", "ARUC", "AUC"]
        assert sorted(line.split()[0] for line in lines[1:]) == ["akh", "metav", "naturalfinger"]
        return {path.parent.name: path.stat().st_mtime_ns for path in out.glob("smoke/fingerprints/*/card.json")}

    made = (out / "smoke" / "fingerprints" / "naturalfinger" / "card.json").stat().st_mtime_ns
    first = bench()
    assert first["naturalfinger"] == made
    card = out / "smoke" / "fingerprints" / "akh" / "card.json"
    write_sealed(card, json.loads(card.read_text().replace('"cutmix_rounds": 50', '"cutmix_rounds": 49')))
    card = out / "smoke" / "fingerprints" / "metav" / "card.json"
    made_of = read_json(card)
    made_of["data_hash"]["test"] = "other images"
    write_sealed(card, made_of)
    again = bench()
    assert {name for name in first if first[name] != again[name]} == {"akh", "metav"}
    budget = read_csv(out / "smoke" / "plots" / "metav" / "budget.csv", {"queries": int}, advice="")
    assert [row["queries"] for row in budget] == list(range(1, 11))
    suspect, queries = reproduced.out / "onnx" / "source.onnx", out / "smoke" / "fingerprints" / "metav"
    assert "\nverifier       " in typed("verify", suspect, "--queries", queries).stdout


@pytest.mark.parametrize(
    ("what", "count", "one"),
    [
        ("architectures", 15, "vgg19_bn"),
        ("attacks", 7, "knockoff"),
        ("gans", 6, "logan"),
        ("schemes", 6, "metafinger"),
    ],
)
def test_lists(typed, what, count, one):
    result = typed("list", what)
    assert result.returncode == 0
    assert_listed(result.stdout, count, one)


def test_lists_models(typed):
    assert_listed(typed("list", "models").stdout, 48, "source")


def assert_listed(output, count, one):
    lines = output.splitlines()
    assert len(lines) == count
    assert any(line.split()[0] == one for line in lines)


def test_help_names_every_command(reproduced):
    text = reproduced.run("nf", "--help").stdout
    for command in ("zoo", "gan", "fingerprint", "score", "evaluate", "report", "bench", "list"):
        assert f"  {command} " in text
