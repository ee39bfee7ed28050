//! What is counted and told of requests.

use std::sync::Arc;

use meshnode_engine::snapshot::Snapshot;

use crate::support::{Does, Origin, PATIENCE, Proxy, run};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nmesh-reason: made_up\r\n\r\nok";
const GET: &str = "GET /secret?token=1 HTTP/1.1\r\nHost: shop.test\r\n\r\n";

#[test]
fn an_origin_cannot_speak_for_the_mesh() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let answer = Proxy::edge(&[origin.address]).await.send(GET).await;
        assert!(!answer.contains("mesh-reason"), "{answer}");
    });
}

#[test]
fn a_date_is_added_where_the_origin_has_none() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let answer = Proxy::edge(&[origin.address]).await.send(GET).await;
        assert_eq!(answer.matches("Date: ").count(), 1, "{answer}");
    });
}

#[test]
fn a_sampled_request_leaves_a_span_and_another_none() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let proxy = Proxy::edge(&[origin.address]).await;
        proxy.send(GET).await;
        let sampled = GET.replace(
            "\r\n\r\n",
            "\r\ntraceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\r\n",
        );
        proxy.send(&sampled).await;
        proxy.worker.tick();
        let spans = proxy.worker.shared.spans.take(PATIENCE).await;
        assert_eq!(spans.len(), 1);
        let span = &spans[0];
        assert_eq!(span.texts.path(), "/secret", "a query may hold secrets");
        assert_eq!(span.route.as_ref().unwrap().index, 7);
        assert_eq!(span.endpoint.as_deref(), Some("shop-0"));
        assert_eq!(span.status, Some(200));
        assert!(span.end_unix_ns >= span.start_unix_ns);
    });
}

#[test]
fn requests_are_counted_by_route_destination_and_reason() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let proxy = Proxy::edge(&[origin.address]).await;
        proxy.send(GET).await;
        proxy.send("GET / HTTP/1.1\r\nHost: other\r\n\r\n").await;
        let stats = format!("{:?}", proxy.worker.take_stats());
        for words in ["\"shop\"", "NoRoute"] {
            assert!(stats.contains(words), "{stats}");
        }
    });
}

#[test]
fn what_is_configured_no_more_is_forgotten() {
    run(async {
        let origin = Origin::start(Does::Answer(OK)).await;
        let proxy = Proxy::edge(&[origin.address, origin.address]).await;
        let cluster = Arc::downgrade(proxy.worker.snapshot().clusters.get("shop").unwrap());
        proxy.send(GET).await;
        proxy
            .worker
            .shared
            .put_snapshot(Arc::new(Snapshot::empty()));
        proxy.worker.tick();
        assert!(cluster.upgrade().is_none());
    });
}
