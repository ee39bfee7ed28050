//! What is encoded is what a receiver reads, and what is too much is dropped and counted.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span};
use prost::Message;

use super::protobuf::Writer;
use super::*;
use crate::detect::Detected;
use crate::error::Reason;
use crate::random::Random;
use crate::router::Route;
use crate::snapshot::ListenerKind;
use crate::trace::TraceContext;

fn context(ratio: f64) -> TraceContext {
    TraceContext::begin(None, [], ratio, &mut Random::from_seed(1))
}

fn route() -> Arc<Route> {
    let mut route = Route::of("shop", 4711, "shop.example", "/cart");
    route.pattern = "shop.example/cart".into();
    Arc::new(route)
}

/// A span with every attribute.
fn edge_span() -> SpanRecord {
    SpanRecord {
        context: context(1.0),
        direction: ListenerKind::Edge,
        start_unix_ns: 1_700_000_000_000_000_001,
        end_unix_ns: 1_700_000_000_000_900_000,
        service: Arc::from("edge"),
        instance: None,
        method: "GET".into(),
        texts: Texts::of("/cart/1", "shop.example", Some(b"curl/8")),
        scheme: "https",
        listener: None,
        client_address: Some("10.0.0.9".parse().unwrap()),
        status: Some(200),
        protocol_version: "1.1",
        reason: None,
        route: Some(route()),
        source: Some(Arc::from("edge")),
        destination: Some(Arc::from("cart")),
        endpoint: Some(Arc::from("cart-1")),
        intention: Some(Arc::from("edge => cart")),
        tunnel: Some(TunnelRecord {
            received_bytes: 9,
            sent_bytes: 3,
            end: TunnelEnd::Idle,
        }),
        detected: None,
    }
}

/// A span with as few as can be.
fn bare_span(direction: ListenerKind) -> SpanRecord {
    SpanRecord {
        direction,
        service: Arc::from("web"),
        client_address: None,
        status: None,
        texts: Texts::of("/cart/1", "shop.example", None),
        route: None,
        source: None,
        destination: None,
        endpoint: None,
        intention: None,
        tunnel: None,
        ..edge_span()
    }
}

fn decode(spans: &[SpanRecord]) -> Vec<ResourceSpans> {
    let bytes = encode(spans, "node-1");
    let request = ExportTraceServiceRequest::decode(&bytes[..]).unwrap();
    assert_eq!(
        request.encode_to_vec(),
        bytes,
        "every length is in its shortest form"
    );
    request.resource_spans
}

/// The one span of a request.
fn only(spans: &[SpanRecord]) -> Span {
    let [group] = &decode(spans)[..] else {
        panic!("not one group")
    };
    let [span] = &group.scope_spans[0].spans[..] else {
        panic!("not one span")
    };
    span.clone()
}

/// The attributes as texts, in order.
fn texts(attributes: &[KeyValue]) -> Vec<(&str, String)> {
    let text = |pair: &KeyValue| match pair.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => format!("int {number}"),
        other => panic!("{other:?}"),
    };
    attributes
        .iter()
        .map(|pair| (&*pair.key, text(pair)))
        .collect()
}

#[test]
fn a_span_has_the_attributes_of_the_boundary() {
    let record = edge_span();
    let span = only(std::slice::from_ref(&record));
    assert_eq!(span.trace_id, record.context.trace_id);
    assert_eq!(span.span_id, record.context.span_id);
    assert_eq!((span.parent_span_id.len(), &*span.trace_state), (0, ""));
    assert_eq!((&*span.name, span.kind), ("GET shop.example/cart", 2));
    assert_eq!(span.start_time_unix_nano, 1_700_000_000_000_000_001);
    assert_eq!(span.end_time_unix_nano, 1_700_000_000_000_900_000);
    assert_eq!(span.flags, 0x003, "sampled and random, no parent");
    assert_eq!(span.status, None);
    let wanted = [
        ("http.request.method", "GET"),
        ("url.path", "/cart/1"),
        ("url.scheme", "https"),
        ("server.address", "shop.example"),
        ("client.address", "10.0.0.9"),
        ("http.response.status_code", "int 200"),
        ("network.protocol.version", "1.1"),
        ("user_agent.original", "curl/8"),
        ("mesh.route", "shop"),
        ("mesh.config.key", "mesh/routes/shop"),
        ("mesh.config.index", "int 4711"),
        ("mesh.source", "edge"),
        ("mesh.destination", "cart"),
        ("mesh.node", "node-1"),
        ("mesh.endpoint", "cart-1"),
        ("mesh.direction", "edge"),
        ("mesh.intention", "edge => cart"),
        ("mesh.received_bytes", "int 9"),
        ("mesh.sent_bytes", "int 3"),
        ("mesh.ended_by", "idle"),
    ];
    assert_eq!(
        texts(&span.attributes),
        wanted.map(|(key, value)| (key, value.to_owned()))
    );
}

#[test]
fn what_is_not_known_is_left_out() {
    let span = only(&[bare_span(ListenerKind::Inbound)]);
    assert_eq!((&*span.name, span.kind), ("GET", 2));
    let keys: Vec<&str> = span.attributes.iter().map(|pair| &*pair.key).collect();
    let wanted = [
        "http.request.method",
        "url.path",
        "url.scheme",
        "server.address",
        "network.protocol.version",
        "mesh.node",
        "mesh.direction",
    ];
    assert_eq!(keys, wanted);
}

#[test]
fn a_raw_connection_is_told_without_a_request() {
    let stream = SpanRecord {
        method: "".into(),
        texts: Texts::default(),
        status: None,
        listener: Some(Arc::from("tcp:5432")),
        reason: Some(Reason::IntentionDenied),
        ..edge_span()
    };
    let span = only(&[stream]);
    assert_eq!(span.name, "tcp shop.example/cart");
    let told = texts(&span.attributes);
    let wanted = [
        ("network.transport", "tcp"),
        ("client.address", "10.0.0.9"),
        ("error.type", "intention_denied"),
        ("mesh.route", "shop"),
    ];
    assert_eq!(
        told[..4],
        wanted.map(|(key, value)| (key, value.to_owned()))
    );
    assert!(told.contains(&("mesh.listener", "tcp:5432".to_owned())));
}

#[test]
fn what_was_found_out_to_be_spoken_is_told() {
    let of = |detected, texts, method: &'static str| {
        only(&[SpanRecord {
            method: method.into(),
            texts,
            detected: Some(detected),
            ..bare_span(ListenerKind::Outbound)
        }])
    };
    let told = |span: &Span, key: &str| {
        let mut found = texts(&span.attributes).into_iter();
        found.find(|(name, _)| *name == key).map(|(_, text)| text)
    };
    let name = || Texts::of_name("db.example");
    let cases = [
        (Detected::Http, "GET", Some("http"), "http"),
        (Detected::Http2, "GET", Some("http"), "http2"),
        (Detected::Tls, "", Some("tls"), "tls"),
        (Detected::Tcp, "", None, "tcp"),
        (Detected::Silent, "", None, "silent"),
    ];
    for (detected, method, protocol, word) in cases {
        let span = of(detected, name(), method);
        let protocol = protocol.map(str::to_owned);
        assert_eq!(told(&span, "network.protocol.name"), protocol);
        assert_eq!(told(&span, "mesh.detected").as_deref(), Some(word));
        assert_eq!(told(&span, "server.address").as_deref(), Some("db.example"));
    }
    let nameless = of(Detected::Tls, Texts::default(), "");
    assert_eq!(told(&nameless, "server.address"), None);
}

#[test]
fn a_hop_knows_its_parent_and_its_kind() {
    let parent = context(1.0);
    let mut record = bare_span(ListenerKind::Outbound);
    let mut random = Random::from_seed(2);
    let state = [&b"rojo=1"[..]];
    record.context = TraceContext::begin(Some(&parent.traceparent()), state, 0.0, &mut random);
    record.destination = Some(Arc::from("cart"));
    let span = only(&[record]);
    assert_eq!(span.parent_span_id, parent.span_id);
    assert_eq!(span.trace_id, parent.trace_id);
    assert_eq!((&*span.trace_state, span.flags), ("rojo=1", 0x303));
    assert_eq!((&*span.name, span.kind), ("GET cart", 3));
}

#[test]
fn an_error_says_what_it_is() {
    let check = |status: Option<u16>, reason: Option<Reason>, wanted: Option<&str>| {
        let span = only(&[SpanRecord {
            status,
            reason,
            ..edge_span()
        }]);
        let attributes = texts(&span.attributes);
        let find = |key: &str| {
            attributes
                .iter()
                .find(|(name, _)| *name == key)
                .map(|(_, value)| value.as_str())
        };
        assert_eq!(find("error.type"), wanted, "{status:?} {reason:?}");
        assert_eq!(find("mesh.reason"), reason.map(Reason::code));
        assert_eq!(span.status.map(|status| status.code), wanted.map(|_| 2));
    };
    check(Some(200), None, None);
    check(Some(404), None, None);
    check(Some(499), None, None);
    check(Some(500), None, Some("500"));
    check(
        Some(403),
        Some(Reason::IntentionDenied),
        Some("intention_denied"),
    );
    check(
        Some(504),
        Some(Reason::UpstreamTimeout),
        Some("upstream_timeout"),
    );
    check(None, Some(Reason::UpstreamClosed), Some("upstream_closed"));
}

#[test]
fn spans_are_grouped_by_who_tells_them() {
    let told_by = |service: &str, instance: Option<&str>| SpanRecord {
        service: Arc::from(service),
        instance: instance.map(Arc::from),
        ..edge_span()
    };
    let spans = [
        told_by("web", None),
        told_by("edge", None),
        told_by("web", Some("web-1")),
        told_by("web", None),
    ];
    let groups = decode(&spans);
    let seen: Vec<_> = groups
        .iter()
        .map(|group| {
            let resource = texts(&group.resource.as_ref().unwrap().attributes);
            let scope = group.scope_spans[0].scope.as_ref().unwrap();
            assert_eq!(scope.name, "meshnode-proxy");
            (resource, group.scope_spans[0].spans.len())
        })
        .collect();
    let node = ("host.name", "node-1".to_owned());
    let service = |name: &str| ("service.name", name.to_owned());
    let instance = ("service.instance.id", "web-1".to_owned());
    assert_eq!(
        seen,
        [
            (vec![service("edge"), node.clone()], 1),
            (vec![service("web"), node.clone()], 2),
            (vec![service("web"), node, instance], 1),
        ]
    );
    assert!(encode(&[], "node-1").is_empty());
}

#[test]
fn lengths_of_every_size_are_written_in_their_shortest_form() {
    for length in [1, 127, 128, 16_383, 16_384, 70_000] {
        let method = "m".repeat(length);
        let span = only(&[SpanRecord {
            method: method.clone().into(),
            ..edge_span()
        }]);
        let first = &texts(&span.attributes)[0];
        assert_eq!(*first, ("http.request.method", method));
    }
    let mut writer = Writer::default();
    writer.message(1, |_| {});
    writer.varint(2, u64::MAX);
    let wanted = [
        0x0a, 0, 0x10, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1,
    ];
    assert_eq!(writer.finish(), wanted);
}

#[test]
fn what_a_peer_says_is_cut_and_made_text() {
    let text = |bytes: &[u8]| {
        let texts = Texts::of("/a", "b", Some(bytes));
        assert_eq!((texts.path(), texts.host()), ("/a", "b"));
        texts.user_agent().map(str::to_owned).unwrap()
    };
    assert_eq!(text(b"curl/8"), "curl/8");
    assert_eq!(text(b"a\xffb"), "a\u{fffd}b");
    assert_eq!(text(b"ab\xff"), "ab\u{fffd}");
    let long = "é".repeat(TEXT_BYTES);
    let longer = format!("a{long}");
    let cut_text = text(longer.as_bytes());
    assert_eq!(
        (cut_text.len(), cut_text.ends_with('é')),
        (TEXT_BYTES - 1, true)
    );
    assert_eq!(cut(&longer), cut_text);
    assert_eq!(text(long.as_bytes()).len(), TEXT_BYTES);
    assert!(text(&vec![0xff; 100_000]).len() <= 3 * TEXT_BYTES);
    let all = Texts::of(&longer, &long, None);
    assert_eq!((all.path(), all.host()), (cut(&longer), cut(&long)));
    assert_eq!(all.user_agent(), None);
}

#[test]
fn a_trace_that_is_not_sampled_makes_no_span() {
    let ring = Arc::new(SpanRing::default());
    let mut buffer = SpanBuffer::new(Arc::clone(&ring));
    buffer.record(context(0.0).is_sampled, || panic!("made"));
    buffer.flush();
    assert_eq!(ring.counts(), SpanCounts::default());
}

#[test]
fn spans_go_to_the_ring_in_batches_and_what_is_left_by_a_flush() {
    let ring = Arc::new(SpanRing::default());
    let mut buffer = SpanBuffer::new(Arc::clone(&ring));
    for _ in 0..65 {
        buffer.record(context(1.0).is_sampled, edge_span);
    }
    assert_eq!(ring.counts().queued, 64);
    buffer.flush();
    assert_eq!(ring.take_now().len(), 65);
    buffer.record(context(1.0).is_sampled, edge_span);
    drop(buffer);
    assert_eq!(
        ring.counts(),
        SpanCounts {
            recorded: 66,
            dropped: 0,
            queued: 1
        }
    );
}

#[test]
fn a_full_ring_drops_the_oldest_and_counts() {
    let ring = SpanRing::new(8);
    for at in 0..5_u16 {
        let spans = vec![
            SpanRecord {
                status: Some(at),
                ..edge_span()
            };
            4
        ];
        ring.try_push(spans).unwrap();
    }
    assert_eq!(
        ring.counts(),
        SpanCounts {
            recorded: 20,
            dropped: 12,
            queued: 8
        }
    );
    let statuses: Vec<_> = ring
        .take_now()
        .iter()
        .map(|span| span.status.unwrap())
        .collect();
    assert_eq!(statuses, [3, 3, 3, 3, 4, 4, 4, 4]);
    assert_eq!(
        ring.counts(),
        SpanCounts {
            recorded: 20,
            dropped: 12,
            queued: 0
        }
    );
    ring.try_push(vec![edge_span(); 11]).unwrap();
    assert_eq!(
        ring.counts(),
        SpanCounts {
            recorded: 31,
            dropped: 23,
            queued: 0
        }
    );
}

#[test]
fn a_ring_in_use_makes_nobody_wait_and_a_thread_keeps_a_bounded_rest() {
    let ring = Arc::new(SpanRing::default());
    let mut buffer = SpanBuffer::new(Arc::clone(&ring));
    ring.while_locked(|| {
        for _ in 0..2000 {
            buffer.record(context(1.0).is_sampled, edge_span);
        }
    });
    assert_eq!(ring.counts().dropped, 2000 - 1024);
    buffer.flush();
    assert_eq!(ring.counts().queued, 1024);
}

#[test]
fn one_message_is_bounded() {
    let ring = SpanRing::default();
    for _ in 0..5 {
        ring.try_push(vec![edge_span(); 900]).unwrap();
    }
    let sizes: Vec<usize> = (0..4).map(|_| ring.take_now().len()).collect();
    assert_eq!(sizes, [1800, 1800, 900, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_taker_waits_for_the_first_span_and_not_longer_than_it_wants() {
    let ring = Arc::new(SpanRing::default());
    assert!(ring.take(Duration::from_secs(1)).await.is_empty());
    let shared = Arc::clone(&ring);
    let taken = tokio::spawn(async move { shared.take(Duration::from_secs(3600)).await });
    tokio::task::yield_now().await;
    ring.try_push(vec![edge_span()]).unwrap();
    assert_eq!(taken.await.unwrap().len(), 1);
}
