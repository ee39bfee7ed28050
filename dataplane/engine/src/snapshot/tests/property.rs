//! Random changes: a delta gives what the full document gives, and no document makes the proxy panic.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::FULL;
use crate::snapshot::{Asked, Collection, Snapshot};

const HOSTS: [&str; 5] = ["a.example", "b.example", "*.example", "*.b.example", "*"];
const PATHS: [&str; 5] = ["/", "/a", "/a/", "/a/b", "//"];
const ASKED: [(&str, &str); 8] = [
    ("a.example", "/"),
    ("a.example", "/a/b/c"),
    ("b.example", "/a"),
    ("x.b.example", "/a/"),
    ("x.b.example", "//x"),
    ("c.example", "/a/b"),
    ("other", "/a"),
    ("other", ""),
];

/// One change to the resources.
#[derive(Debug, Clone)]
enum Step {
    Route {
        name: u8,
        host: usize,
        path: usize,
        is_exact: bool,
        index: u64,
        cluster: u8,
    },
    NoRoute(u8),
    Cluster {
        name: u8,
        weight: u32,
    },
    NoCluster(u8),
    Intention {
        name: u8,
        is_allowed: bool,
    },
    NoIntention(u8),
    Service {
        name: u8,
        port: u16,
    },
    NoService(u8),
    Listener {
        name: u8,
        port: u16,
    },
    NoListener(u8),
    Default(bool),
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u8..6, 0..HOSTS.len(), 0..PATHS.len(), any::<bool>(), 0_u64..3, 0_u8..3).prop_map(
            |(name, host, path, is_exact, index, cluster)| Step::Route {
                name, host, path, is_exact, index, cluster,
            },
        ),
        2 => (0_u8..6).prop_map(Step::NoRoute),
        2 => (0_u8..3, 1_u32..4).prop_map(|(name, weight)| Step::Cluster { name, weight }),
        1 => (0_u8..3).prop_map(Step::NoCluster),
        1 => (0_u8..2, any::<bool>()).prop_map(|(name, is_allowed)| Step::Intention { name, is_allowed }),
        1 => (0_u8..2).prop_map(Step::NoIntention),
        1 => (0_u8..2, 1_u16..4).prop_map(|(name, port)| Step::Service { name, port }),
        1 => (0_u8..2).prop_map(Step::NoService),
        1 => (0_u8..2, 1_u16..4).prop_map(|(name, port)| Step::Listener { name, port }),
        1 => (0_u8..2).prop_map(Step::NoListener),
        1 => any::<bool>().prop_map(Step::Default),
    ]
}

type Resources = BTreeMap<&'static str, Map<String, Value>>;

fn begin() -> Resources {
    let mut document: Value = serde_json::from_slice(FULL).unwrap();
    let mut settings = document["resources"]["settings"].take();
    settings["node"]["trusted_proxies"] = json!([]);
    let collections = [
        "settings",
        "listeners",
        "routes",
        "clusters",
        "services",
        "intentions",
    ];
    let mut resources: Resources = collections.map(|name| (name, Map::new())).into();
    resources.insert("settings", settings.as_object().unwrap().clone());
    resources
}

fn make(step: &Step, resources: &mut Resources) {
    let (collection, name, value) = match *step {
        Step::Route {
            name,
            host,
            path,
            is_exact,
            index,
            cluster,
        } => {
            let kind = if is_exact { "exact" } else { "prefix" };
            let value = json!({
                "key": format!("mesh/routes/r{name}"), "index": index, "hosts": [HOSTS[host]],
                "path": {kind: PATHS[path]},
                "action": {"split": [{"cluster": format!("c{cluster}"), "weight": 1}]},
            });
            ("routes", format!("r{name}"), Some(value))
        }
        Step::NoRoute(name) => ("routes", format!("r{name}"), None),
        Step::Cluster { name, weight } => {
            let name = format!("c{name}");
            let endpoint = json!({"id": "e", "node": "n", "address": "10.0.0.1:1", "weight": weight, "via": "clear"});
            let value =
                json!({"service": name, "exists": true, "instances": 1, "endpoints": [endpoint]});
            ("clusters", name, Some(value))
        }
        Step::NoCluster(name) => ("clusters", format!("c{name}"), None),
        Step::Intention { name, is_allowed } => {
            let name = format!("c{name}");
            let action = if is_allowed { "allow" } else { "deny" };
            let rule = json!({"source": "web", "action": action, "name": "web", "precedence": 9, "index": 1});
            (
                "intentions",
                name.clone(),
                Some(json!({"destination": name, "rules": [rule]})),
            )
        }
        Step::NoIntention(name) => ("intentions", format!("c{name}"), None),
        Step::Service { name, port } => {
            let name = format!("s{name}");
            let instance =
                json!({"id": "i", "addresses": [format!("10.0.0.1:{port}")], "healthy": true});
            (
                "services",
                name.clone(),
                Some(json!({"service": name, "instances": [instance]})),
            )
        }
        Step::NoService(name) => ("services", format!("s{name}"), None),
        Step::Listener { name, port } => {
            let value = json!({"kind": "edge", "address": format!("10.0.0.1:{port}")});
            ("listeners", format!("l{name}"), Some(value))
        }
        Step::NoListener(name) => ("listeners", format!("l{name}"), None),
        Step::Default(is_allowed) => {
            let mut value = resources["settings"]["node"].clone();
            value["intention_default"] = if is_allowed { "allow" } else { "deny" }.into();
            ("settings", "node".to_owned(), Some(value))
        }
    };
    let collection = resources.get_mut(collection).unwrap();
    match value {
        Some(value) => drop(collection.insert(name, value)),
        None => drop(collection.remove(&name)),
    }
}

fn full(generation: usize, resources: &Resources) -> String {
    let digest = format!("d{generation}");
    json!({"schema": 1, "kind": "full", "generation": generation, "digest": digest, "resources": resources})
        .to_string()
}

/// What the agent would send to make `after` of `before`.
fn delta(base: &str, generation: usize, before: &Resources, after: &Resources) -> String {
    let mut set = Resources::new();
    let mut remove: BTreeMap<&str, Vec<&String>> = BTreeMap::new();
    for (&collection, entries) in after {
        let before = &before[collection];
        let changed = entries
            .iter()
            .filter(|(name, value)| before.get(*name) != Some(value));
        set.insert(
            collection,
            changed
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        );
        remove.insert(
            collection,
            before
                .keys()
                .filter(|name| !entries.contains_key(*name))
                .collect(),
        );
    }
    let digest = format!("d{generation}");
    json!({"schema": 1, "kind": "delta", "base": base, "generation": generation, "digest": digest, "set": set, "remove": remove})
        .to_string()
}

fn by_name<T>(collection: &Collection<T>) -> BTreeMap<&str, &T> {
    collection
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect()
}

fn is_same(one: &Snapshot, other: &Snapshot) -> Result<(), TestCaseError> {
    prop_assert_eq!(one.to_json(), other.to_json());
    prop_assert_eq!(&one.settings, &other.settings);
    prop_assert_eq!(&one.listeners, &other.listeners);
    prop_assert_eq!(by_name(&one.clusters), by_name(&other.clusters));
    prop_assert_eq!(by_name(&one.services), by_name(&other.services));
    for (host, path) in ASKED {
        prop_assert_eq!(
            one.router.find(&Asked::get(host, path)),
            other.router.find(&Asked::get(host, path))
        );
    }
    for destination in ["c0", "c1", "c2"] {
        let decide = |snapshot: &Snapshot| snapshot.authorizer.decide("web", destination);
        prop_assert_eq!(decide(one), decide(other));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn deltas_give_what_full_documents_give(
        rounds in prop::collection::vec(prop::collection::vec(steps(), 1..6), 1..12),
    ) {
        let mut resources = begin();
        let mut in_force = Snapshot::empty().apply(full(0, &resources).as_bytes()).unwrap();
        for (generation, round) in (1..).zip(&rounds) {
            let mut after = resources.clone();
            for step in round {
                make(step, &mut after);
            }
            let by_full = Snapshot::empty().apply(full(generation, &after).as_bytes());
            let by_full_on_top = in_force.apply(full(generation, &after).as_bytes());
            let document = delta(&in_force.digest, generation, &resources, &after);
            let by_delta = in_force.apply(document.as_bytes());
            match (by_full, by_full_on_top, by_delta) {
                (Ok(by_full), Ok(by_full_on_top), Ok(by_delta)) => {
                    is_same(&by_full, &by_delta)?;
                    is_same(&by_full, &by_full_on_top)?;
                    in_force = by_delta;
                    resources = after;
                }
                // The same sentence, whichever way it came: routes may be looked at in another order.
                (Err(_), Err(_), Err(_)) => {}
                (by_full, _, by_delta) => {
                    prop_assert!(false, "full {:?}, delta {:?}", by_full.err(), by_delta.err());
                }
            }
        }
    }

    #[test]
    fn a_damaged_document_is_refused_or_taken_but_never_panics(
        cuts in prop::collection::vec((0..FULL.len(), any::<u8>()), 1..8),
        end in 0..FULL.len(),
        is_cut in any::<bool>(),
    ) {
        let mut document = FULL.to_vec();
        for (at, byte) in cuts {
            document[at] = byte;
        }
        if is_cut {
            document.truncate(end);
        }
        if let Ok(snapshot) = Snapshot::empty().apply(&document) {
            let again = Snapshot::empty().apply(&snapshot.to_json());
            prop_assert!(again.is_ok(), "what was taken is refused: {:?}", again.err());
        }
    }

    #[test]
    fn a_field_of_another_kind_is_refused_or_taken_but_never_panics(
        at in 0_usize..400,
        value in prop::sample::select(vec![
            json!(null), json!(true), json!(-1), json!(0), json!(u64::MAX), json!(1e308), json!(""),
            json!("*"), json!("/"), json!("0.0.0.0:0"), json!("\u{0}"), json!([]), json!({}), json!([[]]),
        ]),
    ) {
        let mut document: Value = serde_json::from_slice(FULL).unwrap();
        replace_nth(&mut document, &mut { at }, &value);
        if let Ok(snapshot) = Snapshot::empty().apply(document.to_string().as_bytes()) {
            for (host, path) in ASKED {
                snapshot.router.find(&Asked::get(host, path));
            }
        }
    }
}

/// Puts `value` in the place of the `at`-th value of the document, counted from the top.
fn replace_nth(document: &mut Value, at: &mut usize, value: &Value) {
    if *at == 0 {
        *document = value.clone();
    }
    let Some(left) = at.checked_sub(1) else {
        return;
    };
    *at = left;
    match document {
        Value::Array(entries) => entries
            .iter_mut()
            .for_each(|entry| replace_nth_or_stop(entry, at, value)),
        Value::Object(entries) => entries
            .values_mut()
            .for_each(|entry| replace_nth_or_stop(entry, at, value)),
        _ => {}
    }
}

fn replace_nth_or_stop(document: &mut Value, at: &mut usize, value: &Value) {
    if *at != usize::MAX {
        replace_nth(document, at, value);
        if *at == 0 {
            *at = usize::MAX;
        }
    }
}
