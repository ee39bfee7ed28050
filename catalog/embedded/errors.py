"""What goes wrong in the registry: towards its owner, and towards whoever asks it."""

from __future__ import annotations

from ..errors import CatalogError


class RegistryError(CatalogError):
    """The registry can not start or listen; `str(error)` is a sentence that says what to do."""


class Refused(Exception):  # noqa: N818  (an answer, and the caller's fault as a rule)
    """Ends a call with this status and text, which are Consul's where Consul has the same refusal.

    Raised inside a write it takes back all that the write did.
    """

    def __init__(self, status: int, text: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = headers


class StorageFailed(Refused):
    """The file can not take a write now (a full disk, mostly). Nothing of the write was kept; reads go on."""

    def __init__(self, path: object, cause: object) -> None:
        super().__init__(
            500,
            f"the registry can not write {path} ({cause}), and nothing of this request was kept: "
            "make room on that disk and try again",
        )


class Redirected(Refused):
    """Consul has it at another path; a client that follows gets there with its method and body."""

    def __init__(self, location: str) -> None:
        super().__init__(307, "", (("Location", location),))
        self.location = location


def bad_request(text: str) -> Refused:
    return Refused(400, text)


def not_here(path: str) -> Refused:
    """501 by name, for what Consul has and the registry has not."""
    return Refused(
        501,
        f"{path} is not in the embedded registry: it has KV, transactions, sessions, the catalog, checks, health "
        "and intentions; use a real Consul for it (meshnode dev --consul ADDR)",
    )
