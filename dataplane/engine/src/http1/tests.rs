//! The codec as its callers use it; the raw cases stand in `tests/raw`.

use super::{
    BodyLength, HeadLimits, HeaderStore, Known, Parsed, RequestHead, Target, Version,
    parse_request, parse_response,
};

fn with_request(bytes: &[u8], check: impl FnOnce(RequestHead<'_>)) {
    let mut store = HeaderStore::new();
    match parse_request(bytes, &HeadLimits::default(), &mut store) {
        Ok(Parsed::Complete(head)) => check(head),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_request_is_read_whole() {
    let bytes = b"POST /cart?a=b HTTP/1.1\r\nHost: Shop.Example:8080\r\nX-A:  1 \t\r\nContent-Length: 5\r\nExpect: 100-Continue\r\n\r\nhello";
    with_request(bytes, |head| {
        assert_eq!((head.method, head.path_and_query), ("POST", "/cart?a=b"));
        assert_eq!(head.target, Target::Origin("/cart?a=b"));
        assert_eq!(
            (head.host, head.version),
            ("Shop.Example:8080", Version::Http11)
        );
        assert_eq!(
            (head.body, head.expects_continue),
            (BodyLength::Length(5), true)
        );
        assert_eq!((head.keep_alive, head.upgrade), (true, false));
        assert_eq!(&bytes[head.head_bytes..], b"hello");
        let headers: Vec<_> = head
            .headers
            .iter()
            .map(|header| (header.name(), header.value()))
            .collect();
        assert_eq!(headers[1], (b"X-A".as_slice(), b"1".as_slice()));
        assert_eq!(
            head.headers.find(Known::ContentLength),
            Some(b"5".as_slice())
        );
        assert_eq!(head.headers.find_named(b"x-a").collect::<Vec<_>>(), [b"1"]);
    });
}

#[test]
fn absolute_form_overrules_host() {
    with_request(b"GET HTTP://a.mesh/x HTTP/1.1\r\nHost: b\r\n\r\n", |head| {
        assert_eq!((head.host, head.path_and_query), ("a.mesh", "/x"));
    });
    with_request(b"OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n", |head| {
        assert_eq!((head.host, head.path_and_query), ("a", "*"));
    });
}

#[test]
fn upgrade_counts_only_when_connection_names_it_and_h2c_never() {
    for (fields, upgrade) in [
        ("Connection: Upgrade\r\nUpgrade: websocket\r\n", true),
        (
            "Connection: keep-alive, upgrade\r\nUpgrade: h2c, websocket\r\n",
            true,
        ),
        ("Upgrade: websocket\r\n", false),
        (
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\n",
            false,
        ),
    ] {
        let head = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        with_request(head.as_bytes(), |head| {
            assert_eq!(head.upgrade, upgrade, "{fields}");
        });
    }
}

fn kept(fields: &str) -> Vec<String> {
    let head = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    let mut kept = Vec::new();
    with_request(head.as_bytes(), |head| {
        let passed = head
            .headers
            .iter()
            .filter(|header| !head.hop_by_hop.removes(header));
        kept = passed
            .map(|header| String::from_utf8_lossy(header.name()).to_lowercase())
            .collect();
    });
    kept
}

#[test]
fn what_belongs_to_the_hop_ends_with_it() {
    let fields = "Connection: close, X-Mine\r\nX-Mine: 1\r\nKeep-Alive: 5\r\nProxy-Connection: a\r\nTE: gzip\r\n\
        Upgrade: a\r\nProxy-Authorization: a\r\nTrailer: a\r\nHTTP2-Settings: a\r\nX-Other: 1\r\n";
    assert_eq!(kept(fields), ["host", "x-other"]);
    assert_eq!(kept("TE: trailers\r\nConnection: te\r\n"), ["host", "te"]);
    assert_eq!(kept("Expect: 100-continue\r\n"), ["host"]);
    let with_body = "Expect: 100-continue\r\nContent-Length: 1\r\nConnection: expect\r\n";
    assert_eq!(kept(with_body), ["host", "expect", "content-length"]);
    assert_eq!(
        kept("Trailer: a\r\nTransfer-Encoding: chunked\r\n"),
        ["host", "trailer"]
    );
}

#[test]
fn connection_can_not_take_away_what_the_mesh_vouches_for() {
    let ours = "host via forwarded x-forwarded-for x-forwarded-proto x-forwarded-host x-forwarded-port traceparent \
        tracestate mesh-instance content-length max-forwards";
    for name in ours.split_whitespace().filter(|name| *name != "host") {
        let value = if name == "content-length" { "0" } else { "a" };
        let fields = format!("Connection: {}\r\n{name}: {value}\r\n", name.to_uppercase());
        assert_eq!(kept(&fields), ["host", name]);
    }
}

#[test]
fn an_answer_is_framed_by_what_it_answers() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    for (method, body) in [("GET", BodyLength::Length(5)), ("HEAD", BodyLength::None)] {
        let mut store = HeaderStore::new();
        let parsed = parse_response(head, method, &HeadLimits::default(), &mut store);
        let Ok(Parsed::Complete(head)) = parsed else {
            panic!("{parsed:?}")
        };
        assert_eq!(
            (head.status, head.reason, head.body),
            (200, b"OK".as_slice(), body)
        );
        assert!(head.keep_alive && !head.is_interim());
    }
}

#[test]
fn lines_are_written_in_one_form_however_they_came_and_whatever_is_left_out() {
    let lines = [
        "A: 1", "B: 2", "C:3", "D:  4", "E: 5 ", "F:\t6", "G: 7\t", "H: ", "I:", "J: 8", "K: 9 9",
    ];
    // One bit says of each line whether it is sent on.
    for sent in 0..1_u32 << lines.len() {
        let is_sent = |place: usize| sent & 1 << place != 0;
        let head = format!(
            "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n\r\n",
            lines.join("\r\n")
        );
        let mut written = Vec::new();
        with_request(head.as_bytes(), |head| {
            head.headers.write(&mut written, |header| {
                header.name().len() == 1 && is_sent(usize::from(header.name()[0] - b'A'))
            });
        });
        let kept = (0..lines.len()).filter(|place| is_sent(*place));
        let expected: String = kept
            .map(|place| lines[place].split_once(':').unwrap())
            .map(|(name, value)| [name, ": ", value.trim(), "\r\n"].concat())
            .collect();
        assert_eq!(String::from_utf8(written).unwrap(), expected);
    }
}
