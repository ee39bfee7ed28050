"""What may go wrong in the agent and the commands: one base, few kinds, one sentence and one exit code each.

Nothing here prints or ends the process: the command line does, by `exit_code`.
"""

from __future__ import annotations

import errno

EXIT_DONE = 0
EXIT_REFUSED = 1
EXIT_USAGE = 2
EXIT_NOT_REACHED = 3


class MeshnodeError(Exception):
    """Base. `str(error)` is a sentence for a person, `exit_code` what a command ends with."""

    exit_code = EXIT_REFUSED


class SettingsError(MeshnodeError):
    """A setting has a wrong value or no such name; `where` is `file:line`, a variable or a flag."""

    exit_code = EXIT_USAGE

    def __init__(self, where: str, sentence: str) -> None:
        super().__init__(f"{where}: {sentence}")
        self.where = where
        self.sentence = sentence


class UsageError(MeshnodeError):
    """The command was asked for something that cannot be meant."""

    exit_code = EXIT_USAGE


class StartError(MeshnodeError):
    """The agent can not start here: a port is taken, a folder is locked, a program is missing."""


class NotReachedError(MeshnodeError):
    """Something outside does not answer; says what to do about it."""

    exit_code = EXIT_NOT_REACHED


class AdminError(NotReachedError):
    """A node's admin API, at `address`, does not answer, or not as one; `cause` says how."""

    def __init__(self, address: str, cause: str) -> None:
        super().__init__(f"the admin API at {address} does not answer ({cause})")
        self.address = address
        self.cause = cause


class ProxyError(MeshnodeError):
    """Base of what the control socket's other end can do wrong."""


class ProxyUnreachable(ProxyError):  # noqa: N818  (the words of the catalog's errors)
    """Nothing usable answers on the control socket."""

    exit_code = EXIT_NOT_REACHED

    def __init__(self, socket_path: object, cause: object) -> None:
        super().__init__(
            f"the proxy does not answer on {socket_path} ({cause}): is the agent running?"
        )
        self.cause = cause


class ProxyRefused(ProxyError):  # noqa: N818  (it did refuse: no error of its own)
    """The proxy keeps what it has: HTTP `status`, the `sentence` and the `path` into the document, where it gave one."""

    def __init__(self, status: int, sentence: str, path: str | None = None) -> None:
        where = f"{path}: " if path else ""
        super().__init__(f"the proxy refused this ({status}): {where}{sentence}")
        self.status = status
        self.sentence = sentence
        self.path = path


class BaseNotInForce(ProxyRefused):
    """A delta was made from another table than the one in force, whose digest is `digest`."""

    def __init__(self, sentence: str, digest: str | None) -> None:
        super().__init__(409, sentence)
        self.digest = digest


def address_sentence(what: str, address: str, setting: str, error: OSError) -> str:
    """The sentence for an address that can't be had."""
    if error.errno == errno.EADDRINUSE:
        port = address.rpartition(":")[2]
        return (
            f"{address} is taken by another program, so {what} can not listen there: stop that one "
            f"(ss -ltnp 'sport = :{port}' names it), or set {setting} to another address"
        )
    if error.errno == errno.EACCES:
        return (
            f"this user may not listen on {address} for {what}: set {setting} to a port above 1023"
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return f"this machine has no address {address}, for {what}: set {setting} to one it has"
    return (
        f"{what} can not listen on {address} ({error.strerror}): set {setting} to another address"
    )
