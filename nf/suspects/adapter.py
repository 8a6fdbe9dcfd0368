"""A server with a form of its own, spoken to as an adapter file describes."""

import base64
import json
import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jmespath
import numpy as np
import yaml
from jmespath.exceptions import JMESPathError
from numpy.typing import NDArray

from nf.core.errors import ConfigError, SuspectError, UnknownNameError
from nf.core.http import Client, Reply, Tls, basic_credentials, check_address, check_token
from nf.core.interface import Interface, Kind, Layout, parse_interface, plain_name
from nf.core.predictor import OutputKind
from nf.core.sections import parse_section
from nf.suspects.aws import Aws, sign
from nf.suspects.journal import Journal
from nf.suspects.manners import Caller, Manners
from nf.suspects.prepare import picture_file, prepare
from nf.suspects.presets import PRESETS
from nf.suspects.scope import ANSWERS, NUMBERS, PICTURE, Scope
from nf.suspects.served import Message, ServedSuspect
from nf.suspects.table import read_number
from nf.suspects.v2 import PROTOCOL, V2

_VARIABLE = re.compile(r"\$(?:\$|([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})")
_TENSORS: Mapping[str, Layout] = {"{nchw}": "nchw", "{nhwc}": "nhwc", "{nhw}": "nhw", "{flat}": "flat"}
_ENCODED = {"{base64}": "png", "{base64:jpeg}": "jpeg"}
_LABEL_KEYS = (
    *("label", "class", "className", "class_name", "tagName", "Name", "name", "displayName", "displayNames"),
    *("predicted_class", "prediction", "class_id", "class_index"),
)
_SCORE_KEYS = ("score", "confidence", "probability", "Confidence", "confidences", "prob", "value")
_EXCUSES = {"error", "errors", "message", "detail"}
_SHOWN = 120
_MOST = 1 << 63
_SETTLED = ("send", "json", "form", "read", "label", "score", "query")
_MANNERS = ("timeout", "rate", "price", "retries", "first_wait", "longest_wait")


@dataclass(frozen=True)
class Basic:
    """User name and password.

    Attributes:
        user: as the server knows it.
        password: ``$NAME`` of an environment variable.
    """

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Adapter:
    """What an adapter file says; ``$NAME`` in headers, query, password and JSON is an environment variable.

    Attributes:
        address: address that is asked.
        preset: a key of ``PRESETS`` for what is not said here, or ``v2``.
        headers: sent along.
        query: put behind the address.
        basic: user name and password.
        aws: service and region, for requests that are signed as AWS wants it.
        ca: file of certificates to trust.
        certificate: file with the caller's own certificate.
        key: file with its key.
        send: ``png`` or ``jpeg`` for the image as body, ``base64`` for its text, ``file:FIELD`` for a form.
        form: further fields of the form.
        json: body in the place of ``send``, in which ``{nchw}``, ``{nhwc}``, ``{nhw}`` and ``{flat}`` stand for the
            image's numbers, ``{base64}`` and ``{base64:jpeg}`` for its file.
        read: JMESPath of the class in the answer: a number, a name, scores, {name: score}, or [{label, score}].
        label: key of the name, where it is not one of those that are known.
        score: key of the score.
        kind: what is read there.
        interface: how the image's numbers are made; see ``parse_interface``.
        labels: names of the owner's classes, or a file of them; short for ``interface.labels``.
        timeout: seconds for an image.
        rate: images a second at most.
        price: price of one request.
        retries: how often one image may be asked again.
        first_wait: seconds before that, where the server does not say; doubled each time.
        longest_wait: seconds that are waited at most.
    """

    address: str = field(repr=False)
    preset: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    basic: Basic | None = field(default=None, repr=False)
    aws: Aws | None = None
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    send: str | None = None
    form: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    read: str = "@"
    label: str | None = None
    score: str | None = None
    kind: Kind | None = None
    interface: Mapping[str, Any] = field(default_factory=dict)
    labels: Any = None
    timeout: float | None = None
    rate: float | None = None
    price: float | None = None
    retries: int | None = None
    first_wait: float | None = None
    longest_wait: float | None = None

    def __post_init__(self) -> None:
        check_address(self.address, "address")
        names = [name.lower() for name in self.headers]
        if len(set(names)) < len(names):
            raise ValueError("headers: expected each name once, whatever its case, got one twice")
        if self.preset == "v2":
            self._check_protocol()
            return
        if (self.send is None) == (self.json is None):
            raise ValueError("expected either send or json, which say how the image goes out, or a preset")
        if self.send is not None and self.send not in ("png", "jpeg", "base64") and not self.send.startswith("file:"):
            raise ValueError(f"send: expected png, jpeg, base64 or file:FIELD, got {self.send!r}")
        if self.form and not (self.send or "").startswith("file:"):
            raise ValueError("form: expected send: file:FIELD beside it, got a body that is no form")
        if self.json is not None:
            _check_template(self.json)
        try:
            jmespath.compile(self.read)
        except JMESPathError as error:
            raise ValueError(f"read: expected a JMESPath, got {self.read!r}: {str(error).splitlines()[0]}") from None

    def _check_protocol(self) -> None:
        """Refuse what the Open Inference Protocol settles or has no place for."""
        if self.aws is not None:
            raise ValueError("aws: expected a preset of a service of AWS, got v2")
        settled = [name for name in _SETTLED if getattr(self, name) not in (None, {}, "@")]
        if settled:
            raise ValueError(f"{settled[0]}: expected none beside preset v2, whose protocol settles it, got one")
        if "?" in self.address or "#" in self.address:
            raise ValueError("address: expected that of a model beside preset v2, got one with '?' or '#'")

    @property
    def layout(self) -> Layout | None:
        """In which the template of the body has the image's numbers; ``None`` where it has none."""
        return next((layout for mark, layout in _TENSORS.items() if mark in _texts(self.json)), None)

    @property
    def scope(self) -> Scope:
        """What can be stated of how the server is asked."""
        if self.preset == "v2":
            return PROTOCOL
        if self.layout is None:
            return Scope("a server that takes pictures", (*PICTURE, *ANSWERS))
        return Scope("a server that takes numbers in a template", (*NUMBERS, *ANSWERS), self.layout)


def read_adapter(path: Path) -> Adapter:
    """The adapter in a YAML file.

    Raises:
        ConfigError: it cannot be read, or has unknown, missing or unusable values.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: expected an adapter file, cannot read it: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path} is not YAML: {' '.join(str(error).split())[:200]}") from error
    return parse_adapter(document, str(path))


def parse_adapter(section: Mapping[str, Any] | None, where: str) -> Adapter:
    """An adapter from a section of YAML, with what its preset says.

    Raises:
        ConfigError: a key is not known, missing or unusable.
    """
    values = dict(section) if isinstance(section, Mapping) else {}
    name = values.get("preset")
    if name is None or name == "v2":
        return parse_section(Adapter, section if not isinstance(section, Mapping) else values, where)
    if name not in PRESETS:
        raise UnknownNameError("preset", str(name), (*PRESETS, "v2"))
    preset = dict(PRESETS[name])
    if "send" in values or "json" in values:
        preset = {key: value for key, value in preset.items() if key not in ("send", "json")}
    headers = values.get("headers")
    if isinstance(headers, Mapping):
        usual = preset.get("headers", {})
        values["headers"] = {**{name: usual[name] for name in usual if not _has(headers, name)}, **headers}
    return parse_section(Adapter, {**preset, **values}, where)


def open_adapter(
    adapter: Adapter,
    folder: Path,
    *,
    output: OutputKind = "logits",
    stated: Interface | None = None,
    journal: Path | None = None,
    token: str | None = None,
) -> ServedSuspect:
    """The server that ``adapter`` describes as a suspect.

    Args:
        adapter: from a file or an address and the name of a preset.
        folder: folder that the files it names are relative to.
        output: what its answers mean.
        stated: how it is asked, over what the adapter says.
        journal: folder for answers as they come.
        token: sent as bearer token.

    Raises:
        ConfigError: an environment variable is not set, a file cannot be read, the server would know the caller in
            two ways, or it would not heed how it is to be asked.
    """
    if adapter.labels is not None and "labels" in adapter.interface:
        raise ConfigError("labels: expected these or interface.labels, got both")
    known = Interface(kind=adapter.kind)
    section = dict(adapter.interface) | ({} if adapter.labels is None else {"labels": adapter.labels})
    how = (stated or Interface()).over(parse_interface(section, "interface", folder).over(known))
    sent = check_token(token, "token")
    credentials = {
        "a header Authorization": _has(adapter.headers, "Authorization"),
        "basic": adapter.basic is not None,
        "aws": adapter.aws is not None,
        "a token": sent is not None,
    }
    if sum(credentials.values()) > 1:
        given = " and ".join(name for name, there in credentials.items() if there)
        raise ConfigError(f"expected one way in which the server knows the caller, got {given}")
    headers = {name: _filled(value, f"headers.{name}") for name, value in adapter.headers.items()}
    if sent is not None:
        headers["Authorization"] = f"Bearer {sent}"
    if adapter.basic is not None:
        user, password = (_filled(text, "basic") for text in (adapter.basic.user, adapter.basic.password))
        headers["Authorization"] = basic_credentials(user, password)
    query = {name: _filled(value, f"query.{name}") for name, value in adapter.query.items()}
    tls = Tls(*(None if name is None else folder / name for name in (adapter.ca, adapter.certificate, adapter.key)))
    tls.context()  # a file that is missing is told before anybody is asked
    keys = [] if adapter.aws is None else adapter.aws.keys()
    client = Client(headers, tls, [*query.values(), *_variables(adapter), *keys])
    speech = V2(adapter.address) if adapter.preset == "v2" else Speaker(adapter, query, headers)
    kept = None if journal is None else Journal(journal, adapter.address)
    own = {name: getattr(adapter, name) for name in _MANNERS}
    polite = Manners(**{name: value for name, value in own.items() if value is not None})
    return ServedSuspect(speech, Caller(client, polite, kept), output=output, how=how)


def _filled(text: str, where: str) -> str:
    """``text`` with environment variables in the place of their names.

    Raises:
        ConfigError: one is not set, or holds what no request may.
    """

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        if name is None:
            return "$"
        if not os.environ.get(name):
            raise ConfigError(f"{where}: expected a value in the environment variable {name}, found none")
        return os.environ[name].strip()

    filled = _VARIABLE.sub(value, text)
    if not filled.isascii() or not filled.isprintable():
        raise ConfigError(f"{where}: expected what fits into a request of HTTP, got another character")
    return filled


def _variables(adapter: Adapter) -> list[str]:
    """What stands in the environment variables that ``adapter`` names."""
    basic = () if adapter.basic is None else (adapter.basic.user, adapter.basic.password)
    texts = [*adapter.headers.values(), *adapter.query.values(), *basic, json.dumps(adapter.json)]
    names = {found[1] or found[2] for text in texts for found in _VARIABLE.finditer(text)}
    return [os.environ[name].strip() for name in sorted(filter(None, names)) if name in os.environ]


class Speaker:
    """How the server of an adapter is spoken to.

    Args:
        adapter: what it describes.
        query: put behind the address, with variables filled in.
        headers: sent along, with variables filled in.
    """

    def __init__(self, adapter: Adapter, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        self._adapter = adapter
        self._headers = headers
        self._query = urlencode(query)
        self._path = jmespath.compile(adapter.read)
        self._body = _replaced(adapter.json, lambda text: _filled(text, "json"))

    @property
    def name(self) -> str:
        """The address without what stands behind it."""
        return self._adapter.address.partition("?")[0]

    @property
    def advice(self) -> str:
        """What to do where answers are read wrongly."""
        return "say with `read:` in an adapter file where the class stands (docs/addresses.md)"

    @property
    def sends_numbers(self) -> bool:
        """Whether images go out as numbers, of which a scale has to be known."""
        return self._adapter.layout is not None

    @property
    def scope(self) -> Scope:
        """What shows in what is sent."""
        return self._adapter.scope

    def declare(self, caller: Caller, shape: tuple[int, int, int]) -> Interface:
        """What the template says of the layout."""
        return Interface(layout=self._adapter.layout)

    def encode(self, image: NDArray[np.uint8], how: Interface) -> Message:
        """One image, as ``send`` or ``json`` says."""
        address, adapter = self._adapter.address, self._adapter
        if self._query:
            address += ("&" if "?" in address else "?") + self._query
        content, kind = self._content(image, how)
        own = {} if _has(adapter.headers, "Content-Type") else {"Content-Type": kind}
        if adapter.aws is not None:
            own |= sign(address, content, {**self._headers, **own}, adapter.aws)
        return Message(address, content, own)

    def decode(self, reply: Reply, how: Interface) -> Mapping[str, Any]:
        """What stands where ``read`` says."""
        try:
            whole = _unquoted(_parsed(reply.body))
            found = _unquoted(self._path.search(whole))
        except (ValueError, RecursionError):
            raise SuspectError(f"expected JSON, got {len(reply.body)} other bytes") from None
        except JMESPathError as error:
            raise SuspectError(f"expected an answer with {self._adapter.read!r}: {str(error)[:_SHOWN]}") from None
        if how.kind == "top-k" and (found in ([], {}) or (found is None and not _is_excuse(whole))):
            return {"answer": []}  # nothing was recognised
        return {"answer": self._meaning(found, how)}

    def _content(self, image: NDArray[np.uint8], how: Interface) -> tuple[bytes, str]:
        send = self._adapter.send
        if send is None:
            return json.dumps(_put(self._body, image, how)).encode(), "application/json"
        if send == "base64":
            return base64.b64encode(picture_file(image, how)), "text/plain"
        if send in ("png", "jpeg"):
            return picture_file(image, how, send), f"image/{send}"
        return _form(send.removeprefix("file:"), picture_file(image, how), self._adapter.form)

    def _meaning(self, found: Any, how: Interface) -> Any:
        """A name, pairs of class and score, or an array (1, ...)."""
        while isinstance(found, list) and len(found) == 1 and isinstance(found[0], list | dict | str):
            found = found[0]
        found = self._alone(found, how)
        if _is_ranking(found):
            found = found[0]
        if isinstance(found, str):
            return found
        if isinstance(found, int) and not isinstance(found, bool):
            return np.array([found], np.int64)
        if isinstance(found, float) and abs(found) < _MOST:  # a class, or the score of the second of two
            return np.array([found], np.float64)
        pairs = self._pairs(found, how)
        if pairs is not None:
            return pairs
        try:
            scores = np.array(found, np.float64)
        except (ValueError, TypeError, OverflowError):
            scores = np.array(())
        if not scores.size or not 0 < scores.ndim <= 3 or isinstance(found[0], bool):
            raise SuspectError(
                f"expected a class or scores at {self._adapter.read!r}, got {json.dumps(found)[:_SHOWN]}"
            )
        whole = np.array(found)
        distinct = whole.dtype == np.int64 and len(np.unique(whole)) == whole.size  # maybe classes, the best first
        return (whole if distinct else scores).reshape(1, -1)

    def _alone(self, found: Any, how: Interface) -> Any:
        """The class in an object that has no score; what was ``found`` if it is something else."""
        name, score = self._keys(found, how) if isinstance(found, Mapping) else (None, None)
        if name is None or score is not None or not isinstance(found[name], str | int | float):
            return found
        numbers = sum(isinstance(value, int | float) for value in found.values())
        return found[name] if isinstance(found[name], str) or len(found) == 1 or numbers < len(found) else found

    def _pairs(self, found: Any, how: Interface) -> list[tuple[str, float]] | None:
        """Of a map from names to scores, of a list of objects, or of an object with two lists."""
        if isinstance(found, Mapping):
            name, score = self._keys(found, how)
            if name is not None and score is not None:
                labels, scores = found[name], found[score]
                if isinstance(labels, list) and isinstance(scores, list) and len(labels) == len(scores):
                    return _scored(zip(labels, scores, strict=True))
                return _scored([(labels, scores)])
            return _scored(found.items())
        if isinstance(found, list) and found and all(isinstance(item, Mapping) for item in found):
            keys = self._keys(found[0], how)
            if None not in keys:
                return _scored((item.get(keys[0]), item.get(keys[1])) for item in found)
        return _scored(found) if isinstance(found, list) and found and all(map(_is_pair, found)) else None

    def _keys(self, found: Mapping[str, Any], how: Interface) -> tuple[str | None, str | None]:
        """Those of class and score; of several classes that which has one of the names that are stated."""
        own = self._adapter.label, self._adapter.score
        names, scores = ((own[0],) if own[0] else _LABEL_KEYS), ((own[1],) if own[1] else _SCORE_KEYS)
        present, labels = [key for key in names if key in found], set(map(plain_name, how.labels or ()))
        named = [key for key in present if labels & set(map(plain_name, map(str, _as_list(found[key]))))]
        return next(iter(named or present), None), next((key for key in scores if key in found), None)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _unquoted(value: Any) -> Any:
    """What a text is that holds JSON, as some services wrap their answers in."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        with suppress(ValueError, RecursionError):
            return _parsed(value)
    return value


def _parsed(text: str | bytes) -> Any:
    """JSON, with numbers beyond 64 bits as floats, as whoever counts classes has none of these."""
    return json.loads(text, parse_int=lambda digits: number if abs(number := int(digits)) < _MOST else float(digits))


def _is_excuse(whole: Any) -> bool:
    """Whether an answer says why there is none."""
    return isinstance(whole, Mapping) and not _EXCUSES.isdisjoint(map(str.lower, whole))


def _is_pair(found: Any) -> bool:
    """Whether these are a class and its score."""
    if not (isinstance(found, list) and len(found) == 2):
        return False
    return isinstance(found[0], str | int) or (isinstance(found[0], float) and found[0].is_integer())


def _is_ranking(found: Any) -> bool:
    """Whether these are classes as text, the best first, and no scores as text."""
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        return False
    try:
        list(map(float, found))
    except ValueError:
        return True
    return all(map(str.isdigit, found)) and len(set(found)) == len(found) > 1


def _scored(pairs: Any) -> list[tuple[str, float]] | None:
    scored = []
    for label, score in pairs:
        number = _number(score)
        if isinstance(label, bool | list | dict) or label is None or number is None:
            return None
        scored.append((str(label), number))
    return scored


def _number(score: Any) -> float | None:
    """A score as a number, also one that is written as text, in per cent or not; ``None`` if it is none."""
    if isinstance(score, str):
        return read_number(score, ".")
    return float(score) if isinstance(score, int | float) and not isinstance(score, bool) else None


def _put(body: Any, image: NDArray[np.uint8], how: Interface) -> Any:
    """``body`` with the image in its place."""

    def placed(text: str) -> Any:
        if text in _TENSORS:
            return prepare(image[None], Interface.of(layout=_TENSORS[text]).over(how))[0].tolist()
        for mark, kind in _ENCODED.items():
            if mark in text:
                text = text.replace(mark, base64.b64encode(picture_file(image, how, kind)).decode())
        return text

    return _replaced(body, placed)


def _replaced(body: Any, replace: Callable[[str], Any]) -> Any:
    """``body`` with what ``replace`` makes of each text that is a value."""
    if isinstance(body, Mapping):
        return {str(key): _replaced(value, replace) for key, value in body.items()}
    if isinstance(body, list):
        return [_replaced(value, replace) for value in body]
    return replace(body) if isinstance(body, str) else body


def _texts(body: Any) -> list[str]:
    """Each text in ``body`` that is a value."""
    found: list[str] = []
    _replaced(body, found.append)
    return found


def _check_template(body: Any) -> None:
    """Refuse a body that leaves the image out.

    Raises:
        ValueError: it has no place for it, one where nothing is put, or two layouts of its numbers.
    """
    try:
        written, texts = json.dumps(body), _texts(body)
    except (TypeError, ValueError, RecursionError):
        raise ValueError("json: expected what JSON can hold, got something else") from None
    marks = [mark for mark in (*_TENSORS, *_ENCODED) if mark in written]
    if not marks:
        raise ValueError(f"json: expected a place for the image, one of {', '.join((*_TENSORS, *_ENCODED))}")
    for mark in marks:
        whole = mark in _TENSORS
        if written.count(mark) > sum(text == mark if whole else text.count(mark) for text in texts):
            raise ValueError(f"json: expected {mark} as a value{' of its own' if whole else ''}, got it elsewhere")
    layouts = [mark for mark in marks if mark in _TENSORS]
    if len(layouts) > 1:
        raise ValueError(f"json: expected one layout of the image's numbers, got {' and '.join(layouts)}")


def _form(name: str, data: bytes, fields: Mapping[str, str]) -> tuple[bytes, str]:
    """A form with one file, ``multipart/form-data``."""
    edge = f"nf-{sum(data) % 10**9:09d}-{len(data)}".encode()  # the same for the same image, as the journal knows it
    while edge in data:
        edge += b"x"
    head = b"--%b\r\nContent-Disposition: form-data; name=" % edge
    parts = [b'%b"%b"\r\n\r\n%b\r\n' % (head, key.encode(), value.encode()) for key, value in fields.items()]
    parts.append(
        b'%b"%b"; filename="image.png"\r\nContent-Type: image/png\r\n\r\n%b\r\n--%b--\r\n'
        % (head, name.encode(), data, edge)
    )
    return b"".join(parts), f"multipart/form-data; boundary={edge.decode()}"


def _has(headers: Mapping[str, str], name: str) -> bool:
    return name.lower() in {key.lower() for key in headers}
