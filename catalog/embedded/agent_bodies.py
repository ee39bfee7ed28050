"""The bodies of an agent's registrations, and what they do to the catalog: services and checks that are its own. Knows no HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import orjson

from . import check_entries, entries, service_entries
from .body import Fields, parse_json
from .check_form import STATUSES, CheckForm, Definition
from .entries import Entry
from .errors import Refused, bad_request
from .service_form import (
    SERVICE_FIELDS,
    check_meta,
    is_any_address,
    refuse_unknown,
    service_document,
    with_default_addresses,
)
from .store import Reader, Writer

_FIELDS = (SERVICE_FIELDS - {"service"}) | {"check", "checks", "token"}


@dataclass(frozen=True, slots=True)
class ServiceRegistration:
    """A service of an agent with its checks."""

    service: dict[str, Any]
    checks: tuple[CheckForm, ...]

    @classmethod
    def of(cls, body: bytes) -> Self:
        """Refused with Consul's words."""
        try:
            return cls._of(_agent_fields(parse_json(body)))
        except ValueError as error:
            raise bad_request(f"Request decode failed: {error}") from None

    @classmethod
    def _of(cls, fields: Fields) -> Self:
        refuse_unknown(fields, _FIELDS)
        name, tags = fields.text("Name"), fields.texts("Tags") or []
        checks = _check_forms(fields)
        document = service_document(fields, fields.text("ID") or name, name, tags)
        if not name:
            raise bad_request("Missing service name")
        if is_any_address(document["Address"]):
            raise bad_request("Invalid service address")
        if fault := check_meta(document["Meta"]):
            raise bad_request(f"Invalid Service Meta: {fault}")
        for check in checks:
            if fault := check.fault():
                raise bad_request(f"Invalid check: {fault}")
        if any(check.status and check.status not in STATUSES for check in checks):
            raise bad_request("Status for checks must 'passing', 'warning', 'critical'")
        return cls(with_default_addresses(document), checks)

    def apply(
        self,
        writer: Writer,
        node: str,
        *,
        is_replacing_checks: bool,
        outputs: Mapping[str, str] | None = None,
    ) -> list[str]:
        """The ids of its checks. One that was there keeps its status and output, of which `outputs` has newer ones."""
        service_id = self.service["ID"]
        service_entries.put(writer, node, self.service)
        writer.execute("INSERT OR IGNORE INTO agent_services VALUES (?, ?)", node, service_id)
        kept = [
            self._put(writer, node, number, outputs or {}) for number in range(len(self.checks))
        ]
        if is_replacing_checks:
            for check in agent_checks(writer, node, service_id):
                if check["CheckID"] not in kept:
                    check_entries.delete(writer, node, check["CheckID"])
        return kept

    def _put(self, writer: Writer, node: str, number: int, outputs: Mapping[str, str]) -> str:
        form, service_id, name = self.checks[number], self.service["ID"], self.service["Service"]
        many = f":{number + 1}" if len(self.checks) > 1 else ""
        check_id = form.check_id or f"service:{service_id}{many}"
        document = form.document(
            node, check_id, form.name or f"Service '{name}' check", is_of_service=True
        )
        whole = {**document, "ServiceID": service_id}
        put_agent_check(writer, whole, form.definition, outputs.get(check_id))
        return check_id


@dataclass(frozen=True, slots=True)
class CheckRegistration:
    """A check of an agent: of its node, or of one of its services."""

    form: CheckForm

    @classmethod
    def of(cls, body: bytes) -> Self:
        """Refused with Consul's words."""
        try:
            form = CheckForm.of(_agent_fields(parse_json(body)))
        except ValueError as error:
            raise bad_request(f"Request decode failed: {error}") from None
        if not form.name:
            raise bad_request("Missing check name")
        if form.status and form.status not in STATUSES:
            raise bad_request("Bad check status")
        if fault := form.fault():
            raise bad_request(f"Invalid check: {fault}")
        return cls(form)

    def apply(self, writer: Writer, node: str, outputs: Mapping[str, str] | None = None) -> str:
        """The id of the check. One that was there keeps its status and output, of which `outputs` has newer ones."""
        form = self.form
        if form.service_id and agent_service(writer, node, form.service_id) is None:
            raise Refused(404, f'ServiceID "{form.service_id}" does not exist')
        check_id = form.check_id or form.name
        document = form.document(node, check_id, form.name, is_of_service=False)
        whole = {**document, "ServiceID": form.service_id}
        put_agent_check(writer, whole, form.definition, (outputs or {}).get(check_id))
        return check_id


def put_agent_check(
    writer: Writer, document: dict[str, Any], definition: Definition, output: str | None = None
) -> None:
    """A check that is the agent's own, with what it runs for it; one that was there may have a newer `output`."""
    node, check_id = document["Node"], document["CheckID"]
    there = agent_check(writer, node, check_id)
    if there is not None:
        document = {**document, "Status": there["Status"], "Output": there["Output"]}
        if output is not None:
            document["Output"] = output
    check_entries.put(writer, document)
    writer.execute(
        "INSERT INTO agent_checks VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET definition = ?3",
        node,
        check_id,
        orjson.dumps(definition.to_json()).decode(),
    )


def agent_service(reader: Reader, node: str, service_id: str) -> Entry | None:
    own = "SELECT 1 FROM agent_services WHERE node = ? AND id = ?"
    return entries.service(reader, node, service_id) if reader.row(own, node, service_id) else None


def agent_services(reader: Reader, node: str) -> list[Entry]:
    """Sorted by id."""
    rows = reader.rows("SELECT id FROM agent_services WHERE node = ?", node)
    own = {row["id"] for row in rows}
    return [service for service in entries.services_on(reader, node) if service["ID"] in own]


def agent_check(reader: Reader, node: str, check_id: str) -> Entry | None:
    return entries.check(reader, node, check_id) if definition(reader, node, check_id) else None


def agent_checks(reader: Reader, node: str, service_id: str | None = None) -> list[Entry]:
    """Sorted by id; of one service, if it is named."""
    rows = reader.rows("SELECT id FROM agent_checks WHERE node = ?", node)
    own = {row["id"] for row in rows}
    return [
        check
        for check in entries.checks_on(reader, node)
        if check["CheckID"] in own and service_id in (None, check["ServiceID"])
    ]


def definition(reader: Reader, node: str, check_id: str) -> Definition | None:
    """What the agent runs for a check of its own; None if it has no such check."""
    row = reader.row("SELECT * FROM agent_checks WHERE node = ? AND id = ?", node, check_id)
    return Definition.from_json(orjson.loads(row["definition"])) if row else None


def _check_forms(fields: Fields) -> tuple[CheckForm, ...]:
    """`Checks`, then `Check`; an empty one is none."""
    listed = [*(fields.objects("Checks") or ()), fields.object("Check")]
    return tuple(
        CheckForm.of(_agent_fields(one.original)) for one in listed if one and one.original
    )


def _agent_fields(found: Any) -> Fields:
    """An agent also takes names with underscores, as its files have them."""
    if isinstance(found, Mapping):
        found = {name.replace("_", ""): value for name, value in found.items()}
    return Fields(found, "structs.ServiceDefinition")
