"""Refusals: every error of the API is `{code, message, request_id}` and never a stack trace."""

from typing import cast

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from serving.answer import json_response

_CODES = {404: "not_found", 405: "method_not_allowed"}


class ApiError(Exception):
    """A request that cannot be served. `code` is stable; `details` are further fields."""

    def __init__(self, status: int, code: str, message: str, **details: object) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details


def error_response(request_id: str, error: ApiError) -> Response:
    """The error as an answer."""
    body = {"code": error.code, "message": error.message, "request_id": request_id}
    return json_response(body | error.details, error.status)


def _told(error: Exception) -> ApiError:
    if isinstance(error, ApiError):
        return error
    if isinstance(error, RequestValidationError):
        parts = (
            f"{'.'.join(str(p) for p in e['loc'])}: {e['msg'].removeprefix('Value error, ')}"
            for e in error.errors()
        )
        return ApiError(422, "invalid_request", "; ".join(parts) + "; see /docs")
    known = cast(HTTPException, error)
    return ApiError(known.status_code, _CODES.get(known.status_code, "error"), known.detail)


async def _handle(request: Request, error: Exception) -> Response:
    return error_response(request.state.request_id, _told(error))


def install(app: FastAPI) -> None:
    """Let the app answer every refusal in this form."""
    for kind in (ApiError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _handle)
