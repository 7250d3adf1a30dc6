"""The REST API of a Twilio of our own, over `twilio_state.State`."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from urllib.parse import parse_qs, urlencode

from contracts.far_end import Answer, Request
from tests.fakes.gateway import Record, file
from tests.fakes.twilio_state import ACCOUNT_SID, AUTH_TOKEN, KEY_SECRET, KEY_SID, State

WORDS = {429: "Too Many Requests", 500: "Internal Server Error", 404: "The requested resource was not found"}


def answer(fake: State, request: Request) -> Answer:
    """Answers as Twilio does."""
    if request.path.startswith("/cdn/"):
        media = fake.media.get(request.path)
        return refused(404) if media is None or "authorization" in request.headers else file(media)
    if not _is_authorised(request):
        return _error(401, 20003, "Authenticate")
    if request.path in fake.media:
        return file(fake.media[request.path])
    if (request.method, request.path) == ("POST", f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"):
        return _created(fake, request.body)
    found = _resource(fake, request.path, request.query)
    return refused(404) if found is None else Answer.json(200, found)


def refused(status: int) -> Answer:
    """A refusal for what is not about a message."""
    return _error(status, 20000 + status, WORDS[status])


def _created(fake: State, body: bytes) -> Answer:
    pairs = parse_qs(body.decode(), keep_blank_values=True)
    form = {name: values if name == "MediaUrl" else values[-1] for name, values in pairs.items()}
    problem = fake.refusal(form)
    return _error(400, *problem) if problem else Answer.json(201, fake.accept(form))


def _is_authorised(request: Request) -> bool:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    try:
        user, _, secret = base64.b64decode(given).decode().partition(":")
    except ValueError:
        return False
    return scheme == "Basic" and {ACCOUNT_SID: AUTH_TOKEN, KEY_SID: KEY_SECRET}.get(user) == secret


def _error(status: int, code: int, message: str) -> Answer:
    more = f"https://www.twilio.com/docs/errors/{code}"
    return Answer.json(status, {"code": code, "message": message, "more_info": more, "status": status})


def _resource(fake: State, path: str, query: Mapping[str, str]) -> Record | None:
    top = f"/2010-04-01/Accounts/{ACCOUNT_SID}"
    if path == f"{top}.json":
        return fake.account()
    if path == f"{top}/Messages.json":
        return _page("messages", fake.listed(query), path, query)
    if path == f"{top}/IncomingPhoneNumbers.json":
        numbers = [_number(each) for each in fake.numbers if query.get("PhoneNumber", each) == each]
        return _page(
            "incoming_phone_numbers",
            [each for each in numbers if each["phone_number"][0] == "+"],
            path,
            query,
        )
    if path == f"{top}/SMS/ShortCodes.json":
        codes = [each for each in fake.numbers if each.isdigit() and query.get("ShortCode", each) == each]
        return _page(
            "short_codes", [{"account_sid": ACCOUNT_SID, "short_code": each} for each in codes], path, query
        )
    if path.startswith(f"{top}/Messages/"):
        message = fake.messages.get(path.removeprefix(f"{top}/Messages/").removesuffix(".json"))
        return {k: v for k, v in message.items() if k != "callback"} if message else None
    return _senders(fake, path)


def _number(number: str) -> Record:
    sid = "PN" + hashlib.md5(number.encode(), usedforsecurity=False).hexdigest()
    return {
        "account_sid": ACCOUNT_SID,
        "sid": sid,
        "phone_number": number,
        "friendly_name": number,
        "capabilities": {"sms": True, "mms": True, "voice": False},
        "uri": f"/2010-04-01/Accounts/{ACCOUNT_SID}/IncomingPhoneNumbers/{sid}.json",
    }


def _page(key: str, items: list[Record], path: str, query: Mapping[str, str]) -> Record:
    size, page = int(query.get("PageSize", 50)), int(query.get("Page", 0))

    def uri(number: int) -> str:
        return f"{path}?{urlencode({**query, 'PageSize': size, 'Page': number})}"

    more = len(items) > (page + 1) * size
    return {
        key: items[page * size : (page + 1) * size],
        "page": page,
        "page_size": size,
        "start": page * size,
        "end": min(len(items), (page + 1) * size) - 1,
        "uri": uri(page),
        "first_page_uri": uri(0),
        "next_page_uri": uri(page + 1) if more else None,
        "previous_page_uri": uri(page - 1) if page else None,
    }


def _senders(fake: State, path: str) -> Record | None:
    """The sender pool of a Messaging Service, which is served by another of Twilio's hosts."""
    words = path.strip("/").split("/")
    if len(words) != 4 or words[:2] != ["v1", "Services"] or words[2] not in fake.services:
        return None
    kinds: dict[str, tuple[str, str, Callable[[str], bool]]] = {
        "PhoneNumbers": ("phone_numbers", "phone_number", lambda each: each.startswith("+")),
        "ShortCodes": ("short_codes", "short_code", str.isdigit),
        "AlphaSenders": ("alpha_senders", "alpha_sender", lambda each: not each.lstrip("+").isdigit()),
    }
    key, name, belongs = kinds[words[3]]
    items = [{"sid": "XX" + "0" * 32, name: each} for each in fake.services[words[2]] if belongs(each)]
    url = f"{path}"
    meta = {"key": key, "page": 0, "page_size": 50, "url": url, "first_page_url": url}
    return {key: items, "meta": {**meta, "next_page_url": None, "previous_page_url": None}}
