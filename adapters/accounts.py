"""Accounts: the people who sign in and the keys of machines, in the store's file.

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
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from adapters.event_store.database import Database, from_micros, to_micros
from domain.catalogue import LOGIN
from domain.errors import Clash, FieldError, Invalid, NotFound
from domain.mapping_settings import NAME_CHARACTERS
from domain.ports import Clock

ADMIN_KEY_ID = "admin"
ADMIN_KEY_NAME = "PARLEY_ADMIN_KEY"
PASSWORD_CHARACTERS = (8, 200)
USE_IS_NOTED_EVERY = timedelta(minutes=1)  # a write for each request would cost more than the request

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
        row = (draft.login, draft.name, self._hasher.hash(draft.password), _joined(draft.roles))
        with self._database.transaction(commit=True) as c:
            c.execute(
                "INSERT OR IGNORE INTO user_account VALUES (?, ?, ?, ?, ?) RETURNING login",
                (*row, draft.disabled),
            )
            if c.fetchone() is None:
                raise Clash(f"there is a user {draft.login} already", "login")

    def modify_user(self, draft: UserDraft) -> None:
        """Replace a user's name, roles and password, or disable the user. Raises Invalid, NotFound."""
        _check_user(draft)
        new_hash = self._hasher.hash(draft.password) if draft.password is not None else None
        with self._database.transaction(commit=True) as c:
            c.execute(
                "UPDATE user_account SET name = ?, roles = ?, disabled = ?,"
                " password_hash = coalesce(?, password_hash) WHERE login = ? RETURNING login",
                (draft.name, _joined(draft.roles), draft.disabled, new_hash, draft.login),
            )
            if c.fetchone() is None:
                raise NotFound(f"there is no user {draft.login}")

    def remove_user(self, login: str) -> None:
        """Remove a user; open sessions end. Raises NotFound."""
        with self._database.transaction(commit=True) as c:
            c.execute("DELETE FROM user_account WHERE login = ? RETURNING login", (login,))
            if c.fetchone() is None:
                raise NotFound(f"there is no user {login}")

    def user(self, login: str) -> User | None:
        """The user with this login, disabled or not."""
        with self._database.transaction(commit=False) as c:
            c.execute("SELECT * FROM user_account WHERE login = ?", (login,))
            row = c.fetchone()
        return row and _user(*row)

    def users(self, after: str, limit: int) -> list[User]:
        """At most `limit` users with a login beyond `after`, by login."""
        with self._database.transaction(commit=False) as c:
            c.execute("SELECT * FROM user_account WHERE login > ? ORDER BY login LIMIT ?", (after, limit))
            return [_user(*row) for row in c.fetchall()]

    def verify(self, login: str, password: str) -> User | None:
        """The user, if login and password are right and the user is not disabled."""
        with self._database.transaction(commit=False) as c:
            c.execute("SELECT * FROM user_account WHERE login = ?", (login,))
            row = c.fetchone()
        nobody = self._nobody  # made by whoever signs in first, whether there is such a user or not
        kept = row["password_hash"] if row else nobody
        try:
            self._hasher.verify(kept, password)
        except VerifyMismatchError:
            return None
        user = _user(*row) if row else None
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
        with self._database.transaction(commit=True) as c:
            c.execute("SELECT 1 FROM api_key WHERE name = ?", (name,))
            if c.fetchone():
                raise Clash(f"there is a key {name} already", "name")
            c.execute("INSERT INTO api_key VALUES (?, ?, ?, ?, ?, ?, ?, NULL)", _key_row(kept, key))
        return kept, key

    def ensure_admin_key(self, key: str) -> None:
        """Make this the one admin key that exists from the start; the one given before is void."""
        kept = ApiKey(
            ADMIN_KEY_ID, ADMIN_KEY_NAME, frozenset({Role.ADMIN}), self._clock.now(), "settings", None, None
        )
        with self._database.transaction(commit=True) as c:
            c.execute("SELECT hash FROM api_key WHERE id = ?", (ADMIN_KEY_ID,))
            row = c.fetchone()
            if row is None or row[0] != _hash(key):
                c.execute("DELETE FROM api_key WHERE id = ? OR hash = ?", (ADMIN_KEY_ID, _hash(key)))
                c.execute("INSERT INTO api_key VALUES (?, ?, ?, ?, ?, ?, ?, NULL)", _key_row(kept, key))

    def remove_key(self, id: str) -> None:
        """Make a key void. Raises NotFound."""
        with self._database.transaction(commit=True) as c:
            c.execute("DELETE FROM api_key WHERE id = ? RETURNING id", (id,))
            if c.fetchone() is None:
                raise NotFound(f"there is no key {id}")

    def key(self, id: str) -> ApiKey | None:
        """What is kept of a key."""
        with self._database.transaction(commit=False) as c:
            c.execute("SELECT * FROM api_key WHERE id = ?", (id,))
            row = c.fetchone()
        return row and _api_key(row)

    def keys(self, after: str, limit: int) -> list[ApiKey]:
        """At most `limit` keys with a name beyond `after`, by name."""
        with self._database.transaction(commit=False) as c:
            c.execute("SELECT * FROM api_key WHERE name > ? ORDER BY name LIMIT ?", (after, limit))
            return [_api_key(row) for row in c.fetchall()]

    def verify_key(self, key: str) -> ApiKey | None:
        """What this key is, if it is one of ours and not expired; its use is noted."""
        hashed = _hash(key)
        with self._database.transaction(commit=False) as c:
            c.execute("SELECT * FROM api_key WHERE hash = ?", (hashed,))
            row = c.fetchone()
        if row is None or not hmac.compare_digest(row["hash"], hashed):
            return None
        found, now = _api_key(row), self._clock.now()
        if found.expires_at is not None and found.expires_at <= now:
            return None
        if found.last_used_at is None or now - found.last_used_at >= USE_IS_NOTED_EVERY:
            with self._database.transaction(commit=True) as c:
                c.execute("UPDATE api_key SET last_used_at = ? WHERE id = ?", (to_micros(now), found.id))
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


def _user(login: str, name: str, password_hash: str, roles: str, disabled: int) -> User:
    stamp = hashlib.sha256(password_hash.encode()).hexdigest()[:16]
    return User(login, name, _roles(roles), bool(disabled), stamp)


def _key_row(kept: ApiKey, key: str) -> tuple[Any, ...]:
    expires = None if kept.expires_at is None else to_micros(kept.expires_at)
    created = to_micros(kept.created_at)
    return kept.id, kept.name, _hash(key), _joined(kept.roles), created, kept.created_by, expires


def _api_key(row: Any) -> ApiKey:
    return ApiKey(
        id=row["id"],
        name=row["name"],
        roles=_roles(row["roles"]),
        created_at=from_micros(row["created_at"]),
        created_by=row["created_by"],
        expires_at=None if row["expires_at"] is None else from_micros(row["expires_at"]),
        last_used_at=None if row["last_used_at"] is None else from_micros(row["last_used_at"]),
    )
