//! Where a redirect leads, with what it takes along.

use super::*;

fn redirect_to(location: &str, path: RedirectPath, keeps_query: bool) -> Redirect {
    Redirect {
        status: 301,
        location: location.into(),
        path,
        keeps_query,
    }
}

#[test]
fn a_redirect_takes_along_what_it_says() {
    let own = Route::of("r", 1, "h", "/old").path;
    for (location, path, keeps_query, wanted) in [
        (
            "https://{host}",
            RedirectPath::Whole,
            true,
            "https://h/old/a?b=1",
        ),
        (
            "https://{host}/",
            RedirectPath::Whole,
            false,
            "https://h/old/a",
        ),
        ("https://n/x", RedirectPath::Rest, true, "https://n/x/a?b=1"),
        (
            "https://n/x?c",
            RedirectPath::None,
            true,
            "https://n/x?c&b=1",
        ),
        ("/", RedirectPath::Whole, false, "/old/a"),
    ] {
        let redirect = redirect_to(location, path, keeps_query);
        assert_eq!(redirect.location(&own, "h", "/old/a", Some("b=1")), wanted);
    }
}

#[test]
fn a_location_that_ends_in_a_slash_has_the_rest_behind_it() {
    let redirect = |from: &str, location: &str, path: &str| {
        let goes_on = location.ends_with('/');
        let rest = if goes_on {
            RedirectPath::Rest
        } else {
            RedirectPath::None
        };
        let (path, query) = path
            .split_once('?')
            .map_or((path, None), |(path, query)| (path, Some(query)));
        let own = Route::of("r", 1, "h", from).path;
        redirect_to(location, rest, goes_on).location(&own, "h", path, query)
    };
    let cases = [
        (
            "/",
            "https://new.example/",
            "/a/b?c=1",
            "https://new.example/a/b?c=1",
        ),
        ("/", "https://new.example/", "/", "https://new.example/"),
        ("/", "https://new.example/", "*", "https://new.example/"),
        (
            "/old",
            "https://new.example/x/",
            "/old/a?b",
            "https://new.example/x/a?b",
        ),
        (
            "/old",
            "https://new.example/x/",
            "/old?b",
            "https://new.example/x/?b",
        ),
        (
            "/old",
            "https://new.example/x",
            "/old/a?b",
            "https://new.example/x",
        ),
        (
            "=/",
            "https://new.example/",
            "/?b=1",
            "https://new.example/?b=1",
        ),
        // Else a stranger could name the host one is sent to.
        ("/", "/", "//evil.example/", "/evil.example/"),
        ("/old", "/", "/old//evil.example/", "/evil.example/"),
        ("/old", "/", "/old/\\evil.example/", "/evil.example/"),
    ];
    for (from, location, path, wanted) in cases {
        assert_eq!(
            redirect(from, location, path),
            wanted,
            "{path} from {from} to {location}"
        );
    }
}
