//! The router against its rules: case by case, and at random against a matcher of its own.

mod conditions;
mod property;
mod redirects;

use super::*;

fn route(name: &str, index: u64, host: &str, path: &str) -> Arc<Route> {
    Arc::new(Route::of(name, index, host, path))
}

/// A router of routes in the form `host/path`, each named so, the first the oldest.
fn router(texts: &[&str]) -> Router {
    let mut router = Router::default();
    for (index, text) in texts.iter().enumerate() {
        let at = text.find(['=', '/', '~']).unwrap();
        router.insert(&route(text, index as u64, &text[..at], &text[at..]));
    }
    router
}

fn check(router: &Router, host: &str, path: &str, wanted: Option<&str>) {
    let found = router
        .find(&Asked::get(host, path))
        .map(|route| &*route.name);
    assert_eq!(found, wanted, "{host} {path}");
}

#[test]
fn a_prefix_takes_whole_segments() {
    let router = router(&["h/cart"]);
    for path in ["/cart", "/cart/", "/cart/1", "/cart//", "/cart/1/2"] {
        check(&router, "h", path, Some("h/cart"));
    }
    for path in [
        "/cartoon", "/car", "/", "", "//cart", "/Cart", "/x/cart", "*", "cart", "/cart%2F",
    ] {
        check(&router, "h", path, None);
    }
}

#[test]
fn a_prefix_that_ends_in_a_slash_takes_only_what_goes_on() {
    let router = router(&["h/cart/", "h//"]);
    check(&router, "h", "/cart", None);
    check(&router, "h", "/cart/", Some("h/cart/"));
    check(&router, "h", "/cart/1", Some("h/cart/"));
    check(&router, "h", "/", None);
    check(&router, "h", "//", Some("h//"));
    check(&router, "h", "//a", Some("h//"));
}

#[test]
fn the_root_prefix_takes_all_and_nothing_else_takes_the_asterisk() {
    let router = router(&["all/", "exact=/", "cart/cart"]);
    for path in ["/", "", "/a", "//", "*"] {
        check(&router, "all", path, Some("all/"));
    }
    check(&router, "exact", "", Some("exact=/"));
    check(&router, "exact", "/", Some("exact=/"));
    check(&router, "exact", "/a", None);
    check(&router, "exact", "*", None);
    check(&router, "cart", "*", None);
}

#[test]
fn an_exact_path_takes_its_bytes_and_no_others() {
    let router = router(&["h=/a/b", "h=/a/b/", "h/a"]);
    check(&router, "h", "/a/b", Some("h=/a/b"));
    check(&router, "h", "/a/b/", Some("h=/a/b/"));
    check(&router, "h", "/a/b/c", Some("h/a"));
    check(&router, "h", "/a/%62", Some("h/a"));
    check(&router, "h", "/a/x/../b", Some("h/a"));
}

#[test]
fn the_longest_prefix_is_found_and_a_shorter_one_where_it_ends() {
    let router = router(&["h/", "h/a", "h/a/b/c", "h/a/"]);
    check(&router, "h", "/a/b/c/d", Some("h/a/b/c"));
    check(&router, "h", "/a/b", Some("h/a/"));
    check(&router, "h", "/a", Some("h/a"));
    check(&router, "h", "/b", Some("h/"));
}

#[test]
fn the_routes_of_a_host_are_those_of_all_trees_that_take_it() {
    let texts = ["a.b/", "a.b=/x", "a.b/x/", "*.b/x", "b/", "c.b/", "*/any"];
    let router = router(&texts);
    let of_host = |host, most| {
        let found = router.of_host(host, most);
        let mut names: Vec<_> = found.iter().map(|route| &*route.name).collect();
        names.sort_unstable();
        names.join(" ")
    };
    assert_eq!(of_host("a.b", 9), "*.b/x */any a.b/ a.b/x/ a.b=/x");
    assert_eq!(of_host("b", 9), "*/any b/");
    assert_eq!(of_host("x.mesh", 9), "");
    assert_eq!(router.of_host("a.b", 2).len(), 2);
}

#[test]
fn a_wildcard_takes_one_label_or_more_and_the_longer_one_wins() {
    let router = router(&["*.example/", "*.shop.example/", "a.shop.example/x", "*/any"]);
    check(&router, "shop.example", "/", Some("*.example/"));
    check(&router, "a.shop.example", "/", Some("*.shop.example/"));
    check(&router, "a.b.shop.example", "/", Some("*.shop.example/"));
    check(&router, "a.shop.example", "/x", Some("a.shop.example/x"));
    check(&router, "example", "/", None);
    check(&router, ".example", "/", None);
    check(&router, "shopexample", "/", None);
    check(&router, "example", "/any", Some("*/any"));
    check(&router, "", "/any", Some("*/any"));
    check(&router, "a.shop.example", "/any", Some("*.shop.example/"));
}

#[test]
fn of_two_alike_the_older_wins_then_the_name_and_the_next_one_follows() {
    let mut router = Router::default();
    let alike = [
        route("b", 2, "h", "/"),
        route("c", 1, "h", "/"),
        route("a", 2, "h", "/"),
    ];
    for route in &alike {
        router.insert(route);
    }
    check(&router, "h", "/", Some("c"));
    router.remove(&alike[1]);
    check(&router, "h", "/", Some("a"));
    router.remove(&alike[2]);
    check(&router, "h", "/", Some("b"));
    router.remove(&alike[0]);
    check(&router, "h", "/", None);
    assert!(router.levels.is_empty(), "an empty host stays in memory");
    router.remove(&alike[0]);
}

#[test]
fn a_change_shares_the_hosts_it_does_not_touch() {
    let before = router(&["a/1", "b/1"]);
    let mut after = before.clone();
    after.insert(&route("new", 9, "b", "/2"));
    assert!(Arc::ptr_eq(
        before.levels[0].table.exact.get("a").unwrap(),
        after.levels[0].table.exact.get("a").unwrap()
    ));
    assert!(!Arc::ptr_eq(
        before.levels[0].table.exact.get("b").unwrap(),
        after.levels[0].table.exact.get("b").unwrap()
    ));
    check(&before, "b", "/2", None);
}

#[test]
fn a_hostile_host_or_path_costs_no_more_than_its_bytes() {
    let router = router(&["*.example/", "h/a"]);
    check(&router, &"a.".repeat(4000), "/", None);
    check(&router, "h", &"/".repeat(8000), None);
    check(&router, "h", &"/a".repeat(4000), Some("h/a"));
}

/// Calls `use_it` with the headers of a head that was read.
fn with_headers<T>(
    lines: &[(&str, &str)],
    use_it: impl FnOnce(crate::http1::Headers<'_>) -> T,
) -> T {
    use crate::http1::{HeadLimits, HeaderStore, Parsed, parse_request};
    let lines: Vec<_> = lines
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let head = format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", lines.concat());
    let mut store = HeaderStore::new();
    match parse_request(head.as_bytes(), &HeadLimits::default(), &mut store).unwrap() {
        Parsed::Complete(head) => use_it(head.headers),
        Parsed::Partial => panic!("a whole head"),
    }
}

fn on(name: &str, value: ValueMatch) -> Condition {
    Condition {
        name: name.into(),
        value,
        is_negated: false,
    }
}

#[test]
fn a_pattern_stands_where_what_it_begins_with_ends() {
    let router = router(&[
        "h/users",
        "h~/users/[0-9]+(/.*)?",
        "h/users/7",
        "h/",
        "h~/.*s",
        "h=/users/8",
    ]);
    check(&router, "h", "/users/1", Some("h~/users/[0-9]+(/.*)?"));
    check(&router, "h", "/users/1/x", Some("h~/users/[0-9]+(/.*)?"));
    check(&router, "h", "/users/7", Some("h/users/7"));
    check(&router, "h", "/users/8", Some("h=/users/8"));
    check(&router, "h", "/users/x", Some("h/users"));
    check(&router, "h", "/cars", Some("h~/.*s"));
    check(&router, "h", "/car", Some("h/"));
}

#[test]
fn names_under_mesh_are_for_their_own_routes() {
    let router = router(&["*/", "*.mesh/x", "cart.mesh/y"]);
    check(&router, "cart.mesh", "/", None);
    check(&router, "cart.mesh", "/x", Some("*.mesh/x"));
    check(&router, "cart.mesh", "/y", Some("cart.mesh/y"));
    check(&router, "mesh", "/", Some("*/"));
}
