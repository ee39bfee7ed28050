//! What a route asks of a request beside host and path, and who goes first by it.

use super::*;

fn not(condition: Condition) -> Condition {
    Condition {
        is_negated: true,
        ..condition
    }
}

#[test]
fn a_value_is_taken_by_its_whole_its_end_or_a_pattern() {
    use ValueMatch::{Exact, Prefix, Present, Regex, Suffix};
    let pattern = |text| Regex(Pattern::regex(text).unwrap());
    let headers = |condition: Condition| Conditions {
        headers: vec![condition],
        ..Conditions::default()
    };
    for (condition, lines, wanted) in [
        (on("x-a", Exact("1".into())), &[("X-A", "1")][..], true),
        (on("x-a", Exact("1".into())), &[("X-A", "12")], false),
        (
            on("x-a", Exact("1".into())),
            &[("x-a", "0"), ("X-A", " 1 ")],
            true,
        ),
        (on("x-a", Exact("".into())), &[("x-a", "")], true),
        (on("x-a", Prefix("ab".into())), &[("x-a", "abc")], true),
        (on("x-a", Prefix("ab".into())), &[("x-a", "xab")], false),
        (on("x-a", Suffix("bc".into())), &[("x-a", "abc")], true),
        (on("x-a", pattern("[0-9]+")), &[("x-a", "12")], true),
        (on("x-a", pattern("[0-9]+")), &[("x-a", "12a")], false),
        (on("x-a", Present), &[("x-a", "")], true),
        (on("x-a", Present), &[("x-b", "1")], false),
        (not(on("x-a", Present)), &[("x-b", "1")], true),
        (not(on("x-a", Exact("1".into()))), &[], true),
        (
            not(on("x-a", Exact("1".into()))),
            &[("x-a", "0"), ("x-a", "1")],
            false,
        ),
        // What the origin does not get to see is not there.
        (
            on("x-a", Present),
            &[("x-a", "1"), ("connection", "x-a")],
            false,
        ),
        (
            on("x-forwarded-for", Present),
            &[("x-forwarded-for", "10.0.0.1")],
            false,
        ),
        (
            on("mesh-instance", Present),
            &[("mesh-instance", "a")],
            false,
        ),
    ] {
        let conditions = headers(condition);
        let missed = with_headers(lines, |headers| {
            conditions
                .missed(&Asked {
                    headers,
                    ..Asked::get("h", "/")
                })
                .is_none()
        });
        assert_eq!(missed, wanted, "{conditions:?} {lines:?}");
    }
}

#[test]
fn the_query_is_decoded_and_cookies_are_not() {
    let exact = |text: &str| ValueMatch::Exact(text.into());
    for (query, name, value, wanted) in [
        (Some("debug"), "debug", ValueMatch::Present, true),
        (Some("debug"), "debug", exact(""), true),
        (Some("a=1&debug=1"), "debug", exact("1"), true),
        (Some("a=1&b=debug"), "debug", ValueMatch::Present, false),
        (Some("de%62ug=%31"), "debug", exact("1"), true),
        (Some("a=x%2"), "a", exact("x%2"), true),
        (Some("a=b=c"), "a", exact("b=c"), true),
        (Some("a=1+2"), "a", exact("1+2"), true),
        (Some("a=1&a=2"), "a", exact("2"), true),
        (Some(""), "", ValueMatch::Present, false),
        (None, "a", ValueMatch::Present, false),
    ] {
        let conditions = Conditions {
            query: vec![on(name, value)],
            ..Conditions::default()
        };
        let asked = Asked {
            query,
            ..Asked::get("h", "/")
        };
        assert_eq!(
            conditions.missed(&asked).is_none(),
            wanted,
            "{query:?} {name}"
        );
    }
    for (cookie, wanted) in [
        ("group=b", true),
        ("a=1; group=b", true),
        ("a=1;group=b;c=2", true),
        ("group=bb", false),
        ("group=%62", false),
        ("Group=b", false),
        ("xgroup=b", false),
    ] {
        let conditions = Conditions {
            cookies: vec![on("group", exact("b"))],
            ..Conditions::default()
        };
        let holds = with_headers(&[("cookie", cookie)], |headers| {
            conditions
                .missed(&Asked {
                    headers,
                    ..Asked::get("h", "/")
                })
                .is_none()
        });
        assert_eq!(holds, wanted, "{cookie}");
    }
}

#[test]
fn the_client_is_the_last_that_is_no_trusted_proxy() {
    let trusted: Vec<_> = ["10.0.0.0/8"]
        .into_iter()
        .filter_map(crate::network::Network::parse)
        .collect();
    for (peer, told, wanted) in [
        ("1.2.3.4", &["9.9.9.9"][..], "1.2.3.4"),
        ("10.0.0.1", &["9.9.9.9"], "9.9.9.9"),
        ("10.0.0.1", &["6.6.6.6, 9.9.9.9"], "9.9.9.9"),
        ("10.0.0.1", &["6.6.6.6", "9.9.9.9, 10.0.0.2"], "9.9.9.9"),
        ("10.0.0.1", &["6.6.6.6, unknown, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", &[], "10.0.0.1"),
    ] {
        let lines: Vec<_> = told.iter().map(|told| ("x-forwarded-for", *told)).collect();
        let client = with_headers(&lines, |headers| {
            let peer = peer.parse().unwrap();
            Asked {
                headers,
                peer,
                trusted: &trusted,
                ..Asked::get("h", "/")
            }
            .client_address()
        });
        assert_eq!(
            client,
            wanted.parse::<std::net::IpAddr>().unwrap(),
            "{peer} {told:?}"
        );
    }
}

#[test]
fn what_asks_for_more_goes_first_and_the_next_follows_where_it_does_not_hold() {
    let with = |name: &str, index, conditions: Conditions| {
        let mut route = Route::of(name, index, "h", "/");
        route.conditions = Some(Box::new(conditions));
        Arc::new(route)
    };
    let header = || vec![on("x-a", ValueMatch::Present)];
    let mut router = Router::default();
    for route in [
        route("plain", 1, "h", "/"),
        with(
            "query",
            1,
            Conditions {
                query: header(),
                ..Conditions::default()
            },
        ),
        with(
            "header",
            2,
            Conditions {
                headers: header(),
                ..Conditions::default()
            },
        ),
        with(
            "method",
            3,
            Conditions {
                methods: vec!["POST".into()],
                ..Conditions::default()
            },
        ),
    ] {
        router.insert(&route);
    }
    let found = |asked: &Asked<'_>| router.find(asked).unwrap().name.to_string();
    let plain = Asked::get("h", "/");
    assert_eq!(found(&plain), "plain");
    assert_eq!(
        found(&Asked {
            query: Some("x-a"),
            ..plain
        }),
        "query"
    );
    with_headers(&[("x-a", "1")], |headers| {
        assert_eq!(
            found(&Asked {
                headers,
                query: Some("x-a"),
                ..plain
            }),
            "header"
        );
        assert_eq!(
            found(&Asked {
                headers,
                method: "POST",
                ..plain
            }),
            "method"
        );
    });
}
