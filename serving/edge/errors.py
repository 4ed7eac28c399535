"""Refusals: every error of the API is `{code, message, request_id}` and never a stack trace."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from serving.forms.answer import json_response

_CODES = {404: "not_found", 405: "method_not_allowed"}
_MOST_TOLD = 5


class ApiError(Exception):
    """A request that cannot be served. `code` is stable; `details` are further fields."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        headers: Mapping[str, str] | None = None,
        **details: object,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers
        self.details = details


def error_response(request_id: str, error: ApiError) -> Response:
    """The error as an answer."""
    body = {"code": error.code, "message": error.message, "request_id": request_id}
    return json_response(body | error.details, error.status, error.headers)


def invalid(errors: Sequence[Any]) -> ApiError:
    """The refusal of a request in which pydantic found these errors."""
    told = [
        f"{'.'.join(str(p) for p in e['loc']) or 'body'}: {e['msg'].removeprefix('Value error, ')}"
        for e in errors[:_MOST_TOLD]
    ]
    if len(errors) > _MOST_TOLD:
        told.append(f"and {len(errors) - _MOST_TOLD} more")
    return ApiError(422, "invalid_request", "; ".join(told) + "; see /docs")


def _told(error: Exception) -> ApiError:
    if isinstance(error, ApiError):
        return error
    if isinstance(error, RequestValidationError):
        return invalid(error.errors())
    known = cast(HTTPException, error)
    code = _CODES.get(known.status_code, "error")
    return ApiError(known.status_code, code, known.detail, known.headers)


async def _handle(request: Request, error: Exception) -> Response:
    return error_response(request.state.request_id, _told(error))


def install(app: FastAPI) -> None:
    """Let the app answer every refusal in this form."""
    for kind in (ApiError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _handle)
