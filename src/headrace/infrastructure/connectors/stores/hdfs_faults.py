"""What HDFS refused by its own protocol, in words for people, and whether trying again may help."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.connectors.stores.hdfs_words import refusal

_PORT = "see that the host and port are those of the name node's RPC (fs.defaultFS), and that it runs"
_REMOTE = re.compile(r'RPCError\("([\w.$]+)", "(.*?)(?:\\n|"\)$)')
#: By what the client says: what is wrong, what to do, and whether it passes.
_SAID: tuple[tuple[str, str, str, bool], ...] = (
    ("refused", "it refused the connection", _PORT, True),
    ("lookup address", "its name is not known", "see that the host is spelt right and known here", True),
    ("disconnected|reset|broken pipe|closed|eof", "it broke the connection off", _PORT, True),
    ("DataTransferError|DataNode", "no data node gives or takes the data", "try again; see that data nodes run", True),
    ("No NameNode hosts", "it has no port, and is no name service that is known", "write hdfs://HOST:PORT/, or set HADOOP_CONF_DIR", False),
    ("SASL|GSSAPI|[Kk]erberos|Unauthorized", "it does not know us", "see that there is a ticket or a token that is good", False),
)  # fmt: skip


@contextmanager
def hdfs_faults(name: str) -> Iterator[None]:
    """Turn what hdfs-native raises into our errors. That something is not there, or is there already, goes on as it is."""
    try:
        yield
    except (FileNotFoundError, FileExistsError):
        raise
    except TimeoutError:
        raise RetryableError(f"`{name}`: it did not answer in time", hint=_PORT) from None
    except (OSError, RuntimeError) as error:
        said = str(error)
        if (remote := _REMOTE.search(said)) is not None:
            known = refusal(name, remote[1])
            if known is not None:
                raise known from None
            raise RetryableError(
                f"`{name}`: the server says: {remote[2]}", hint="try again; see what the server is doing"
            ) from None
        for pattern, what, hint, passing in _SAID:
            if re.search(pattern, said, re.IGNORECASE):
                raise (RetryableError if passing else NonRetryableError)(f"`{name}`: {what}", hint=hint) from None
        raise RetryableError(
            f"`{name}`: {said.partition(chr(10))[0][:200]}", hint="try again; see what the server is doing"
        ) from None
