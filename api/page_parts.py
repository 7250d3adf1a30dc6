"""What pages share: the person in front of them, and refusals shown as pages."""

from http import HTTPStatus
from urllib.parse import urlsplit

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, Unauthorized

from adapters.accounts import User
from api.auth import csrf_token, signed_in_user
from api.problems import problem_of
from api.services import services
from domain.errors import Refused

START = "/"
_OUT_OF_DATE = "You signed in or out since it was opened. Open it again and repeat this."


def page(template: str, status: int = 200, **values: object) -> ResponseReturnValue:
    """A page made of a template; every one knows who is signed in."""
    here = services()
    shown = render_template(
        template,
        user=signed_in_user(),
        demo=here.demo,
        demo_people=here.demo_people,
        csrf_token=csrf_token,
        **values,
    )
    return shown, status


def person() -> User:
    """Who is signed in. Raises Unauthorized for machines: pages are for people."""
    user = signed_in_user()
    if user is None:
        raise Unauthorized
    return user


def local_path(wanted: str) -> str:
    """Where to go after signing in: a path of ours, never another site."""
    parts = urlsplit(wanted)
    is_ours = wanted.startswith("/") and not wanted.startswith("//") and not parts.netloc
    return wanted if is_ours and "\\" not in wanted and wanted.isprintable() else START


def show_refusals(blueprint: Blueprint) -> None:
    """Let a blueprint's refusals be pages rather than problem documents."""
    for kind in (Refused, CSRFError, HTTPException):
        blueprint.register_error_handler(kind, _refusal)


def _refusal(error: Exception) -> ResponseReturnValue:
    answer = problem_of(error)
    if answer.status_code < 400:
        return answer
    if isinstance(error, Unauthorized):
        wanted = request.full_path.rstrip("?") if request.method == "GET" else START
        return redirect(url_for("pages.sign_in_page", next=wanted), 303)
    if isinstance(error, CSRFError):
        title, detail = "This page is out of date", _OUT_OF_DATE
    else:
        title, detail = HTTPStatus(answer.status_code).phrase, answer.get_json()["detail"]
    return page("problem.html", answer.status_code, title=title, detail=f"{detail[:1].upper()}{detail[1:]}")
