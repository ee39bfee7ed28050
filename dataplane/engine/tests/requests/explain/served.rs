//! What is explained is what is served: ten thousand requests at random, over real sockets.

use std::sync::Arc;
use std::time::Duration;

use meshnode_engine::random::Random;
use serde_json::{Value, json};

use super::dice::{ALIVE, Dice, INSIDE, PUBLIC};
use super::{ask, echo};
use crate::support::{Client, Proxy, body, header, run_for};

/// Tables, and requests to each: ten thousand in all.
const TABLES: usize = 25;
const REQUESTS: usize = 400;
/// Some seconds on a quiet machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Sends a request as the document has it, and reads the answer.
async fn serve(proxy: &Proxy, client: &mut Option<Client>, request: &Value) -> String {
    let text = |field: &str| request[field].as_str().unwrap().to_owned();
    let mut head = format!(
        "{} {} HTTP/1.1\r\nHost: {}\r\n",
        text("method"),
        text("path"),
        text("host")
    );
    for field in request["headers"].as_array().unwrap() {
        let part = |at: usize| field[at].as_str().unwrap();
        head.extend([part(0), ": ", part(1), "\r\n"]);
    }
    let mut connection = match client.take() {
        Some(connection) => connection,
        None => proxy.connect().await,
    };
    connection.write(&(head + "\r\n")).await;
    let answer = connection.answer_to(&text("method")).await;
    if header(&answer, "connection") != Some("close") {
        *client = Some(connection);
    }
    answer
}

/// That the fields of the answer are what an origin's would be after these changes, one by one.
fn compare_fields(explained: &Value, served: &str, told: &str) {
    let is_of_origin = header(served, "x-cluster").is_some();
    for name in ["x-old", "x-new"] {
        let mut wanted = if name == "x-old" && is_of_origin {
            vec!["1"]
        } else {
            vec![]
        };
        for change in explained["response_changes"].as_array().unwrap() {
            if change["what"] != format!("header {name}") {
                continue;
            }
            if change["by"] != "response_headers.add" {
                wanted.clear();
            }
            wanted.extend(change["to"].as_str());
        }
        let (head, _) = served.split_once("\r\n\r\n").unwrap();
        let fields = head.lines().filter_map(|line| line.split_once(": "));
        let found: Vec<&str> = fields
            .filter(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect();
        assert_eq!(wanted, found, "{name}\n{told}");
    }
}

/// That what was served is what was explained.
fn compare(explained: &Value, request: &Value, served: &str) {
    let told = format!("{request}\n{explained:#}\n{served}");
    let status: u64 = served[9..12].parse().unwrap();
    let own = &explained["answer"];
    let is_head = request["method"] == "HEAD";
    if !own.is_null() {
        assert_eq!(own["status"], status, "{told}");
        assert_eq!(
            own["reason"],
            header(served, "mesh-reason").unwrap_or(""),
            "{told}"
        );
        assert_eq!(
            own["location"].as_str(),
            header(served, "location"),
            "{told}"
        );
        if own["reason"] == "" && status != 405 && header(served, "allow").is_none() {
            assert_eq!(
                explained["route"]["name"].as_str(),
                header(served, "x-route"),
                "{told}"
            );
            compare_fields(explained, served, &told);
        }
        if own["reason"] != "" && !is_head && !served.contains("application/json") {
            assert!(
                body(served).contains(own["message"].as_str().unwrap()),
                "{told}"
            );
        }
        return;
    }
    assert_eq!(status, 200, "{told}");
    compare_fields(explained, served, &told);
    assert_eq!(
        explained["route"]["name"].as_str(),
        header(served, "x-route"),
        "{told}"
    );
    let cluster = header(served, "x-cluster").unwrap();
    let parts = explained["split"].as_array().unwrap();
    let is_part = |part: &Value| part["cluster"] == cluster && part["weight"] != 0;
    assert!(
        if parts.len() > 1 {
            parts.iter().any(is_part)
        } else {
            explained["cluster"] == cluster
        },
        "{told}"
    );
    if is_head {
        return;
    }
    let mut lines = body(served).trim_end().split("\r\n");
    assert_eq!(
        explained["request"]["line"].as_str(),
        lines.next(),
        "{told}"
    );
    let sent: Vec<Value> = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| json!([name.to_ascii_lowercase(), value]))
        .filter(|field| field[0] != "traceparent")
        .collect();
    assert_eq!(explained["request"]["headers"], json!(sent), "{told}");
}

#[test]
fn what_is_explained_is_what_is_served() {
    run_for(PATIENCE, async {
        let mut origins = Vec::new();
        for name in ALIVE {
            origins.push((name, echo(name).await));
        }
        let mut counts = [0; 2];
        for (kind, identity, service, hosts) in [
            ("edge", "edge", None, &PUBLIC[..]),
            ("outbound", "web", Some("web"), &INSIDE),
        ] {
            let listener = |address: &Value| {
                let mut listener = json!({"kind": kind, "address": address, "identity": identity});
                if let Some(service) = service {
                    listener["service"] = service.into();
                    listener["proof"] = "port".into();
                }
                listener
            };
            let proxy = Proxy::with(&[], |resources| {
                resources["listeners"]["edge"] =
                    listener(&resources["listeners"]["edge"]["address"]);
            })
            .await;
            let address = json!(proxy.address.to_string());
            let mut dice = Dice(Random::from_seed(20_261_123));
            for number in 0..TABLES.div_ceil(2) {
                let table = dice.table(number, &listener(&address), &origins);
                let requests: Vec<Value> = (0..REQUESTS).map(|_| dice.request(hosts)).collect();
                let before = proxy.worker.snapshot();
                let mut document =
                    json!({"requests": requests, "considered": 3, "snapshot": table});
                for request in document["requests"].as_array_mut().unwrap() {
                    request["listener"] = kind.into();
                }
                let explained = ask(&proxy, &document).unwrap();
                assert!(
                    Arc::ptr_eq(&before, &proxy.worker.snapshot()),
                    "a candidate came in force"
                );
                assert_eq!(explained["generation"], number + 2);
                proxy.put(&table);
                let mut client = None;
                for (at, request) in requests.iter().enumerate() {
                    let explained = &explained["answers"][at];
                    let served = serve(&proxy, &mut client, request).await;
                    compare(explained, request, &served);
                    counts[usize::from(explained["answer"].is_null())] += 1;
                }
            }
        }
        assert!(counts.iter().sum::<usize>() >= 10_000, "{counts:?}");
        assert!(
            counts.iter().all(|count| *count > 2_000),
            "one-sided: {counts:?}"
        );
    });
}
