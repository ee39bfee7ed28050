//! Prints what it costs to decide about a request and to take a snapshot: `cargo run --release --example decide_bench`.
//! It asserts nothing. With `flat SHAPE ROUTES REQUESTS` it reads and decides so many requests and says nothing: counted
//! by callgrind for two numbers of requests, the difference is what one costs, whatever else runs on the machine.

use std::fmt::Write;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use meshnode_engine::balancer::Balancer;
use meshnode_engine::clock;
use meshnode_engine::decide::{Origin, decide};
use meshnode_engine::http1::{HeaderStore, Parsed, parse_request};
use meshnode_engine::plan::Caller;
use meshnode_engine::random::Random;
use meshnode_engine::request::head_limits;
use meshnode_engine::router::{Asked, nearest};
use meshnode_engine::snapshot::{ListenerKind, Snapshot};
use meshnode_engine::span::{SpanRecord, Texts, encode};
use meshnode_engine::stats::{Recorder, RequestLabels};
use meshnode_engine::trace::TraceContext;

const RUNS: u32 = 15;

const SETTINGS: &str = r#""settings":{"node":{"node":"n","datacenter":"dc1","trust_domain":"t","intention_default":"deny","trace_ratio":1}}"#;

/// Hosts and paths of a table's routes, by their number.
type Shape = fn(usize) -> (String, String);

const SHAPES: [(&str, Shape); 3] = [
    ("each on a host of its own", |at| {
        (format!("h{at}.example"), format!("/p{at}"))
    }),
    ("all on one host", |at| {
        ("shop.example".to_owned(), format!("/p{at}"))
    }),
    ("each on a wildcard", |at| {
        (format!("*.h{at}.example"), format!("/p{at}"))
    }),
];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, shape, routes, requests] = &words[..]
        && mode == "flat"
    {
        let number = |word: &String| word.parse::<usize>().expect("a number");
        return decide_requests(SHAPES[number(shape)].1, number(routes), number(requests));
    }
    for routes in [1, 1_000, 10_000] {
        println!("{routes} routes");
        for (name, shape) in SHAPES {
            measure_snapshot(name, routes, shape);
        }
    }
    measure_balancer();
    measure_trace();
    measure_stats();
    measure_spans();
}

fn measure_snapshot(name: &str, routes: usize, at: impl Fn(usize) -> (String, String)) {
    let full = document(routes, 1, &at);
    let snapshot = Snapshot::empty()
        .apply(full.as_bytes())
        .expect("the document is right");
    let full_ms = per_call(20, || {
        black_box(Snapshot::empty().apply(full.as_bytes())).is_ok()
    });
    let same_ms = per_call(20, || black_box(snapshot.apply(full.as_bytes())).is_ok());
    let (host, path) = at(routes / 2);
    let changed = route(&host, &path, 99);
    let delta = format!(
        r#"{{"schema":1,"kind":"delta","base":"d1","generation":2,"digest":"d2","set":{{"routes":{{"r{}":{changed}}}}}}}"#,
        routes / 2
    );
    let delta_ms = per_call(50, || black_box(snapshot.apply(delta.as_bytes())).is_ok());
    let asked: Vec<(String, String)> = (0..64)
        .map(|step| at(step * routes / 64))
        .map(|(host, path)| (host.replace('*', "www"), format!("{path}/items/42")))
        .collect();
    let mut next = 0;
    let find = per_call(2_000_000, || {
        next = (next + 1) % asked.len();
        let (host, path) = &asked[next];
        black_box(snapshot.router.find(black_box(&Asked::get(host, path)))).is_some()
    });
    let lost = Asked::get("new.test", "/");
    let hint = per_call(50, || {
        black_box(nearest(snapshot.routes(), black_box(&lost), None, 3)).is_empty()
    });
    println!(
        "  {name:26} find {:4} ns   nearest {:4} µs   full {:8.3} ms ({:.1} MB)   the same again {:8.3} ms   delta of one {:6.3} ms",
        find.as_nanos(),
        hint.as_micros(),
        ms(full_ms),
        full.len() as f64 / 1e6,
        ms(same_ms),
        ms(delta_ms),
    );
}

/// Reads heads and decides about them, as serving does, each request for another of 64 routes of the table.
fn decide_requests(shape: Shape, routes: usize, requests: usize) {
    let document = document(routes, 1, shape);
    let snapshot = Snapshot::empty()
        .apply(document.as_bytes())
        .expect("the document is right");
    let caller = Caller {
        host: None,
        secured: None,
        kind: ListenerKind::Edge,
        source: Arc::from("edge"),
        destination: None,
    };
    let origin = Origin {
        caller: &caller,
        address: [127, 0, 0, 1].into(),
        refusal: None,
        is_http2: false,
    };
    let heads: Vec<Vec<u8>> = (0..64)
        .map(|step| shape(step * routes / 64))
        .map(|(host, path)| {
            // As long as each other, however many routes there are.
            let (host, path) = (host.replace('*', "www"), format!("{path}/items/42"));
            let agent = "x".repeat(120 - host.len() - path.len());
            format!(
                "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\nAccept: */*\r\n\r\n"
            )
            .into_bytes()
        })
        .collect();
    let limits = head_limits(&snapshot.settings.limits);
    let (mut store, mut out) = (HeaderStore::new(), Vec::new());
    let mut random = Random::from_seed(1);
    let mut balancer = Balancer::new(Random::from_seed(1));
    for at in 0..requests {
        let head = &heads[at % heads.len()];
        let parsed = parse_request(head, &limits, &mut store);
        let Ok(Parsed::Complete(head)) = parsed else {
            unreachable!("the head is right")
        };
        let trace = TraceContext::begin(None, [], 0.0, &mut random);
        out.clear();
        let decided = decide(&snapshot, &origin, &head, &trace, &mut balancer, &mut out);
        assert!(black_box(decided).plan.is_forwarded());
    }
}

fn route(host: &str, path: &str, index: usize) -> String {
    format!(
        r#"{{"key":"mesh/routes/team/shop-{index}","index":{index},"hosts":["{host}"],"path":{{"prefix":"{path}"}},"action":{{"split":[{{"cluster":"cart","weight":90}},{{"cluster":"next","weight":10}}]}},"timeout_ms":2000,"strip_prefix":null}}"#
    )
}

fn document(routes: usize, generation: usize, at: impl Fn(usize) -> (String, String)) -> String {
    let mut document = format!(
        r#"{{"schema":1,"kind":"full","generation":{generation},"digest":"d{generation}","resources":{{{SETTINGS},"clusters":{{"cart":{},"next":{}}},"routes":{{"#,
        cluster("cart"),
        cluster("next"),
    );
    for number in 0..routes {
        let (host, path) = at(number);
        let comma = if number > 0 { "," } else { "" };
        let _ = write!(
            document,
            "{comma}\"r{number}\":{}",
            route(&host, &path, number)
        );
    }
    document + "}}}"
}

fn cluster(name: &str) -> String {
    let endpoint = |at: usize| {
        format!(
            r#"{{"id":"{name}-{at}","node":"n{at}","address":"10.0.0.{at}:9000","weight":{at},"via":"mesh","mesh_address":"10.0.0.{at}:7443"}}"#
        )
    };
    let endpoints: Vec<String> = (1..=8).map(endpoint).collect();
    format!(
        r#"{{"service":"{name}","exists":true,"instances":8,"endpoints":[{}]}}"#,
        endpoints.join(",")
    )
}

fn measure_balancer() {
    let document = document(1, 1, |_| ("h".to_owned(), "/".to_owned()));
    let snapshot = Snapshot::empty()
        .apply(document.as_bytes())
        .expect("the document is right");
    let mut balancer = Balancer::new(Random::from_seed(1));
    let cart = snapshot.clusters.get("cart").expect("it is there");
    let pick = per_call(5_000_000, || {
        black_box(balancer.pick_endpoint(black_box(cart), &[])).is_some()
    });
    println!("endpoint of 8: {} ns", pick.as_nanos());
}

fn measure_trace() {
    let mut random = Random::from_seed(1);
    let fresh = per_call(5_000_000, || {
        TraceContext::begin(None, [], 0.5, &mut random).is_sampled
    });
    let header = TraceContext::begin(None, [], 1.0, &mut random).traceparent();
    let parent = per_call(5_000_000, || {
        let context = TraceContext::begin(Some(black_box(&header)), [], 0.5, &mut random);
        black_box(context.traceparent());
        context.is_sampled
    });
    println!(
        "trace begun: {} ns, gone on with and written: {} ns",
        fresh.as_nanos(),
        parent.as_nanos()
    );
}

fn measure_stats() {
    let mut recorder = Recorder::new();
    let routes: Vec<String> = (0..1000).map(|at| format!("team/shop-{at}")).collect();
    let mut next = 0;
    for (name, count) in [("one label set", 1), ("1,000 label sets", 1000)] {
        let record = per_call(5_000_000, || {
            next = (next + 1) % count;
            let labels = RequestLabels {
                listener: "edge",
                source: "edge",
                destination: "cart",
                route: &routes[next],
                status: 200,
                reason: None,
            };
            recorder.record_request(black_box(&labels), black_box(Duration::from_micros(1234)));
            true
        });
        println!("request counted, {name}: {} ns", record.as_nanos());
    }
    let other = recorder.clone();
    let merge = per_call(200, || {
        recorder.merge(&other);
        true
    });
    println!("merge of 1,000 label sets: {:.3} ms", ms(merge));
}

fn measure_spans() {
    let document = document(1, 1, |_| ("shop.example".to_owned(), "/cart".to_owned()));
    let snapshot = Snapshot::empty()
        .apply(document.as_bytes())
        .expect("the document is right");
    let mut random = Random::from_seed(1);
    let context = TraceContext::begin(None, [], 1.0, &mut random);
    let names = ["edge", "cart", "cart-1", "edge => cart"].map(Arc::<str>::from);
    let make = || SpanRecord {
        context: context.clone(),
        direction: ListenerKind::Edge,
        start_unix_ns: 1_700_000_000_000_000_000,
        end_unix_ns: 1_700_000_000_001_000_000,
        service: Arc::clone(&names[0]),
        instance: None,
        method: "GET".into(),
        texts: Texts::of(
            "/cart/items/42",
            "shop.example",
            Some(b"Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"),
        ),
        scheme: "http",
        listener: None,
        client_address: Some([10, 0, 0, 9].into()),
        status: Some(200),
        protocol_version: "1.1",
        reason: None,
        route: snapshot.route("r0").cloned(),
        source: Some(Arc::clone(&names[0])),
        destination: Some(Arc::clone(&names[1])),
        endpoint: Some(Arc::clone(&names[2])),
        intention: Some(Arc::clone(&names[3])),
        tunnel: None,
        detected: None,
    };
    let making = per_call(1_000_000, || black_box(make()).is_error());
    let spans: Vec<SpanRecord> = (0..1000).map(|_| make()).collect();
    let encoded = per_call(500, || !black_box(encode(&spans, "node-1")).is_empty());
    let bytes = encode(&spans, "node-1").len() / spans.len();
    println!(
        "span made and dropped: {} ns, encoded: {} ns, {bytes} bytes ({} bytes in memory beside its texts)",
        making.as_nanos(),
        encoded.as_nanos() / 1000,
        size_of::<SpanRecord>(),
    );
}

/// The best of fifteen runs with so many calls in all, for one: other programs disturb a short run less often.
fn per_call(calls: u32, mut call: impl FnMut() -> bool) -> Duration {
    let calls = calls.div_ceil(RUNS);
    let run = |call: &mut dyn FnMut() -> bool| {
        let begin = clock::now();
        for _ in 0..calls {
            black_box(call());
        }
        begin.elapsed() / calls
    };
    (0..RUNS).map(|_| run(&mut call)).min().unwrap_or_default()
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
