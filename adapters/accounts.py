"""Accounts: the people who sign in and the keys of machines, in the store.

None of this is an event: it holds no history that anyone replays, and a backup carries it.
"""

import hashlib
import hmac
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from database.database import Database
from database.sql import Row, micros, moment
from domain.catalogue import LOGIN
from domain.errors import Clash, FieldError, Invalid, NotFound
from domain.mapping_settings import NAME_CHARACTERS
from domain.ports import Clock

ADMIN_KEY_ID = "admin"
ADMIN_KEY_NAME = "PARLEY_ADMIN_KEY"
PASSWORD_CHARACTERS = (8, 200)
USE_IS_NOTED_EVERY = timedelta(minutes=1)  # a write for each request would cost more than the request

_ADD_KEY = (
    "INSERT INTO api_key VALUES (:id, :name, :hash, :roles, :created_at, :created_by, :expires_at, NULL)"
)
_LOGIN_HELP = "use 1 to 60 small letters, digits and . _ @ -, starting with a letter or digit"


class Role(StrEnum):
    """What somebody may do."""

    ADMIN = "admin"
    AGENT = "agent"
    ANALYST = "analyst"


@dataclass(frozen=True)
class User:
    """Somebody who signs in. `stamp` changes with the password: sessions begun before are over then."""

    login: str
    name: str
    roles: frozenset[Role]
    disabled: bool
    stamp: str


@dataclass(frozen=True)
class UserDraft:
    """A user as an admin submits it. Without a password the present one stays."""

    login: str
    name: str
    roles: frozenset[Role]
    password: str | None
    disabled: bool = False


@dataclass(frozen=True)
class ApiKey:
    """A machine's key, without the key."""

    id: str
    name: str
    roles: frozenset[Role]
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    last_used_at: datetime | None


class AccountStore:
    """Users and API keys. Passwords are kept as Argon2id hashes, keys as SHA-256 of 256 random bits."""

    def __init__(self, database: Database, clock: Clock, hasher: PasswordHasher | None = None) -> None:
        self._database = database
        self._clock = clock
        self._hasher = hasher or PasswordHasher()

    @cached_property
    def _nobody(self) -> str:
        """Verified against when there is no such user, so that the time taken does not tell."""
        return self._hasher.hash(secrets.token_hex())

    # ── users ──────────────────────────────────────────────────────────────────────────────────

    def add_user(self, draft: UserDraft) -> None:
        """Add a user. Raises Invalid, Clash when the login is taken."""
        if draft.password is None:
            raise Invalid.field("password", "is needed")
        _check_user(draft)
        row = _user_row(draft, self._hasher.hash(draft.password))
        with self._database.writing() as c:
            added = c.one(
                "INSERT INTO user_account VALUES (:login, :name, :hash, :roles, :disabled)"
                " ON CONFLICT DO NOTHING RETURNING login",
                row,
            )
            if added is None:
                raise Clash(f"there is a user {draft.login} already", "login")

    def modify_user(self, draft: UserDraft) -> None:
        """Replace a user's name, roles and password, or disable the user. Raises Invalid, NotFound."""
        _check_user(draft)
        row = _user_row(draft, self._hasher.hash(draft.password) if draft.password is not None else "")
        with self._database.writing() as c:
            modified = c.one(
                "UPDATE user_account SET name = :name, roles = :roles, disabled = :disabled,"
                " password_hash = CASE :hash WHEN '' THEN password_hash ELSE :hash END"
                " WHERE login = :login RETURNING login",
                row,
            )
            if modified is None:
                raise NotFound(f"there is no user {draft.login}")

    def remove_user(self, login: str) -> None:
        """Remove a user; open sessions end. Raises NotFound."""
        with self._database.writing() as c:
            found = c.one("DELETE FROM user_account WHERE login = :login RETURNING login", {"login": login})
            if found is None:
                raise NotFound(f"there is no user {login}")

    def user(self, login: str) -> User | None:
        """The user with this login, disabled or not."""
        with self._database.reading() as c:
            row = c.one("SELECT * FROM user_account WHERE login = :login", {"login": login})
        return _user(row) if row else None

    def users(self, after: str, limit: int) -> list[User]:
        """At most `limit` users with a login beyond `after`, by login."""
        with self._database.reading() as c:
            rows = c.all(
                "SELECT * FROM user_account WHERE login > :after ORDER BY login LIMIT :limit",
                {"after": after, "limit": limit},
            )
        return [_user(row) for row in rows]

    def verify(self, login: str, password: str) -> User | None:
        """The user, if login and password are right and the user is not disabled."""
        with self._database.reading() as c:
            row = c.one("SELECT * FROM user_account WHERE login = :login", {"login": login})
        nobody = self._nobody  # made by whoever signs in first, whether there is such a user or not
        kept = row["password_hash"] if row else nobody
        try:
            self._hasher.verify(kept, password)
        except VerifyMismatchError:
            return None
        user = _user(row) if row else None
        return user if user and not user.disabled else None

    # ── API keys ───────────────────────────────────────────────────────────────────────────────

    def add_key(
        self, name: str, roles: Collection[Role], expires_at: datetime | None, by: str
    ) -> tuple[ApiKey, str]:
        """Make a key; what is kept of it, and the key itself, which is never shown again.

        Raises Invalid, Clash when the name is taken.
        """
        now = self._clock.now()
        errors = [*_name_problems(name), *_roles_problems(roles)]
        if expires_at is not None and expires_at <= now:
            errors.append(FieldError("expires_at", "must be in the future"))
        if errors:
            raise Invalid(errors)
        key = secrets.token_urlsafe(32)
        kept = ApiKey(secrets.token_hex(8), name, frozenset(roles), now, by, expires_at, None)
        with self._database.writing() as c:
            added = c.one(f"{_ADD_KEY} ON CONFLICT DO NOTHING RETURNING id", _key_row(kept, key))
            if added is None:
                raise Clash(f"there is a key {name} already", "name")
        return kept, key

    def ensure_admin_key(self, key: str) -> None:
        """Make this the one admin key that exists from the start; the one given before is void."""
        kept = ApiKey(
            ADMIN_KEY_ID, ADMIN_KEY_NAME, frozenset({Role.ADMIN}), self._clock.now(), "settings", None, None
        )
        with self._database.writing(alone=["admin-key"]) as c:
            row = c.one("SELECT hash FROM api_key WHERE id = :id", {"id": ADMIN_KEY_ID})
            if row is None or row["hash"] != _hash(key):
                new = _key_row(kept, key)
                c.run("DELETE FROM api_key WHERE id = :id OR hash = :hash", new)
                c.run(_ADD_KEY, new)

    def remove_key(self, id: str) -> None:
        """Make a key void. Raises NotFound."""
        with self._database.writing() as c:
            if c.one("DELETE FROM api_key WHERE id = :id RETURNING id", {"id": id}) is None:
                raise NotFound(f"there is no key {id}")

    def key(self, id: str) -> ApiKey | None:
        """What is kept of a key."""
        with self._database.reading() as c:
            row = c.one("SELECT * FROM api_key WHERE id = :id", {"id": id})
        return _api_key(row) if row else None

    def keys(self, after: str, limit: int) -> list[ApiKey]:
        """At most `limit` keys with a name beyond `after`, by name."""
        with self._database.reading() as c:
            rows = c.all(
                "SELECT * FROM api_key WHERE name > :after ORDER BY name LIMIT :limit",
                {"after": after, "limit": limit},
            )
        return [_api_key(row) for row in rows]

    def verify_key(self, key: str) -> ApiKey | None:
        """What this key is, if it is one of ours and not expired; its use is noted."""
        hashed = _hash(key)
        with self._database.reading() as c:
            row = c.one("SELECT * FROM api_key WHERE hash = :hash", {"hash": hashed})
        if row is None or not hmac.compare_digest(row["hash"], hashed):
            return None
        found, now = _api_key(row), self._clock.now()
        if found.expires_at is not None and found.expires_at <= now:
            return None
        if found.last_used_at is None or now - found.last_used_at >= USE_IS_NOTED_EVERY:
            with self._database.writing() as c:
                c.run(
                    "UPDATE api_key SET last_used_at = :now WHERE id = :id",
                    {"now": micros(now), "id": found.id},
                )
        return found


def _check_user(draft: UserDraft) -> None:
    errors = [*_name_problems(draft.name), *_roles_problems(draft.roles)]
    if not LOGIN.fullmatch(draft.login):
        errors.append(FieldError("login", _LOGIN_HELP))
    shortest, longest = PASSWORD_CHARACTERS
    if draft.password is not None and not shortest <= len(draft.password) <= longest:
        errors.append(FieldError("password", f"must have between {shortest} and {longest} characters"))
    if errors:
        raise Invalid(errors)


def _name_problems(name: str) -> list[FieldError]:
    if not name.strip():
        return [FieldError("name", "is needed")]
    too_long = len(name) > NAME_CHARACTERS
    return [FieldError("name", f"at most {NAME_CHARACTERS} characters")] if too_long else []


def _roles_problems(roles: Collection[Role]) -> list[FieldError]:
    return [] if roles else [FieldError("roles", f"at least one of {', '.join(Role)} is needed")]


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _joined(roles: Collection[Role]) -> str:
    return " ".join(sorted(roles))


def _roles(joined: str) -> frozenset[Role]:
    return frozenset(Role(each) for each in joined.split())


def _user(row: Row) -> User:
    stamp = hashlib.sha256(row["password_hash"].encode()).hexdigest()[:16]
    return User(row["login"], row["name"], _roles(row["roles"]), bool(row["disabled"]), stamp)


def _user_row(draft: UserDraft, password_hash: str) -> Row:
    return {
        "login": draft.login,
        "name": draft.name,
        "hash": password_hash,
        "roles": _joined(draft.roles),
        "disabled": draft.disabled,
    }


def _key_row(kept: ApiKey, key: str) -> Row:
    return {
        "id": kept.id,
        "name": kept.name,
        "hash": _hash(key),
        "roles": _joined(kept.roles),
        "created_at": micros(kept.created_at),
        "created_by": kept.created_by,
        "expires_at": micros(kept.expires_at),
    }


def _api_key(row: Row) -> ApiKey:
    return ApiKey(
        id=row["id"],
        name=row["name"],
        roles=_roles(row["roles"]),
        created_at=moment(row["created_at"]),
        created_by=row["created_by"],
        expires_at=moment(row["expires_at"]),
        last_used_at=moment(row["last_used_at"]),
    )
