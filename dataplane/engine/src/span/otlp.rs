//! Spans as an OTLP `ExportTraceServiceRequest` (opentelemetry-proto 1.x, trace.proto). It may not send it.

use std::collections::BTreeMap;

use super::protobuf::{Writer, bytes_field_bytes, varint_field_bytes};
use super::record::SpanRecord;
use crate::snapshot::ListenerKind;

/// What an encoded span takes, roughly.
const SPAN_BYTES: usize = 1024;

/// `opentelemetry.proto.trace.v1.Span.SpanKind`.
const KIND_SERVER: u64 = 2;
const KIND_CLIENT: u64 = 3;

/// `opentelemetry.proto.trace.v1.Status.StatusCode.STATUS_CODE_ERROR`.
const STATUS_ERROR: u64 = 2;

/// `SpanFlags`: it is known whether the parent is remote, and it is.
const PARENT_IS_REMOTE: u32 = 0x300;

/// The request an OTLP receiver takes: the spans by the service and instance that tell them.
pub fn encode(spans: &[SpanRecord], node: &str) -> Vec<u8> {
    let mut groups: BTreeMap<(&str, Option<&str>), Vec<&SpanRecord>> = BTreeMap::new();
    for span in spans {
        groups
            .entry((&span.service, span.instance.as_deref()))
            .or_default()
            .push(span);
    }
    let mut request = Writer::with_capacity(spans.len() * SPAN_BYTES);
    for ((service, instance), spans) in groups {
        request.message(1, |resource_spans| {
            resource_spans.message(1, |resource| {
                attribute(resource, 1, "service.name", service);
                attribute(resource, 1, "host.name", node);
                optional(resource, 1, "service.instance.id", instance);
            });
            resource_spans.message(2, |scope_spans| {
                scope_spans.message(1, |scope| {
                    scope.bytes(1, b"meshnode-proxy");
                    scope.bytes(2, env!("CARGO_PKG_VERSION").as_bytes());
                });
                for span in spans {
                    scope_spans.message(2, |message| write_span(message, span, node));
                }
            });
        });
    }
    request.finish()
}

fn write_span(message: &mut Writer, span: &SpanRecord, node: &str) {
    let context = &span.context;
    message.bytes(1, &context.trace_id);
    message.bytes(2, &context.span_id);
    if let Some(tracestate) = &context.tracestate {
        message.bytes(3, tracestate.as_bytes());
    }
    if let Some(parent_id) = &context.parent_id {
        message.bytes(4, parent_id);
    }
    let verb = if span.is_stream() {
        "tcp"
    } else {
        &*span.method
    };
    match name_behind_method(span) {
        Some(behind) => {
            message.bytes_of(5, &[verb.as_bytes(), b" ", behind.as_bytes()]);
        }
        None => message.bytes(5, verb.as_bytes()),
    }
    let is_client = span.direction == ListenerKind::Outbound;
    message.varint(6, if is_client { KIND_CLIENT } else { KIND_SERVER });
    message.fixed64(7, span.start_unix_ns);
    message.fixed64(8, span.end_unix_ns.max(span.start_unix_ns));
    if span.is_stream() {
        write_stream_attributes(message, span);
    } else {
        write_http_attributes(message, span);
    }
    write_detected(message, span);
    write_mesh_attributes(message, span, node);
    if span.is_error() {
        message.message(15, |status| status.varint(3, STATUS_ERROR));
    }
    let remote = if context.parent_id.is_some() {
        PARENT_IS_REMOTE
    } else {
        0
    };
    message.fixed32(16, u32::from(context.flags()) | remote);
}

/// `<METHOD> <route host+path>` at the edge, `<METHOD> <service>` elsewhere; only names of the configuration, so
/// that a stranger cannot make new ones.
fn name_behind_method(span: &SpanRecord) -> Option<&str> {
    match span.direction {
        ListenerKind::Edge => span.route.as_deref().map(|route| &*route.pattern),
        ListenerKind::Inbound | ListenerKind::Outbound => span.destination.as_deref(),
    }
}

/// What the semantic conventions for HTTP name.
fn write_http_attributes(message: &mut Writer, span: &SpanRecord) {
    const FIELD: u32 = 9;
    attribute(message, FIELD, "http.request.method", &span.method);
    attribute(message, FIELD, "url.path", span.texts.path());
    attribute(message, FIELD, "url.scheme", span.scheme);
    attribute(message, FIELD, "server.address", span.texts.host());
    if let Some(address) = span.client_address {
        attribute(message, FIELD, "client.address", &address.to_string());
    }
    if let Some(status) = span.status {
        integer(message, FIELD, "http.response.status_code", status.into());
    }
    attribute(
        message,
        FIELD,
        "network.protocol.version",
        span.protocol_version,
    );
    optional(
        message,
        FIELD,
        "user_agent.original",
        span.texts.user_agent(),
    );
    match (span.reason, span.status) {
        (Some(reason), _) => attribute(message, FIELD, "error.type", reason.code()),
        (None, Some(status)) if status >= 500 => {
            attribute(message, FIELD, "error.type", &status.to_string());
        }
        _ => {}
    }
}

/// What a connection turned out to speak, where its port found it out.
fn write_detected(message: &mut Writer, span: &SpanRecord) {
    const FIELD: u32 = 9;
    let Some(detected) = span.detected else {
        return;
    };
    let name = detected.protocol_name();
    optional(message, FIELD, "network.protocol.name", name);
    attribute(message, FIELD, "mesh.detected", detected.as_str());
}

/// What is known of a raw connection.
fn write_stream_attributes(message: &mut Writer, span: &SpanRecord) {
    const FIELD: u32 = 9;
    attribute(message, FIELD, "network.transport", "tcp");
    let name = Some(span.texts.host()).filter(|name| !name.is_empty());
    optional(message, FIELD, "server.address", name);
    if let Some(address) = span.client_address {
        attribute(message, FIELD, "client.address", &address.to_string());
    }
    if let Some(reason) = span.reason {
        attribute(message, FIELD, "error.type", reason.code());
    }
}

/// What only a mesh knows.
fn write_mesh_attributes(message: &mut Writer, span: &SpanRecord, node: &str) {
    const FIELD: u32 = 9;
    if let Some(route) = &span.route {
        attribute(message, FIELD, "mesh.route", &route.name);
        attribute(message, FIELD, "mesh.config.key", &route.key);
        integer(message, FIELD, "mesh.config.index", route.index);
    }
    optional(message, FIELD, "mesh.source", span.source.as_deref());
    optional(
        message,
        FIELD,
        "mesh.destination",
        span.destination.as_deref(),
    );
    attribute(message, FIELD, "mesh.node", node);
    optional(message, FIELD, "mesh.endpoint", span.endpoint.as_deref());
    optional(message, FIELD, "mesh.listener", span.listener.as_deref());
    attribute(message, FIELD, "mesh.direction", span.direction.as_str());
    optional(
        message,
        FIELD,
        "mesh.reason",
        span.reason.map(crate::error::Reason::code),
    );
    optional(message, FIELD, "mesh.intention", span.intention.as_deref());
    if let Some(tunnel) = &span.tunnel {
        integer(message, FIELD, "mesh.received_bytes", tunnel.received_bytes);
        integer(message, FIELD, "mesh.sent_bytes", tunnel.sent_bytes);
        attribute(message, FIELD, "mesh.ended_by", tunnel.end.as_str());
    }
}

fn optional(message: &mut Writer, field: u32, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        attribute(message, field, key, value);
    }
}

/// A `KeyValue` with a text: key 1, value 2, in which 1 is the text.
fn attribute(message: &mut Writer, field: u32, key: &str, value: &str) {
    let any_bytes = bytes_field_bytes(value.len());
    message.begin(
        field,
        bytes_field_bytes(key.len()) + bytes_field_bytes(any_bytes),
    );
    message.bytes(1, key.as_bytes());
    message.begin(2, any_bytes);
    message.bytes(1, value.as_bytes());
}

/// A `KeyValue` with a whole number: key 1, value 2, in which 3 is the number.
fn integer(message: &mut Writer, field: u32, key: &str, value: u64) {
    let any_bytes = varint_field_bytes(value);
    message.begin(
        field,
        bytes_field_bytes(key.len()) + bytes_field_bytes(any_bytes),
    );
    message.bytes(1, key.as_bytes());
    message.begin(2, any_bytes);
    message.varint(3, value);
}
