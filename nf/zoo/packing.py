"""Parts of a zoo in pieces of a bounded size, for carrying between machines.

A piece is a tar file: ``index.json`` with the SHA-256 of every other member, then for each model its
``<id>/weights.safetensors`` and ``<id>/card.json``. Weights that fit into no piece are cut, one part a piece:
``<id>/weights.safetensors.2-of-3``. Pieces are read member by member and never extracted to where their names point.
"""

import io
import json
import logging
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nf.core.errors import ArtifactError, ConfigError
from nf.core.files import canonical_json, sha256_bytes, take_away, write_bytes
from nf.core.paths import CARD_FILE, WEIGHTS_FILE

PIECE_BYTES = 16 * 2**20
_SMALLEST_PIECE = 64 * 2**10
_INDEX_FILE = "index.json"
_BLOCK = tarfile.BLOCKSIZE
# The header of the index and the end of the archive; and what a member adds: its header and its line in the index.
_FRAME, _MEMBER_FRAME = _BLOCK + tarfile.RECORDSIZE, 2 * _BLOCK
_PIECE_NAME = re.compile(r"zoo-(\d{4,})\.tar")
_MEMBER_NAME = re.compile(
    rf"(?P<id>[A-Za-z0-9_][A-Za-z0-9_.-]*)/"
    rf"(?:(?P<card>{re.escape(CARD_FILE)})|{re.escape(WEIGHTS_FILE)}(?:\.(?P<part>\d+)-of-(?P<parts>\d+))?)"
)

_logger = logging.getLogger(__name__)

Members = dict[str, bytes]
"""Content of the members of a tar file, by their names."""


@dataclass(frozen=True)
class Packed:
    """What ``pack_models`` wrote.

    Attributes:
        models: number of models in the new pieces.
        pieces: paths of the new pieces.
    """

    models: int
    pieces: tuple[Path, ...]


@dataclass(frozen=True)
class Unpacked:
    """What ``unpack_models`` wrote.

    Attributes:
        written: number of models that were written.
        kept: number of models that the zoo had already.
        incomplete: ids of models of which parts are missing.
    """

    written: int
    kept: int
    incomplete: tuple[str, ...]


def pack_models(zoo: Path, folder: Path, *, piece_bytes: int = PIECE_BYTES) -> Packed:
    """Write the finished models of ``zoo`` into new pieces in ``folder``; what its pieces hold already is left out.

    Damaged models are logged and left out too.

    Args:
        zoo: folder of the built models.
        folder: folder of the pieces; made if missing.
        piece_bytes: largest size of a piece in bytes.

    Raises:
        ConfigError: ``piece_bytes`` is under 64 KiB.
        ArtifactError: there is no finished model, a piece that is there is damaged, or the disk is full.
    """
    if piece_bytes < _SMALLEST_PIECE:
        raise ConfigError(f"piece_bytes: expected at least {_SMALLEST_PIECE}, got {piece_bytes}")
    there, last = _held(folder), max((_number(path) for path in _pieces(folder)), default=0)
    models = 0
    paths: list[Path] = []
    gathered: Members = {}
    cards = sorted(zoo.glob(f"*/{CARD_FILE}"))
    if not cards:
        raise ArtifactError(f"expected finished models in {zoo}, found none; build them with `nf zoo`")
    for card in cards:
        whole = _read_model(card.parent)
        if whole is None or there.get(card.parent.name) == sha256_bytes(whole[CARD_FILE]):
            continue
        models += 1
        for members in _portions(card.parent.name, whole, piece_bytes):
            if gathered and _size({**gathered, **members}) > piece_bytes:
                paths.append(_write_piece(folder, last + len(paths) + 1, gathered))
                gathered = {}
            gathered |= members
    if gathered:
        paths.append(_write_piece(folder, last + len(paths) + 1, gathered))
    return Packed(models, tuple(paths))


def unpack_models(folder: Path, zoo: Path) -> Unpacked:
    """Write the models in the pieces of ``folder`` to ``zoo``; of several versions of one, the last piece's stays.

    Raises:
        ArtifactError: there are no pieces, or one is damaged, holds something else, or its weights do not match their
            card. Models of the pieces before it are written.
    """
    pieces = _pieces(folder)
    if not pieces:
        raise ArtifactError(f"expected pieces named zoo-0001.tar and so on in {folder}, found none")
    written: set[str] = set()
    kept: set[str] = set()
    pending: dict[str, Members] = {}
    for piece in pieces:
        for name, data in _read_piece(piece).items():
            model_id, _, file = name.partition("/")
            pending.setdefault(model_id, {})[file] = data
        for model_id in [key for key, files in pending.items() if CARD_FILE in files]:
            weights = _joined(pending[model_id])
            if weights is None:
                continue
            card = pending.pop(model_id)[CARD_FILE]
            if sha256_bytes(weights) != _weights_hash(card):
                raise ArtifactError(f"{piece}: the weights of {model_id} do not match the hash in their card")
            (written if _install(zoo / model_id, card, weights) else kept).add(model_id)
    return Unpacked(len(written), len(kept - written), tuple(sorted(pending)))


def _install(folder: Path, card: bytes, weights: bytes) -> bool:
    """Write a model, its card last; ``False`` if it was there already."""
    old = _read_model(folder)
    if old is not None and old[CARD_FILE] == card:
        return False
    take_away(folder / CARD_FILE)
    write_bytes(folder / WEIGHTS_FILE, weights)
    write_bytes(folder / CARD_FILE, card)
    return True


def _read_model(folder: Path) -> Members | None:
    """Card and weights as they are on disk; ``None``, with a warning, where they do not belong together."""
    if not (folder / CARD_FILE).exists():
        return None
    card, path = (folder / CARD_FILE).read_bytes(), folder / WEIGHTS_FILE
    weights = path.read_bytes() if path.exists() else b""
    if sha256_bytes(weights) != _weights_hash(card):
        _logger.warning("%s is missing or does not match the hash in its card", path)
        return None
    return {WEIGHTS_FILE: weights, CARD_FILE: card}


def _weights_hash(card: bytes) -> str | None:
    try:
        value = json.loads(card)
    except ValueError:
        return None
    return value.get("weights_sha256") if isinstance(value, dict) else None


def _portions(model_id: str, files: Members, piece_bytes: int) -> Iterator[Members]:
    """The model in one portion; one that exceeds a piece in a portion for each part of its weights, its card last."""
    card, weights = {f"{model_id}/{CARD_FILE}": files[CARD_FILE]}, files[WEIGHTS_FILE]
    name = f"{model_id}/{WEIGHTS_FILE}"
    whole = {name: weights, **card}
    if _size(whole) <= piece_bytes:
        yield whole
        return
    room = piece_bytes - _size({name: b"", **card}) - _BLOCK
    parts = -(-len(weights) // room)
    for part in range(parts):
        portion = {f"{name}.{part + 1}-of-{parts}": weights[part * room : (part + 1) * room]}
        yield portion | card if part + 1 == parts else portion


def _joined(files: Members) -> bytes | None:
    """The weights, from one member or from all of their parts; ``None`` while some are missing."""
    if WEIGHTS_FILE in files:
        return files[WEIGHTS_FILE]
    parts = {name: data for name, data in files.items() if name != CARD_FILE}
    # The latest counts: those of an earlier attempt with another size of piece may be there too.
    count = int(next(reversed(parts), "1-of-0").rpartition("-")[2])
    names = [f"{WEIGHTS_FILE}.{part}-of-{count}" for part in range(1, count + 1)]
    return b"".join(parts[name] for name in names) if names and all(name in parts for name in names) else None


def _size(members: Members) -> int:
    """The largest size in bytes that a piece with ``members`` can have."""
    return _FRAME + sum(_MEMBER_FRAME + -(-len(data) // _BLOCK) * _BLOCK for data in members.values())


def _pieces(folder: Path) -> list[Path]:
    found = [path for path in folder.iterdir() if _PIECE_NAME.fullmatch(path.name)] if folder.is_dir() else []
    return sorted(found, key=_number)


def _number(piece: Path) -> int:
    return int(piece.stem.partition("-")[2])


def _held(folder: Path) -> dict[str, str]:
    """Hash of each model's card in the pieces of ``folder``; a card comes after all parts of the weights it names."""
    return {
        name.partition("/")[0]: sha256_bytes(data)
        for piece in _pieces(folder)
        for name, data in _read_piece(piece).items()
        if name.endswith(f"/{CARD_FILE}")
    }


def _write_piece(folder: Path, number: int, members: Members) -> Path:
    index = canonical_json({name: sha256_bytes(data) for name, data in members.items()}).encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in ({_INDEX_FILE: index} | members).items():
            member = tarfile.TarInfo(name)  # no times and no owner: equal models give equal pieces
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    path = folder / f"zoo-{number:04}.tar"
    write_bytes(path, buffer.getvalue())
    return path


def _read_piece(path: Path) -> Members:
    """All members but the index, each checked against it.

    Raises:
        ArtifactError: the piece is damaged or holds anything but plain files with names as ``pack_models`` gives them.
    """
    members: Members = {}
    try:
        with tarfile.open(path, mode="r:") as archive:
            for member in archive:
                plain = member.type == tarfile.REGTYPE and not member.issparse()
                stream = archive.extractfile(member) if plain else None
                if stream is None or not (member.name == _INDEX_FILE or _MEMBER_NAME.fullmatch(member.name)):
                    raise ArtifactError(f"{path}: expected cards and weights of models, got {member.name!r}")
                members[member.name] = stream.read()
        index = json.loads(members.pop(_INDEX_FILE))
    except (tarfile.TarError, KeyError, ValueError, OSError) as error:
        raise ArtifactError(f"{path} is not a piece of a zoo or is damaged ({error}); pack or copy it again") from error
    if index != {name: sha256_bytes(data) for name, data in members.items()}:
        raise ArtifactError(f"{path}: its members do not match the hashes in its index; pack or copy it again")
    return members
