//! Heads on their way: what is kept, removed and added, and which requests go nowhere.

use serde_json::{Value, json};

use crate::support::{Does, Origin, Proxy, body, header, run};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// What the origin gets for a request with these header lines.
async fn seen(lines: &str) -> String {
    let mut origin = Origin::start(Does::Answer(OK)).await;
    let proxy = Proxy::edge(&[origin.address]).await;
    let answer = proxy
        .send(&format!(
            "GET /a?b=c HTTP/1.1\r\nHost: shop.test\r\n{lines}\r\n"
        ))
        .await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    origin.request().await
}

#[test]
fn a_request_reaches_the_origin_with_its_host_and_path() {
    run(async {
        let request = seen("Accept: a/b\r\n").await;
        assert!(
            request.starts_with("GET /a?b=c HTTP/1.1\r\nHost: shop.test\r\n"),
            "{request}"
        );
        assert_eq!(header(&request, "accept"), Some("a/b"));
        assert_eq!(header(&request, "via"), Some("1.1 node-1.meshnode"));
        let traceparent = header(&request, "traceparent").unwrap();
        assert_eq!((traceparent.len(), &traceparent[..3]), (55, "00-"));
    });
}

#[test]
fn hop_by_hop_headers_end_at_the_proxy() {
    run(async {
        let request = seen(
            "Connection: close, X-Mine, X-Forwarded-For\r\nX-Mine: 1\r\nKeep-Alive: 5\r\n\
             Proxy-Authorization: x\r\nTE: gzip\r\nProxy-Connection: keep-alive\r\n",
        )
        .await;
        for name in [
            "connection",
            "x-mine",
            "keep-alive",
            "proxy-authorization",
            "te",
            "proxy-connection",
        ] {
            assert_eq!(header(&request, name), None, "{request}");
        }
        assert_eq!(
            header(&request, "x-forwarded-for"),
            Some("127.0.0.1"),
            "ours stays"
        );
    });
}

#[test]
fn a_strangers_word_on_where_it_comes_from_is_not_believed() {
    run(async {
        let request = seen(
            "X-Forwarded-For: 10.9.9.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\n\
             Forwarded: for=10.9.9.9\r\nX_Forwarded_For: 10.9.9.9\r\nX-Forwarded-User: root\r\n\
             mesh-instance: other\r\nMesh-Source: root\r\n",
        )
        .await;
        assert_eq!(header(&request, "x-forwarded-for"), Some("127.0.0.1"));
        assert_eq!(header(&request, "x-forwarded-proto"), Some("http"));
        assert_eq!(header(&request, "x-forwarded-host"), Some("shop.test"));
        assert_eq!(
            header(&request, "forwarded"),
            Some("for=127.0.0.1;host=\"shop.test\";proto=http")
        );
        for gone in ["10.9.9.9", "evil", "root", "other"] {
            assert!(!request.contains(gone), "{request}");
        }
    });
}

#[test]
fn a_trusted_proxys_word_is_added_to() {
    run(async {
        let mut origin = Origin::start(Does::Answer(OK)).await;
        let proxy = Proxy::with(&[origin.address], |resources| {
            resources["settings"]["node"]["trusted_proxies"] = json!(["127.0.0.0/8"]);
        })
        .await;
        let request = "GET / HTTP/1.1\r\nHost: shop.test\r\nX-Forwarded-For: 10.9.9.9\r\n\
                       X-Forwarded-Proto: https\r\nForwarded: for=10.9.9.9\r\n\r\n";
        proxy.send(request).await;
        let seen = origin.request().await;
        assert_eq!(
            header(&seen, "x-forwarded-for"),
            Some("10.9.9.9, 127.0.0.1")
        );
        assert_eq!(header(&seen, "x-forwarded-proto"), Some("https"));
        let forwarded = "for=10.9.9.9, for=127.0.0.1;host=\"shop.test\";proto=http";
        assert_eq!(header(&seen, "forwarded"), Some(forwarded));
    });
}

#[test]
fn a_callers_trace_goes_on() {
    run(async {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let request = seen(&format!("traceparent: {parent}\r\ntracestate: a=1\r\n")).await;
        let ours = header(&request, "traceparent").unwrap();
        assert_eq!(ours[..36], parent[..36], "same trace");
        assert_ne!(ours[36..52], parent[36..52], "another span");
        assert_eq!(header(&request, "tracestate"), Some("a=1"));
    });
}

#[test]
fn absolute_form_names_the_host() {
    run(async {
        let mut origin = Origin::start(Does::Answer(OK)).await;
        let proxy = Proxy::edge(&[origin.address]).await;
        proxy
            .send("GET http://SHOP.test:80/x HTTP/1.1\r\nHost: other\r\n\r\n")
            .await;
        let seen = origin.request().await;
        assert!(
            seen.starts_with("GET /x HTTP/1.1\r\nHost: shop.test:80\r\n"),
            "{seen}"
        );
    });
}

#[test]
fn what_goes_nowhere_says_why() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let proxy = Proxy::edge(&[origin.address]).await;
        let cases = [
            (
                "GET / HTTP/1.1\r\nHost: other.test\r\n\r\n",
                404,
                "no_route",
            ),
            (
                "GET / HTTP/1.1\r\nHost: cart.mesh\r\n\r\n",
                404,
                "mesh_host_at_edge",
            ),
            (
                "GET / HTTP/1.1\r\nHost: CART.MESH.:80\r\n\r\n",
                404,
                "mesh_host_at_edge",
            ),
            (
                "CONNECT shop.test:80 HTTP/1.1\r\nHost: shop.test:80\r\n\r\n",
                501,
                "connect_unsupported",
            ),
            (
                "GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
                 Content-Length: 1\r\n\r\nx",
                400,
                "upgrade_with_body",
            ),
            (
                "GET / HTTP/1.1\r\nHost: shop.test\r\nExpect: magic\r\n\r\n",
                417,
                "expectation_failed",
            ),
            (
                "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
                505,
                "version_unsupported",
            ),
            ("GET / HTTP/1.1\r\n\r\n", 400, "bad_request"),
            (
                "GET https://shop.test/ HTTP/1.1\r\nHost: shop.test\r\n\r\n",
                421,
                "misdirected",
            ),
        ];
        for (request, status, reason) in cases {
            let answer = proxy.send(request).await;
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status} ")),
                "{request}{answer}"
            );
            assert_eq!(header(&answer, "mesh-reason"), Some(reason), "{answer}");
        }
        assert_eq!(
            origin
                .connections
                .load(std::sync::atomic::Ordering::Relaxed),
            0
        );
    });
}

#[test]
fn a_request_that_goes_in_a_circle_is_stopped() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let proxy = Proxy::edge(&[origin.address]).await;
        let via = ["1.1 a.meshnode"; 16].join(", ");
        let request = format!("GET / HTTP/1.1\r\nHost: shop.test\r\nVia: {via}\r\n\r\n");
        assert_eq!(
            header(&proxy.send(&request).await, "mesh-reason"),
            Some("loop_detected")
        );
    });
}

#[test]
fn max_forwards_is_counted_down_and_ends() {
    run(async {
        let mut origin = Origin::start(Does::Answer(OK)).await;
        let proxy = Proxy::edge(&[origin.address]).await;
        proxy
            .send("OPTIONS * HTTP/1.1\r\nHost: shop.test\r\nMax-Forwards: 3\r\n\r\n")
            .await;
        let seen = origin.request().await;
        assert!(seen.starts_with("OPTIONS * HTTP/1.1\r\n"), "{seen}");
        assert_eq!(header(&seen, "max-forwards"), Some("2"));
        let last = proxy
            .send("OPTIONS / HTTP/1.1\r\nHost: shop.test\r\nMax-Forwards: 0\r\n\r\n")
            .await;
        assert!(last.starts_with("HTTP/1.1 200 OK\r\nAllow: "), "{last}");
        let last = proxy
            .send("TRACE / HTTP/1.1\r\nHost: shop.test\r\nMax-Forwards: 0\r\n\r\n")
            .await;
        assert!(last.starts_with("HTTP/1.1 405 "), "{last}");
    });
}

#[test]
fn a_route_strips_redirects_and_splits() {
    run(async {
        let mut origin = Origin::start(Does::Answer(OK)).await;
        let proxy = Proxy::with(&[origin.address], |resources| {
            resources["routes"]["shop"]["path"] = json!({"prefix": "/static"});
            resources["routes"]["shop"]["strip_prefix"] = json!("/static");
            resources["routes"]["old"] = json!({
                "key": "mesh/routes/old", "index": 8, "hosts": ["*.old.test"], "path": {"prefix": "/"},
                "action": {"redirect": {"status": 308, "location": "https://new.test/"}},
            });
        })
        .await;
        proxy
            .send("GET /static/a.css?v=1 HTTP/1.1\r\nHost: shop.test\r\n\r\n")
            .await;
        assert!(
            origin
                .request()
                .await
                .starts_with("GET /a.css?v=1 HTTP/1.1\r\n")
        );
        let answer = proxy
            .send("GET /x?y HTTP/1.1\r\nHost: www.old.test\r\n\r\n")
            .await;
        assert!(
            answer.starts_with("HTTP/1.1 308 Permanent Redirect\r\n"),
            "{answer}"
        );
        assert_eq!(header(&answer, "location"), Some("https://new.test/x?y"));
    });
}

#[test]
fn a_service_that_is_not_there_is_told_from_one_that_is_not_well() {
    run(async {
        for (exists, reason, words) in [
            (false, "no_such_service", "no service is called \"shop\""),
            (
                true,
                "no_healthy_endpoint",
                "has 2 instances, none passes its checks",
            ),
        ] {
            let proxy = Proxy::with(&[], |resources| {
                resources["clusters"]["shop"]["exists"] = json!(exists);
                resources["clusters"]["shop"]["instances"] = json!(2);
            })
            .await;
            let answer = proxy
                .send("GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n")
                .await;
            assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
            assert_eq!(header(&answer, "mesh-reason"), Some(reason));
            assert!(body(&answer).contains(words), "{answer}");
            assert_eq!(header(&answer, "mesh-trace").unwrap().len(), 32);
        }
    });
}

#[test]
fn since_when_no_instance_may_be_used_is_told() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let proxy = Proxy::edge(&[origin.address]).await;
        let mut document: Value =
            serde_json::from_slice(&proxy.worker.snapshot().to_json()).unwrap();
        let mut told = Vec::new();
        for instances in [1, 2] {
            let shop = &mut document["resources"]["clusters"]["shop"];
            shop["endpoints"] = json!([]);
            shop["instances"] = json!(instances);
            proxy.put(&document);
            let answer = proxy
                .send("GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n")
                .await;
            let (sentence, since) = body(&answer).split_once(" (since ").expect("a time");
            assert!(sentence.contains("pass"), "{answer}");
            told.push(since[.."03:11:40 UTC)".len()].to_owned());
        }
        // What changes about it later is no new beginning.
        assert!(told[0].ends_with(" UTC)"), "{told:?}");
        assert_eq!(told[0], told[1]);
        let emptied = |proxy: &Proxy| {
            proxy
                .worker
                .snapshot()
                .clusters
                .get("shop")
                .expect("it")
                .emptied
        };
        assert!(emptied(&proxy).is_some());
        document["resources"]["clusters"]["shop"]["endpoints"] = json!([
            {"id": "shop-0", "node": "old-box", "address": origin.address.to_string(),
             "weight": 1, "via": "clear"}
        ]);
        proxy.put(&document);
        assert_eq!(emptied(&proxy), None);
    });
}

#[test]
fn an_intention_refuses_in_clear_what_no_other_node_could() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let proxy = Proxy::with(&[origin.address], |resources| {
            resources["intentions"]["shop"] = json!({"destination": "shop", "rules": [
                {"source": "edge", "action": "deny", "name": "edge => shop", "precedence": 9, "index": 5}]});
        })
        .await;
        let answer = proxy
            .send("GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n")
            .await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
        assert!(
            body(&answer).contains("intention edge => shop (deny)"),
            "{answer}"
        );
    });
}

#[test]
fn the_largest_head_that_can_be_allowed_is_taken_and_a_larger_one_told_so() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let proxy = Proxy::with(&[origin.address], |resources| {
            resources["settings"]["node"]["limits"]["head_bytes"] = json!(64 * 1024);
        })
        .await;
        for (bytes, status) in [(60_000, "200"), (70_000, "431")] {
            let long = "x".repeat(bytes);
            let request = format!("GET / HTTP/1.1\r\nHost: shop.test\r\nX: {long}\r\n\r\n");
            let answer = proxy.send(&request).await;
            assert_eq!(&answer[9..12], status, "{answer}");
        }
    });
}

#[test]
fn an_old_client_without_a_host_is_given_the_services() {
    run(async {
        let mut origin = Origin::start(Does::Answer(OK)).await;
        let proxy = Proxy::with(&[origin.address], |resources| {
            resources["routes"]["shop"]["hosts"] = json!(["*"]);
        })
        .await;
        proxy.send("GET / HTTP/1.0\r\n\r\n").await;
        assert_eq!(header(&origin.request().await, "host"), Some("shop"));
    });
}

#[test]
fn a_client_that_takes_trailers_is_known_to() {
    run(async {
        for lines in [
            "TE: trailers\r\n",
            "TE: gzip, Trailers\r\nConnection: te\r\n",
        ] {
            let request = seen(lines).await;
            assert_eq!(header(&request, "te"), Some("trailers"), "{request}");
            assert_eq!(header(&request, "connection"), Some("te"));
        }
        assert_eq!(header(&seen("TE: gzip\r\n").await, "te"), None);
    });
}
