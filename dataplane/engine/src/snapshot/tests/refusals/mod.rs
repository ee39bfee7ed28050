//! Each rule of the document broken once: the path and the sentence, and that nothing came of it. Here: of documents as
//! a whole; of their fields, values and TLS in the files below.

mod fields;
mod tls;
mod values;

use serde_json::{Map, Value, json};

use super::{FULL, golden};
use crate::snapshot::{Refusal, limits};

/// The path and sentence with which the golden document is refused after `change`.
fn refusal(change: impl FnOnce(&mut Value)) -> (String, String) {
    let mut document: Value = serde_json::from_slice(FULL).unwrap();
    change(&mut document);
    refusal_of(document.to_string().as_bytes())
}

fn refusal_of(document: &[u8]) -> (String, String) {
    match golden().apply(document) {
        Err(Refusal::Invalid { path, sentence }) => (path, sentence),
        other => panic!(
            "not refused: {:?}",
            other.map(|snapshot| snapshot.generation)
        ),
    }
}

/// Puts `value` at `pointer` in the resources and expects a refusal there.
fn check(pointer: &str, value: Value, path: &str, sentence: &str) {
    let (at, why) = refusal(|document| {
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        let parent = document
            .pointer_mut(&format!("/resources{parent}"))
            .unwrap();
        match parent {
            Value::Array(entries) => entries[field.parse::<usize>().unwrap()] = value,
            other => drop(
                other
                    .as_object_mut()
                    .unwrap()
                    .insert(field.to_owned(), value),
            ),
        }
    });
    assert_eq!(at, path, "{pointer}: {why}");
    assert!(
        why.contains(sentence),
        "{pointer}: {why:?} does not say {sentence:?}"
    );
}

#[test]
fn documents_that_are_none_are_refused() {
    let check = |document: &[u8], path: &str, sentence: &str| {
        let (at, why) = refusal_of(document);
        assert_eq!((at.as_str(), why.contains(sentence)), (path, true), "{why}");
    };
    check(b"", "", "EOF");
    check(b"nonsense", "", "expected");
    check(b"[]", "", "invalid length 0");
    check(b"\xff\xfe", "", "expected value");
    check(
        b"{\"schema\":2,\"kind\":\"full\",\"wonder\":[]}",
        "schema",
        "is 2, and this proxy reads 1",
    );
    check(
        br#"{"schema":1,"kind":"half","generation":1,"digest":"d"}"#,
        "kind",
        "unknown variant",
    );
    check(
        br#"{"schema":1,"kind":"full","generation":1}"#,
        "",
        "missing field `digest`",
    );
    check(
        br#"{"schema":1,"kind":"full","generation":1,"digest":"d"}"#,
        "resources",
        "needs them",
    );
    check(
        br#"{"schema":1,"kind":"full","generation":-1,"digest":"d"}"#,
        "generation",
        "invalid value",
    );
    check(
        br#"{"schema":1,"kind":"full","generation":1,"digest":"","resources":{}}"#,
        "digest",
        "empty",
    );
    check(
        br#"{"schema":1,"kind":"full","generation":1,"digest":"d","base":"b","resources":{}}"#,
        "base",
        "only a delta has it",
    );
    check(
        br#"{"schema":1,"kind":"full","generation":1,"digest":"d","resources":{}}"#,
        "settings.node",
        "needs the node's settings",
    );
    check(
        br#"{"schema":1,"kind":"delta","generation":1,"digest":"d"}"#,
        "base",
        "needs the digest",
    );
    check(
        br#"{"schema":1,"kind":"full","generation":1,"digest":"d","resources":{"routes":{"a":1,"a":2}}}"#,
        "resources.routes",
        "`a` stands there twice",
    );
    check(
        br#"{"schema":1,"kind":"full","generation":1,"digest":"d","resources":{"middlewares":{}}}"#,
        "resources.middlewares",
        "unknown field",
    );
    let (_, why) = refusal_of(&[FULL, b"{}"].concat());
    assert!(why.contains("trailing characters"), "{why}");
    let (_, why) = refusal_of(&FULL[..FULL.len() / 2]);
    assert!(why.contains("EOF"), "{why}");
    refusal_of(&[b"[".repeat(100_000), b"]".repeat(100_000)].concat());
}

#[test]
fn nesting_and_size_are_bounded() {
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let base = &golden().digest;
    let document = format!(
        r#"{{"schema":1,"kind":"delta","base":"{base}","generation":1,"digest":"d","set":{{"routes":{{"a":{deep}}}}}}}"#
    );
    assert_eq!(refusal_of(document.as_bytes()).0, "routes.a[0]");
    let huge = vec![b' '; limits::DOCUMENT_BYTES + 1];
    assert!(refusal_of(&huge).1.contains("over 67108864"));
    let long = "x".repeat(1 << 20);
    let (path, sentence) = refusal(|document| document["resources"]["routes"][&long] = Value::Null);
    assert!(path.len() + sentence.len() < 3 * limits::REFUSAL_BYTES);
}

#[test]
fn a_delta_is_refused_where_it_is_wrong() {
    let check = |fields: Value, path: &str, sentence: &str| {
        let mut delta = json!({"schema": 1, "kind": "delta", "generation": 8, "digest": "d"});
        delta["base"] = (*golden().digest).into();
        let Value::Object(fields) = fields else {
            unreachable!()
        };
        delta.as_object_mut().unwrap().extend(fields);
        let (at, why) = refusal_of(delta.to_string().as_bytes());
        assert_eq!(
            (at.as_str(), why.contains(sentence)),
            (path, true),
            "{at}: {why}"
        );
    };
    let shop = json!({"routes": {"shop": Map::new()}});
    check(
        json!({"set": shop, "remove": {"routes": ["shop"]}}),
        "remove.routes",
        "`shop` is set as well",
    );
    check(
        json!({"remove": {"settings": ["node"]}}),
        "settings.node",
        "needs the node's settings",
    );
    check(
        json!({"remove": {"clusters": ["web"]}}),
        "routes.team/all.action.split[0].cluster",
        "no cluster",
    );
    check(
        json!({"remove": {"clusters": "web"}}),
        "remove.clusters",
        "invalid type",
    );
    check(
        json!({"resources": {}}),
        "resources",
        "only a full snapshot",
    );
    check(
        json!({"set": {"routes": {"new": 1}}}),
        "routes.new",
        "invalid type",
    );
}
