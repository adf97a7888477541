"""Secrets: read only when revealed, shown nowhere."""

from __future__ import annotations

import base64
import json
import os
import pickle
import traceback
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from headrace.errors import NonRetryableError
from headrace.security.secrets import Secret, Vault

CANARY = "cAn4ry-hunter2"


def vault(tmp_path: Path, **env: str) -> Vault:
    return Vault.of(tmp_path, env)


def test_a_secret_is_revealed_in_its_surroundings(tmp_path):
    secret = Secret("postgresql://app:${secret:env/PW}@db/x?o=$${y}", vault(tmp_path, PW=CANARY))
    assert secret.reveal() == f"postgresql://app:{CANARY}@db/x?o=${{y}}"


def test_it_is_read_anew_each_time(tmp_path):
    env = {"PW": "old"}
    secret = Secret("${secret:env/PW}", Vault.of(tmp_path, env))
    assert secret.reveal() == "old"
    env["PW"] = "new"
    assert secret.reveal() == "new"


@pytest.mark.parametrize(
    "written", [CANARY, f"postgresql://u:{CANARY}@h/d", f"{CANARY}${{secret:env/PW}}{CANARY}", "${secret:env/PW}"]
)
def test_no_form_of_it_shows_a_value(tmp_path, written):
    secret = Secret(written, vault(tmp_path, PW=CANARY))

    class Options(BaseModel):
        url: Secret

    options = Options(url=secret)
    shown = [
        str(secret),
        repr(secret),
        f"{secret}",
        f"{secret!r}",
        repr([secret]),
        repr(options),
        options.model_dump_json(),
        repr(vault(tmp_path, PW=CANARY)),
    ]
    for text in shown:
        for form in (CANARY, base64.b64encode(CANARY.encode()).decode(), CANARY.encode().hex()):
            assert form not in text


def test_a_reference_is_dumped_as_it_is_written():
    class Options(BaseModel):
        url: Secret

    assert json.loads(Options.model_validate({"url": "${secret:env/PW}"}).model_dump_json()) == {"url": "${secret:env/PW}"}


def test_an_option_that_is_a_secret_refuses_other_things_without_showing_them():
    class Options(BaseModel):
        model_config = {"hide_input_in_errors": True}
        url: Secret

    with pytest.raises(ValidationError) as caught:
        Options.model_validate({"url": [CANARY]})
    assert CANARY not in str(caught.value)


def test_it_does_not_leave_the_process():
    with pytest.raises(TypeError, match="pass the reference"):
        pickle.dumps(Secret(CANARY))


def test_equal_by_what_is_written():
    assert Secret("${secret:env/A}") == Secret("${secret:env/A}", Vault())
    assert Secret("${secret:env/A}") != Secret("${secret:env/B}")
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


def test_a_variable_that_is_not_there_is_named(tmp_path):
    with pytest.raises(NonRetryableError, match="env/PW") as caught:
        Secret("${secret:env/PW}", vault(tmp_path)).reveal()
    assert "PW" in str(caught.value.hint)


def test_an_unknown_provider_says_which_there_are(tmp_path):
    with pytest.raises(NonRetryableError) as caught:
        Secret("${secret:vault/PW}", vault(tmp_path)).reveal()
    assert caught.value.hint == "allowed: env, file"


def test_a_provider_of_ones_own(tmp_path):
    assert Secret("${secret:keys/a/b}", Vault.of(tmp_path, {}, keys=str.upper)).reveal() == "A/B"


def keep(folder: Path, name: str, content: bytes, mode: int = 0o600) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)
    return path


def from_file(project: Path, name: str) -> str:
    return Secret(f"${{secret:file/{name}}}", vault(project)).reveal()


def test_a_file_gives_its_text_without_the_last_line_end(tmp_path):
    keep(tmp_path, "secrets/pw", b"s3cret \n")
    assert from_file(tmp_path, "secrets/pw") == "s3cret "


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644, 0o660])
def test_a_file_that_others_can_read_is_refused(tmp_path, mode):
    keep(tmp_path, "pw", CANARY.encode(), mode)
    with pytest.raises(NonRetryableError, match="others than its owner") as caught:
        from_file(tmp_path, "pw")
    assert "chmod 600" in str(caught.value.hint)


@pytest.mark.parametrize("name", ["../pw", "/etc/passwd", "a/../../pw", ".", "x\0y"])
def test_a_file_outside_of_the_project_is_refused(tmp_path, name):
    project = tmp_path / "project"
    project.mkdir()
    keep(tmp_path, "pw", CANARY.encode())
    with pytest.raises(NonRetryableError, match="outside"):
        from_file(project, name)


def test_a_link_out_of_the_project_is_refused(tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    (project / "pw").symlink_to(keep(tmp_path, "pw", CANARY.encode()))
    with pytest.raises(NonRetryableError, match="outside"):
        from_file(project, "pw")


def test_a_pipe_does_not_hold_it_up(tmp_path):
    os.mkfifo(tmp_path / "pw", 0o600)
    with pytest.raises(NonRetryableError, match="not a regular file"):
        from_file(tmp_path, "pw")


def test_what_is_too_large_or_no_text_is_refused_without_being_shown(tmp_path):
    keep(tmp_path, "large", CANARY.encode() * 10_000)
    keep(tmp_path, "bytes", CANARY.encode() + b"\xff")
    for name in ("large", "bytes"):
        with pytest.raises(NonRetryableError) as caught:
            from_file(tmp_path, name)
        assert CANARY not in "".join(traceback.format_exception(caught.value))
