"""Tells by a message through a mail server, in SMTP. No address, and nothing that the server says, is repeated in an error."""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate

from headrace.application.orchestrator.message import Message
from headrace.business.model.definition import Loaded
from headrace.business.model.notifications import Email, Notification
from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.patience import at_most, what_broke

_PORTS = {"starttls": 587, "tls": 465, "none": 25}


@dataclass(frozen=True, slots=True)
class EmailNotifier:
    """See `Notifier`. `seconds` is for connecting, and again for the whole of the conversation."""

    seconds: float = 30.0

    def send(self, loaded: Loaded, notification: Notification, message: Message) -> None:  # noqa: ARG002 - the port
        email = notification.email
        if email is None:
            raise NonRetryableError("this notification is not an e-mail", hint="this is a defect of ours; please report it")
        password = email.password.reveal() if email.password is not None else None
        letter = _letter(email, message)
        shown = f"the mail server {email.server}"
        try:
            refused = self._converse(email, password, letter)
        except smtplib.SMTPNotSupportedError:
            hint = "see `security` and `user`; `security: tls` is for servers that encrypt from the beginning"
            raise NonRetryableError(f"{shown} does not offer what the definition asks for", hint=hint) from None
        except smtplib.SMTPRecipientsRefused as error:
            raise _refusal(f"{shown} refused every recipient", [code for code, _ in error.recipients.values()]) from None
        except smtplib.SMTPAuthenticationError as error:
            raise _refusal(f"{shown} refused the login", [error.smtp_code]) from None
        except smtplib.SMTPServerDisconnected:
            raise RetryableError(f"{shown} broke the conversation off, or did not answer in time") from None
        except smtplib.SMTPResponseException as error:
            raise _refusal(f"{shown} refused the message", [error.smtp_code]) from None
        except ssl.SSLCertVerificationError as error:
            hint = "for a certificate of your own authority, let SSL_CERT_FILE name its certificate"
            raise NonRetryableError(f"{shown} cannot be told: {what_broke(error)}", hint=hint) from None
        except (OSError, smtplib.SMTPException) as error:
            raise RetryableError(f"{shown} cannot be told: {what_broke(error)}") from None
        except UnicodeError:
            raise NonRetryableError(f"{shown} cannot be logged in to", hint="user and password must be ASCII") from None
        if refused:  # The others have it, and would get it twice.
            raise NonRetryableError(
                f"{shown} refused {refused} of {len(email.to)} recipients", hint="see the addresses in `to`"
            )

    def _converse(self, email: Email, password: str | None, letter: EmailMessage) -> int:
        """How many recipients were refused while others were not."""
        host, port = _place(email)
        if email.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=self.seconds, context=ssl.create_default_context())
        else:
            server = smtplib.SMTP(host, port, timeout=self.seconds)
        try:
            with at_most(self.seconds, lambda: server.sock):
                if email.security == "starttls":
                    server.starttls(context=ssl.create_default_context())
                if email.user is not None and password is not None:
                    server.login(email.user, password)
                refused = server.send_message(letter, email.from_, list(email.to))
                _take_leave(server)
                return len(refused)
        finally:
            server.close()


def _take_leave(server: smtplib.SMTP) -> None:
    """The message is accepted; nothing that happens now changes that."""
    try:
        server.quit()
    except (OSError, smtplib.SMTPException):
        return


def _place(email: Email) -> tuple[str, int]:
    host, colon, port = email.server.rpartition(":")
    if not colon or email.server.endswith("]"):
        host, port = email.server, ""
    return host.strip("[]"), int(port) if port else _PORTS[email.security]


def _letter(email: Email, message: Message) -> EmailMessage:
    facts = message.facts
    letter = EmailMessage()
    letter["Subject"] = f"[{facts['occasion']}] {message.summary}"
    letter["From"], letter["To"] = email.from_, ", ".join(email.to)
    letter["Date"] = formatdate()
    letter["Message-ID"] = f"<{message.id}@headrace>"
    letter["Auto-Submitted"] = "auto-generated"
    letter.set_content("\n".join([message.summary, "", *_lines(message)]) + "\n")
    return letter


def _lines(message: Message) -> list[str]:
    facts = message.facts
    lines = [
        f"pipeline: {facts['pipeline']}",
        f"trouble: {facts['trouble']}, {facts['change']}",
        f"since: {facts['opened_at']}",
    ]
    if tick := facts["tick"]:
        lines += [f"tick: {tick['at']}", f"due by: {tick['due_by']}"]
    if run := facts["run"]:
        rows = ", ".join(f"{count} {what}" for what, count in run["rows"].items())
        lines += [f"run: {run['id']}, {run['state']} at {run['ended_at']}", f"rows: {rows}"]
        lines += [f"rule: {rule}: {rows} rows" for rule, rows in run["rules"].items()]
        lines += [f"check: {check}: {outcome}" for check, outcome in run["checks"].items()]
        lines += ["", f"headrace show {run['id']}"]
    return lines


def _refusal(what: str, codes: list[int]) -> RetryableError | NonRetryableError:
    """Codes from 400 up to 499 may pass."""
    said = f"{what} ({', '.join(map(str, sorted(set(codes))))})"
    if all(400 <= code < 500 for code in codes):
        return RetryableError(said)
    return NonRetryableError(said, hint="see the addresses, the user and the password in the definition")
