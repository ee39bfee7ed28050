//! The counters add up, are bounded, and are written as the golden document has them.

use std::time::Duration;

use serde_json::{Value, json};

use super::recorder::SWEEP_EVERY;
use super::*;
use crate::clock;
use crate::detect::Detected;
use crate::error::Reason;
use crate::snapshot::Snapshot;
use crate::span::SpanCounts;

const GOLDEN: &str = include_str!("../../../../tests/golden/stats.json");

fn labels(route: &str) -> RequestLabels<'_> {
    RequestLabels {
        listener: "edge",
        source: "edge",
        destination: "cart",
        route,
        status: 200,
        reason: None,
    }
}

fn us(latency: u64) -> Duration {
    Duration::from_micros(latency)
}

fn requests(recorder: &Recorder) -> Value {
    report(recorder)["requests"].take()
}

fn report(recorder: &Recorder) -> Value {
    serde_json::from_slice(&recorder.to_json(&Outside::default())).unwrap()
}

/// What two threads counted, as the golden document tells it.
fn threads() -> [Recorder; 2] {
    let mut one = Recorder::new();
    for latency in [90, 100, 101, 700, 20_000_000] {
        one.record_request(&labels("shop"), us(latency));
    }
    let denied = RequestLabels {
        status: 403,
        reason: Some(Reason::IntentionDenied),
        ..labels("shop")
    };
    one.record_request(&denied, us(40));
    one.record_accepted("edge");
    one.record_accepted("edge");
    one.record_refused("web");
    let ended = one.record_sent("cart", "cart-1", false);
    one.record_end(ended);
    one.record_idle("cart", "cart-1");
    let stream = RequestLabels {
        status: 0,
        ..labels("shop")
    };
    let over = one.record_stream(&stream);
    one.record_stream_end(over, 20, 14);
    one.record_stream_refused(&RequestLabels {
        reason: Some(Reason::NoRoute),
        ..stream
    });
    let silent = DetectedLabels {
        listener: "web:mail",
        source: "web",
        destination: "mail",
        protocol: Some(Detected::Silent),
    };
    one.record_detected(&silent);
    one.record_detected(&silent);
    one.record_handshake();
    one.record_tls_failure("timeout");
    one.record_bytes(1000, 2000);
    one.record_bad_request("both_length_and_chunked");
    one.record_cut("http2_rapid_reset");
    one.record_shed("cpu", "request");
    one.record_shed("cpu", "connection");

    let mut other = Recorder::new();
    other.record_request(&labels("shop"), us(300));
    other.record_accepted("edge");
    other.record_sent("cart", "cart-1", true);
    other.record_idle("cart", "cart-1");
    other.record_stream(&RequestLabels {
        status: 0,
        ..labels("shop")
    });
    other.record_detected(&silent);
    other.record_detected(&DetectedLabels {
        protocol: Some(Detected::Http2),
        ..silent
    });
    other.record_connect_error("cart", "cart-2");
    other.record_retry("cart", "cart-2");
    other.record_handshake_error();
    other.record_secured(true);
    other.record_bytes(1, 2);
    other.record_bad_request("both_length_and_chunked");
    other.record_bad_request("bare_lf");
    other.record_shed("cpu", "request");
    [one, other]
}

fn outside() -> Outside {
    Outside {
        generation: 7,
        snapshot_unix_ms: 1_700_000_000_000,
        uptime_ms: 60_000,
        is_draining: false,
        active: [("edge".to_owned(), 2), ("mesh".to_owned(), 0)].into(),
        spans: SpanCounts {
            recorded: 7,
            dropped: 1,
            queued: 2,
        },
        overload: json!({"connections_most": 50_000, "handles": 40, "handles_most": 262_144,
            "memory_bytes": 20_000_000, "memory_most_bytes": 0}),
        faults: FaultCounts {
            panics: 1,
            accept_errors: 3,
            control_refused: 2,
        },
        identities: vec![IdentityState {
            name: "edge".to_owned(),
            not_after_unix_s: 1_700_003_600,
        }],
        certificates: vec![CertificateState {
            host: "shop.example".to_owned(),
            not_after_unix_s: 1_700_003_600,
            fingerprint: "ab".to_owned(),
        }],
        listeners: json!({"edge": {"state": "open", "address": "0.0.0.0:8080", "error": null}}),
    }
}

#[test]
fn the_merged_counters_are_the_golden_document() {
    let [mut one, other] = threads();
    one.merge(&other);
    let written = String::from_utf8(one.to_json(&outside())).unwrap();
    let wanted: Value = serde_json::from_str(GOLDEN).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), wanted);
}

#[test]
fn threads_may_be_merged_in_any_order() {
    let [one, other] = threads();
    let (mut forth, mut back) = (Recorder::new(), Recorder::new());
    forth.merge(&one);
    forth.merge(&other);
    back.merge(&other);
    back.merge(&one);
    assert_eq!(forth.to_json(&outside()), back.to_json(&outside()));
}

#[test]
fn a_latency_is_in_the_first_bucket_that_is_not_below_it() {
    let mut histogram = Histogram::default();
    for latency in [0, 99, 100, 101, 10_000_000, 10_000_001] {
        histogram.record(us(latency));
    }
    histogram.record(Duration::MAX);
    let counts: Vec<_> = histogram.cumulative().collect();
    assert_eq!(counts[0], (Some(100), 3));
    assert_eq!(counts[1], (Some(250), 4));
    assert_eq!(counts[15], (Some(10_000_000), 5));
    assert_eq!(counts[16], (None, 7));
    assert_eq!((histogram.count(), histogram.sum_us()), (7, u64::MAX));
    assert!(BUCKET_BOUNDS_US.is_sorted());
}

#[test]
fn nothing_counted_is_an_empty_report() {
    let report = report(&Recorder::new());
    for rows in ["requests", "connections", "upstreams", "bad_requests"] {
        assert_eq!(report[rows], json!([]), "{rows}");
    }
}

#[test]
fn label_sets_beyond_the_limit_are_counted_as_other() {
    let mut recorder = Recorder::with_label_sets(3);
    for at in 0..10 {
        recorder.record_request(&labels(&format!("r{at}")), us(1));
        recorder.record_sent("cluster", &format!("e{at}"), false);
    }
    recorder.record_request(&labels("r1"), us(1));
    let rows = requests(&recorder);
    let rows = rows.as_array().unwrap().iter();
    let rows: Vec<_> = rows
        .map(|row| (row["route"].as_str(), row["count"].as_u64()))
        .collect();
    let wanted = [("r0", 1), ("r1", 2), ("r2", 1), ("other", 7)];
    assert_eq!(
        rows,
        wanted.map(|(route, count)| (Some(route), Some(count)))
    );

    // Merged, what is `other` to one stays `other`, and no row is told twice.
    let mut sum = Recorder::with_label_sets(100);
    sum.merge(&recorder);
    sum.merge(&recorder);
    assert_eq!(requests(&sum)[3]["count"], 14);
    assert_eq!(requests(&sum).as_array().unwrap().len(), 4);
    assert_eq!(report(&sum)["upstreams"].as_array().unwrap().len(), 4);
}

#[test]
fn labels_that_differ_in_one_part_are_told_apart() {
    let mut recorder = Recorder::new();
    let base = RequestLabels {
        listener: "a",
        source: "b",
        destination: "c",
        route: "d",
        status: 1,
        reason: None,
    };
    let all = [
        base,
        RequestLabels {
            listener: "ab",
            source: "",
            ..base
        },
        RequestLabels {
            source: "x",
            ..base
        },
        RequestLabels {
            destination: "x",
            ..base
        },
        RequestLabels { route: "x", ..base },
        RequestLabels { status: 2, ..base },
        RequestLabels {
            reason: Some(Reason::NoRoute),
            ..base
        },
    ];
    for labels in all.iter().chain(&all) {
        recorder.record_request(labels, us(1));
    }
    let rows = requests(&recorder);
    assert_eq!(rows.as_array().unwrap().len(), all.len());
    assert!(rows.as_array().unwrap().iter().all(|row| row["count"] == 2));
}

/// What the golden snapshot has: routes shop and old, services cart with cart-1 and web, listeners edge and mesh.
fn configured() -> Snapshot {
    let document = include_bytes!("../../../../tests/golden/snapshot_full.json");
    Snapshot::empty().apply(document).unwrap()
}

fn told(recorder: &Recorder, rows: &str, label: &str) -> Vec<String> {
    let report = report(recorder);
    let names = report[rows].as_array().unwrap().iter();
    names
        .map(|row| row[label].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn what_is_configured_no_more_is_told_for_a_while_and_then_forgotten() {
    let (snapshot, began) = (configured(), clock::now());
    let mut recorder = Recorder::new();
    for route in ["shop", "left", "busy"] {
        recorder.record_request(&labels(route), us(1));
    }
    let elsewhere = RequestLabels {
        destination: "nobody",
        ..labels("")
    };
    recorder.record_request(&elsewhere, us(1));
    recorder.record_accepted("edge");
    recorder.record_accepted("former");
    recorder.record_connect_error("cart", "cart-1");
    recorder.record_connect_error("cart", "cart-0");
    let open = recorder.record_sent("cart", "cart-00", false);
    for sweep in 0..=2 {
        assert_eq!(told(&recorder, "requests", "route").len(), 4, "{sweep}");
        assert_eq!(told(&recorder, "upstreams", "endpoint").len(), 3, "{sweep}");
        recorder.record_request(&labels("busy"), us(1));
        recorder.forget(&snapshot, began + SWEEP_EVERY * sweep);
        recorder.forget(&snapshot, began + SWEEP_EVERY * sweep);
    }
    assert_eq!(told(&recorder, "requests", "route"), ["busy", "shop"]);
    assert_eq!(told(&recorder, "connections", "listener"), ["edge"]);
    assert_eq!(
        told(&recorder, "upstreams", "endpoint"),
        ["cart-00", "cart-1"]
    );
    // Its place is its own as long as something runs there.
    recorder.record_sent("cart", "cart-9", false);
    recorder.record_end(open);
    assert_eq!(report(&recorder)["upstreams"][0]["running"], 0);
    assert_eq!(report(&recorder)["upstreams"][2]["running"], 1);
}

#[test]
fn callers_that_are_gone_go_once_they_were_silent_for_long() {
    let (snapshot, began) = (configured(), clock::now());
    let mut recorder = Recorder::new();
    let of = |source| RequestLabels {
        listener: "mesh",
        source,
        ..labels("")
    };
    for source in ["edge", "web", "gone", "loud"] {
        recorder.record_request(&of(source), us(1));
        recorder.record_stream(&of(source));
    }
    let refused = |recorder: &mut Recorder, source| recorder.record_stream_refused(&of(source));
    for sweep in 0..=2 {
        assert_eq!(told(&recorder, "requests", "source").len(), 4, "{sweep}");
        recorder.record_request(&of("loud"), us(1));
        refused(&mut recorder, "loud");
        recorder.forget(&snapshot, began + SWEEP_EVERY * sweep);
    }
    assert_eq!(
        told(&recorder, "requests", "source"),
        ["edge", "loud", "web"]
    );
    // A connection that is open keeps its row, whoever opened it.
    let open = ["edge", "gone", "loud", "web"];
    assert_eq!(told(&recorder, "streams", "source"), open);
    // Who comes back begins anew.
    recorder.record_request(&of("gone"), us(1));
    let rows = requests(&recorder);
    let gone = rows.as_array().unwrap().iter();
    let counts: Vec<_> = gone
        .filter(|row| row["source"] == "gone")
        .map(|row| row["count"].clone())
        .collect();
    assert_eq!(counts, [1]);
}

#[test]
fn names_that_come_and_go_never_fill_the_table() {
    let (snapshot, began) = (configured(), clock::now());
    let mut recorder = Recorder::with_label_sets(4);
    recorder.record_request(&labels("shop"), us(1));
    for round in 0..50 {
        recorder.record_request(&labels(&format!("r{round}")), us(1));
        recorder.forget(&snapshot, began + SWEEP_EVERY * round);
    }
    let rows = told(&recorder, "requests", "route");
    assert!(!rows.contains(&"other".to_owned()), "{rows:?}");
    assert_eq!(rows, ["r49", "shop"]);
}
