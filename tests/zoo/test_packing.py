"""Pieces of a zoo: whole again after the journey, and nothing that is not a model gets out of one."""

import hashlib
import io
import json
import tarfile

import numpy as np
import pytest

from nf.core.errors import ArtifactError, ConfigError
from nf.zoo import pack_models, unpack_models

LIMIT = 2**17


def write_model(zoo, name, size, seed=0):
    """A model as the packer sees one: weights of random bytes and a card with their hash."""
    data = np.random.default_rng(seed).bytes(size)
    folder = zoo / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "weights.safetensors").write_bytes(data)
    (folder / "card.json").write_text(json.dumps({"id": name, "weights_sha256": hashlib.sha256(data).hexdigest()}))


def contents(zoo):
    return {str(path.relative_to(zoo)): path.read_bytes() for path in sorted(zoo.rglob("*")) if path.is_file()}


@pytest.fixture
def zoo(tmp_path):
    """Three models of which two share a piece, and one of three pieces."""
    for seed, (name, size) in enumerate({"a": 50_000, "b": 40_000, "c": 60_000, "long": 300_000}.items()):
        write_model(tmp_path / "zoo", name, size, seed)
    return tmp_path / "zoo"


def test_there_and_back(zoo, tmp_path):
    packed = pack_models(zoo, tmp_path / "pieces", piece_bytes=LIMIT)
    assert packed.models == 4
    assert max(path.stat().st_size for path in packed.pieces) <= LIMIT
    assert [path.name for path in packed.pieces] == [f"zoo-{i:04}.tar" for i in range(1, len(packed.pieces) + 1)]
    unpacked = unpack_models(tmp_path / "pieces", tmp_path / "back")
    assert (unpacked.written, unpacked.kept, unpacked.incomplete) == (4, 0, ())
    assert contents(tmp_path / "back") == contents(zoo)
    again = unpack_models(tmp_path / "pieces", tmp_path / "back")
    assert (again.written, again.kept) == (0, 4)


@pytest.mark.parametrize("limit", [2**16, 2**17, 2**20])
@pytest.mark.parametrize("size", [1, 511, 512, 40_000, 117_000, 118_000, 119_000, 300_000])
def test_no_piece_is_larger_than_allowed(tmp_path, size, limit):
    for index in range(4):
        write_model(tmp_path / "zoo", f"distill-inception_v3-source-{index}", size, index)
    packed = pack_models(tmp_path / "zoo", tmp_path / "pieces", piece_bytes=limit)
    assert max(path.stat().st_size for path in packed.pieces) <= limit
    unpack_models(tmp_path / "pieces", tmp_path / "back")
    assert contents(tmp_path / "back") == contents(tmp_path / "zoo")


def test_only_what_is_new_goes_into_new_pieces(zoo, tmp_path):
    pieces = tmp_path / "pieces"
    first = pack_models(zoo, pieces, piece_bytes=LIMIT)
    before = contents(pieces)
    assert pack_models(zoo, pieces, piece_bytes=LIMIT).pieces == ()
    write_model(zoo, "a", 50_000, seed=9)  # built again
    write_model(zoo, "new", 10_000)
    second = pack_models(zoo, pieces, piece_bytes=LIMIT)
    assert (second.models, len(second.pieces)) == (2, 1)
    assert second.pieces[0].name == f"zoo-{len(first.pieces) + 1:04}.tar"
    assert before.items() < contents(pieces).items()
    unpack_models(pieces, tmp_path / "back")
    assert contents(tmp_path / "back") == contents(zoo)


def test_some_pieces_give_their_models_and_say_what_is_missing(zoo, tmp_path):
    packed = pack_models(zoo, tmp_path / "pieces", piece_bytes=LIMIT)
    holder = next(path for path in packed.pieces if b"long/weights.safetensors.2-of-3" in path.read_bytes())
    kept = holder.read_bytes()
    holder.unlink()
    unpacked = unpack_models(tmp_path / "pieces", tmp_path / "back")
    assert unpacked.incomplete == ("long",)
    assert unpacked.written == 3
    assert not (tmp_path / "back" / "long").exists()
    holder.write_bytes(kept)
    assert unpack_models(tmp_path / "pieces", tmp_path / "back").written == 1
    assert contents(tmp_path / "back") == contents(zoo)


def test_a_cut_pack_with_other_sizes_of_pieces_does_no_harm(zoo, tmp_path):
    packed = pack_models(zoo, tmp_path / "pieces", piece_bytes=LIMIT)
    last = next(path for path in packed.pieces if b"long/card.json" in path.read_bytes())
    last.unlink()  # as if killed before it
    pack_models(zoo, tmp_path / "pieces", piece_bytes=2**16)
    assert unpack_models(tmp_path / "pieces", tmp_path / "back").incomplete == ()
    assert contents(tmp_path / "back") == contents(zoo)


def test_damaged_models_stay_at_home(zoo, tmp_path, caplog):
    (zoo / "b" / "weights.safetensors").write_bytes(b"damaged")
    (zoo / "c" / "weights.safetensors").unlink()
    assert pack_models(zoo, tmp_path / "pieces", piece_bytes=LIMIT).models == 2
    assert caplog.text.count("is missing or does not match the hash in its card") == 2


def test_a_damaged_copy_is_replaced(zoo, tmp_path):
    pack_models(zoo, tmp_path / "pieces", piece_bytes=LIMIT)
    unpack_models(tmp_path / "pieces", tmp_path / "back")
    (tmp_path / "back" / "a" / "weights.safetensors").write_bytes(b"damaged")
    assert unpack_models(tmp_path / "pieces", tmp_path / "back").written == 1
    assert contents(tmp_path / "back") == contents(zoo)


@pytest.mark.parametrize("place", [0.3, 0.6])
def test_one_wrong_bit_is_noticed(zoo, tmp_path, place):
    piece = pack_models(zoo, tmp_path / "pieces", piece_bytes=LIMIT).pieces[0]
    data = bytearray(piece.read_bytes())
    data[int(place * len(data))] ^= 1
    piece.write_bytes(data)
    with pytest.raises(ArtifactError, match=r"zoo-0001\.tar: its members do not match the hashes in its index"):
        unpack_models(tmp_path / "pieces", tmp_path / "back")
    assert contents(tmp_path / "back") == {}


def test_a_truncated_piece_is_noticed(zoo, tmp_path):
    piece = pack_models(zoo, tmp_path / "pieces", piece_bytes=LIMIT).pieces[0]
    piece.write_bytes(piece.read_bytes()[:30_000])
    with pytest.raises(ArtifactError, match=r"zoo-0001\.tar is not a piece of a zoo or is damaged"):
        unpack_models(tmp_path / "pieces", tmp_path / "back")


def hostile(folder, name, data=b"x", **attributes):
    """A piece with one more member, which its index lists like the others."""
    folder.mkdir()
    index = json.dumps({name: hashlib.sha256(data).hexdigest()}).encode()
    with tarfile.open(folder / "zoo-0001.tar", "w") as archive:
        for member_name, content in (("index.json", index), (name, data)):
            member = tarfile.TarInfo(member_name)
            member.size = len(content)
            if member_name == name:
                for key, value in attributes.items():
                    setattr(member, key, value)
            archive.addfile(member, io.BytesIO(content))


@pytest.mark.parametrize(
    "name",
    [
        "../card.json",
        "../../evil/card.json",
        "/tmp/evil/card.json",
        "a/../../card.json",
        "./card.json",
        "a/b/card.json",
        "a/run.py",
        "a/card.json\n",
        "card.json",
        "a\\..\\card.json",
    ],
)
def test_names_that_lead_elsewhere_are_refused(tmp_path, name):
    hostile(tmp_path / "pieces", name)
    before = contents(tmp_path)
    with pytest.raises(ArtifactError, match="expected cards and weights of models, got"):
        unpack_models(tmp_path / "pieces", tmp_path / "back")
    assert contents(tmp_path) == before


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tmp_path, kind):
    hostile(tmp_path / "pieces", "a/card.json", b"", type=kind, linkname="/etc/passwd")
    with pytest.raises(ArtifactError, match="expected cards and weights of models, got"):
        unpack_models(tmp_path / "pieces", tmp_path / "back")


def test_weights_of_another_card_are_refused(tmp_path):
    folder = tmp_path / "pieces"
    folder.mkdir()
    files = {"a/weights.safetensors": b"weights", "a/card.json": b'{"weights_sha256": "0"}'}
    index = json.dumps({name: hashlib.sha256(data).hexdigest() for name, data in files.items()}).encode()
    with tarfile.open(folder / "zoo-0001.tar", "w") as archive:
        for name, data in ({"index.json": index} | files).items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    with pytest.raises(ArtifactError, match="the weights of a do not match the hash in their card"):
        unpack_models(folder, tmp_path / "back")


def test_nothing_to_unpack_and_pieces_too_small(tmp_path):
    with pytest.raises(ArtifactError, match=r"expected pieces named zoo-0001\.tar and so on in .*, found none"):
        unpack_models(tmp_path / "nowhere", tmp_path / "back")
    with pytest.raises(ConfigError, match="piece_bytes: expected at least 65536, got 1000"):
        pack_models(tmp_path, tmp_path / "pieces", piece_bytes=1000)
