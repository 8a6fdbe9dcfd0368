"""What is stated of a suspect holds for it, whatever kind it is, or is refused: the evidence says how it was asked."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from nf.cli.asking import open_suspects
from nf.cli.verify import verify
from nf.core.errors import ConfigError, SuspectError
from nf.core.interface import Interface
from nf.core.queries import QuerySet
from nf.monitoring import load_watchlist, open_watched
from nf.suspects import IsolatedSuspect, Searchable, open_suspect
from tests.suspects.test_hostile_servers import serving, silent
from tests.suspects.test_presets import NAMES, POOL, write

HERE = "http://127.0.0.1:9/v2/models/shop"


def _silent(address: str, folder: Path, kind: str, **said: float) -> tuple[str, dict[str, Any]]:
    """Place and options of a suspect at ``address``."""
    if kind == "adapter":
        return str(write(folder, address=address, send="png", **said)), {}
    return address, {"preset": None if kind == "address" else "tf-serving"}


@pytest.mark.parametrize("kind", ["address", "preset", "adapter"])
def test_a_limit_of_time_holds_for_every_server(tmp_path: Path, kind: str) -> None:
    with serving(silent) as (address, _):
        place, options = _silent(address, tmp_path, kind)
        with pytest.raises(SuspectError, match=r"expected an answer within 0\.2 s"):
            open_suspect(place, output="labels", timeout_seconds=0.2, **options)(POOL[:1])


def test_an_adapters_own_limit_holds_where_none_is_given(tmp_path: Path) -> None:
    with serving(silent) as (address, _):
        place, _options = _silent(address, tmp_path, "adapter", timeout=0.3)
        with pytest.raises(SuspectError, match=r"expected an answer within 0\.3 s"):
            open_suspect(place, output="labels")(POOL[:1])
        with pytest.raises(SuspectError, match=r"expected an answer within 0\.2 s"):
            open_suspect(place, output="labels", timeout_seconds=0.2)(POOL[:1])


@pytest.mark.parametrize(
    ("entry", "seconds"),
    [
        ("{name: shop, address: 'ADDRESS', timeout: 0.2, output: labels}", "0.2"),
        ("{name: shop, address: 'ADDRESS', preset: mlflow, timeout: 0.2, output: labels}", "0.2"),
        ("{name: shop, adapter: shop.yaml, timeout: 0.2, output: labels}", "0.2"),
        ("{name: shop, adapter: shop.yaml, output: labels}", "0.3"),
    ],
)
def test_a_watch_list_limits_time(tmp_path: Path, entry: str, seconds: str) -> None:
    with serving(silent) as (address, _):
        _silent(address, tmp_path, "adapter", timeout=0.3)
        (tmp_path / "watchlist.yaml").write_text(f"suspects: [{entry.replace('ADDRESS', address)}]")
        (watched,) = load_watchlist(tmp_path / "watchlist.yaml").suspects
        with pytest.raises(SuspectError, match=f"expected an answer within {seconds} s"):
            open_watched(watched, tmp_path)(POOL[:1])  # type: ignore[operator]


def test_a_file_has_a_minute_where_nobody_says() -> None:
    suspects = [open_suspect("shop.onnx", timeout_seconds=seconds) for seconds in (None, 5)]
    assert [suspect.timeout_seconds for suspect in suspects if isinstance(suspect, IsolatedSuspect)] == [60, 5]


def test_there_is_one_way_to_limit_time() -> None:
    with pytest.raises(TypeError, match="multiple values for keyword argument 'timeout'"):
        open_suspect(HERE, manners={"timeout": 5})


@pytest.mark.parametrize(
    ("place", "preset", "stated", "message"),
    [
        ("answers.csv", None, Interface(layout="nchw"), "kind, labels, .* for a table of answers, got nchw"),
        ("answers.csv", None, Interface(size=(8, 8)), "for a table of answers, got 8x8"),
        (HERE, None, Interface(fill=0), "for a server of the Open Inference Protocol, got fill=0"),
        (HERE, "tf-serving", Interface(layout="nchw"), "layout nhwc for a server that takes numbers in .*, got nchw"),
        (HERE, "tf-serving", Interface(output_name="y"), "for a server that takes numbers in .*, got output_name=y"),
        (HERE, "huggingface", Interface(range=(0, 1)), "for a server that takes pictures, got range=0/1"),
        ("shop.yaml", None, Interface(dtype="uint8"), "for a server that takes pictures, got uint8"),
    ],
)
def test_what_a_suspect_would_not_heed_is_refused(
    tmp_path: Path, place: str, preset: str | None, stated: Interface, message: str
) -> None:
    write(tmp_path, address=HERE, send="png")
    where = place if preset or place == HERE else str(tmp_path / place)
    with pytest.raises(ConfigError, match=f"^input: expected nothing but .*{message}$"):
        open_suspect(where, preset=preset, stated=stated)


@pytest.mark.parametrize(
    ("place", "preset", "stated"),
    [
        ("shop.onnx", None, Interface(layout="nhwc", fill=0, output_name="y", size=(8, 8), mean=(0.5,))),
        ("answers.csv", None, Interface(kind="labels", offset=1)),
        (HERE, None, Interface(layout="nhwc", batch=False, range=(0, 1), input_name="x", output_name="y")),
        (HERE, "tf-serving", Interface(layout="nhwc", range=(0, 1), size=(8, 8), labels=NAMES)),
        (HERE, "huggingface", Interface(size=(8, 8), crop=0.875, channels="rgb", kind="top-k")),
    ],
)
def test_what_it_heeds_is_not(place: str, preset: str | None, stated: Interface) -> None:
    suspect = open_suspect(place, preset=preset, stated=stated)
    assert isinstance(suspect, Searchable)
    assert suspect.interface == stated


@pytest.mark.parametrize("options", [{"manners": {"rate": 2.0}}, {"manners": {"price": 0.1}}, {"journal": Path("j")}])
@pytest.mark.parametrize("place", ["shop.onnx", "answers.csv"])
def test_what_is_for_servers_is_refused_for_files(place: str, options: dict[str, Any]) -> None:
    (name,) = options.get("manners", options)
    with pytest.raises(ConfigError, match=f"^{name}: expected an address that is asked so, got {place}$"):
        open_suspect(place, **options)


def _opened(places: list[str], stated: Interface, **options: Any) -> list[Any]:
    given = {"timeout": None, "journal": None, **options}
    return list(open_suspects(places, stated=stated, **given).values())


def test_of_several_suspects_each_takes_what_it_heeds(tmp_path: Path) -> None:
    stated = Interface(layout="nhwc", range=(0, 1), kind="labels")
    path = write(tmp_path, address=HERE, send="png")
    places = ["shop.onnx", "answers.csv", HERE, str(path)]
    file, table, server, pictures = _opened(places, stated, manners={"rate": 2.0}, journal=tmp_path)
    assert file.interface == server.interface == stated
    assert table.interface == pictures.interface == Interface(kind="labels")


@pytest.mark.parametrize(
    ("stated", "options", "message"),
    [
        (Interface(layout="nhwc", kind="labels"), {}, "input: expected what one of the suspects heeds, got nhwc"),
        (Interface(), {"manners": {"rate": 2.0}}, "rate: expected an address that is asked so, got 2 files"),
        (Interface(), {"journal": Path("j")}, "journal: expected an address that is asked so, got 2 files"),
    ],
)
def test_what_none_of_several_heeds_is_refused(stated: Interface, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        _opened(["a.csv", "b.csv"], stated, **options)


def test_the_command_refuses_in_one_line(calibrated: QuerySet, table: Callable[[int], Path], tmp_path: Path) -> None:
    calibrated.save(tmp_path / "queries")
    asked = [str(table(20)), "--queries", str(tmp_path / "queries"), "--input", "nchw"]
    with pytest.raises(ConfigError, match="for a table of answers, got nchw"):
        CliRunner().invoke(verify, asked, catch_exceptions=False)
