"""What RabbitMQ refused by AMQP, in words for people, and whether trying again may help. Never shows a password."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from headrace.errors import HeadraceError, NonRetryableError, RetryableError, RunError
from headrace.infrastructure.brokers.wire import broken

_AGAIN = "try again; if it stays so, see what the server is doing"
#: By the code of AMQP: what to do, for what no waiting mends.
_CODES = {
    403: "grant the user the right to it: `rabbitmqctl set_permissions`",
    404: "see that it is spelt right and in this virtual host, or declare it",
    405: "somebody reads it alone: end that, or read another queue",
    406: "what is there was declared another way; read it as what it is",
    530: "see that the virtual host is spelt right, and the user may use it",
}


@contextmanager
def rabbitmq_faults(shown: str) -> Iterator[None]:
    """Turn what pika raises into our errors."""
    from pika.exceptions import AMQPError

    try:
        yield
    except HeadraceError:
        raise
    except (AMQPError, OSError) as error:
        raise explained(shown, error) from error


def explained(shown: str, error: BaseException) -> RunError:
    from pika import exceptions

    if isinstance(error, exceptions.ProbableAuthenticationError):
        return NonRetryableError(f"{shown}: the user or the password is wrong", hint="see that both are right, and known there")
    if isinstance(error, exceptions.ProbableAccessDeniedError):
        return NonRetryableError(f"{shown}: access to the virtual host is refused", hint=_CODES[530])
    code, said = getattr(error, "reply_code", None), " ".join(str(getattr(error, "reply_text", "")).split())
    if code == 403 and "LOGIN" in said.upper():
        return NonRetryableError(f"{shown}: {said}", hint="see that user and password are right, and known there")
    if code in _CODES:
        return NonRetryableError(f"{shown}: {said}", hint=_CODES[code])
    if code is not None:
        return RetryableError(f"{shown}: {said or code}", hint=_AGAIN)
    if isinstance(error, OSError):
        return broken(shown, error)
    cause = _innermost(error)
    if isinstance(cause, OSError):
        return broken(shown, cause)
    return RetryableError(f"{shown}: {_said(error)}", hint="see that the server runs, and listens at this host and port")


def _innermost(error: BaseException) -> BaseException:
    """What pika wraps several times over."""
    for inner in (getattr(error, "exception", None), *error.args):
        if isinstance(inner, BaseException) and inner is not error:
            return _innermost(inner)
    return error


def _said(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
