//! Puts a document on top of a snapshot. It may not change the snapshot it begins from.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use super::collection::{Change, Collection};
use super::document::{Collections, Envelope, Kind, Removed, SchemaOnly};
use super::refusal::{self, Refusal};
use super::{
    Action, Cluster, DestinationRules, ListenerConfig, LocalService, Route, Settings, Snapshot,
    TlsHost, check, intention, limits, route,
};

/// The schema this proxy reads.
const SCHEMA: u32 = 1;

/// Resources that requests find by other ways than their name.
#[derive(Debug, Clone, Default)]
pub(super) struct Held {
    pub settings: Collection<Settings>,
    pub listeners: Collection<ListenerConfig>,
    pub routes: Collection<Route>,
    pub intentions: Collection<DestinationRules>,
}

/// What a document says about each collection.
struct Changes<'d> {
    settings: Change<'d>,
    listeners: Change<'d>,
    routes: Change<'d>,
    clusters: Change<'d>,
    services: Change<'d>,
    intentions: Change<'d>,
    tls: Change<'d>,
}

pub(super) fn apply(base: &Snapshot, document: &[u8]) -> Result<Snapshot, Refusal> {
    if document.len() > limits::DOCUMENT_BYTES {
        let sentence = format!(
            "is {} bytes long, over {}",
            document.len(),
            limits::DOCUMENT_BYTES
        );
        return Err(Refusal::at("", sentence));
    }
    let envelope = read(document)?;
    check::text("digest", &envelope.digest, limits::DIGEST_BYTES)?;
    let mut next = base.clone();
    next.generation = envelope.generation;
    next.digest = Arc::clone(&envelope.digest);
    let changes = changes(base, envelope)?;
    change_settings(&mut next, changes.settings)?;
    change_listeners(&mut next, changes.listeners)?;
    change_services(&mut next, changes.services)?;
    change_intentions(&mut next, changes.intentions)?;
    next.tls.change("tls", changes.tls, TlsHost::compile)?;
    let has_lost_clusters = change_clusters(&mut next, changes.clusters)?;
    change_routes(&mut next, changes.routes, has_lost_clusters)?;
    Ok(next)
}

/// The envelope; one of another schema is told apart from a wrong one.
fn read(document: &[u8]) -> Result<Envelope<'_>, Refusal> {
    let other_schema = |schema: u32| {
        let sentence = format!("is {schema}, and this proxy reads {SCHEMA}");
        Refusal::at("schema", sentence)
    };
    let envelope = refusal::parse::<Envelope<'_>>(document).map_err(|fault| {
        match serde_json::from_slice::<SchemaOnly>(document) {
            Ok(SchemaOnly { schema }) if schema != SCHEMA => other_schema(schema),
            _ => fault,
        }
    })?;
    if envelope.schema == SCHEMA {
        Ok(envelope)
    } else {
        Err(other_schema(envelope.schema))
    }
}

fn changes<'d>(base: &Snapshot, envelope: Envelope<'d>) -> Result<Changes<'d>, Refusal> {
    match envelope.kind {
        Kind::Full => {
            let misplaced = [
                ("base", envelope.base.is_some()),
                ("set", envelope.set.is_some()),
                ("remove", envelope.remove.is_some()),
            ];
            if let Some((field, _)) = misplaced.iter().find(|(_, is_there)| *is_there) {
                return Err(Refusal::at(*field, "only a delta has it"));
            }
            match envelope.resources {
                Some(resources) => Ok(replace(resources)),
                None => Err(Refusal::at("resources", "a full snapshot needs them")),
            }
        }
        Kind::Delta => {
            if envelope.resources.is_some() {
                return Err(Refusal::at("resources", "only a full snapshot has them"));
            }
            let Some(named) = envelope.base else {
                return Err(Refusal::at("base", "a delta needs the digest it changes"));
            };
            if named != base.digest || base.digest.is_empty() {
                return Err(Refusal::BaseNotInForce {
                    digest: Arc::clone(&base.digest),
                });
            }
            Ok(amend(
                envelope.set.unwrap_or_default(),
                envelope.remove.unwrap_or_default(),
            ))
        }
    }
}

fn replace(resources: Collections<'_>) -> Changes<'_> {
    Changes {
        settings: Change::Replace(resources.settings),
        listeners: Change::Replace(resources.listeners),
        routes: Change::Replace(resources.routes),
        clusters: Change::Replace(resources.clusters),
        services: Change::Replace(resources.services),
        intentions: Change::Replace(resources.intentions),
        tls: Change::Replace(resources.tls),
    }
}

fn amend(set: Collections<'_>, remove: Removed) -> Changes<'_> {
    Changes {
        settings: Change::Amend(set.settings, remove.settings),
        listeners: Change::Amend(set.listeners, remove.listeners),
        routes: Change::Amend(set.routes, remove.routes),
        clusters: Change::Amend(set.clusters, remove.clusters),
        services: Change::Amend(set.services, remove.services),
        intentions: Change::Amend(set.intentions, remove.intentions),
        tls: Change::Amend(set.tls, remove.tls),
    }
}

fn change_settings(next: &mut Snapshot, change: Change<'_>) -> Result<(), Refusal> {
    next.held
        .settings
        .change("settings", change, Settings::compile)?;
    let Some(settings) = next.held.settings.get("node") else {
        return Err(Refusal::at(
            "settings.node",
            "a snapshot needs the node's settings",
        ));
    };
    next.settings = Arc::clone(settings);
    next.authorizer.set_default(settings.is_allowed_by_default);
    Ok(())
}

fn change_listeners(next: &mut Snapshot, change: Change<'_>) -> Result<(), Refusal> {
    let differences = next
        .held
        .listeners
        .change("listeners", change, ListenerConfig::compile)?;
    if differences.is_empty() {
        return Ok(());
    }
    for difference in differences {
        match difference.new {
            Some(listener) => next.listeners.insert(difference.name, listener),
            None => next.listeners.remove(&difference.name),
        };
    }
    let mut taken: BTreeMap<SocketAddr, &str> = BTreeMap::new();
    for (name, listener) in &next.listeners {
        // Port 0 is another port each time.
        if listener.address.port() == 0 {
            continue;
        }
        if let Some(other) = taken.insert(listener.address, name) {
            let sentence = format!("`{}` is the address of `{other}`", listener.address);
            return Err(Refusal::at(format!("listeners.{name}.address"), sentence));
        }
    }
    Ok(())
}

fn change_services(next: &mut Snapshot, change: Change<'_>) -> Result<(), Refusal> {
    let before = next.services.clone();
    let compile = |name: &_, document| {
        LocalService::compile(name, document, before.get(name).map(|before| &**before))
    };
    next.services.change("services", change, compile)?;
    Ok(())
}

fn change_intentions(next: &mut Snapshot, change: Change<'_>) -> Result<(), Refusal> {
    let differences = next
        .held
        .intentions
        .change("intentions", change, intention::compile)?;
    for difference in differences {
        next.authorizer.set(&difference.name, difference.new);
    }
    Ok(())
}

/// Tells whether a cluster is gone, to which a route may still point.
fn change_clusters(next: &mut Snapshot, change: Change<'_>) -> Result<bool, Refusal> {
    let before = next.clusters.clone();
    let compile = |name: &_, document| {
        Cluster::compile(name, document, before.get(name).map(|before| &**before))
    };
    let differences = next.clusters.change("clusters", change, compile)?;
    Ok(differences
        .iter()
        .any(|difference| difference.new.is_none()))
}

fn change_routes(
    next: &mut Snapshot,
    change: Change<'_>,
    has_lost_clusters: bool,
) -> Result<(), Refusal> {
    let before = next.held.routes.clone();
    let compile = |name: &_, document| {
        route::compile(name, document, before.get(name).map(|before| &**before))
    };
    let differences = next.held.routes.change("routes", change, compile)?;
    for route in differences
        .iter()
        .filter_map(|difference| difference.new.as_ref())
    {
        check_clusters(route, &next.clusters)?;
    }
    if has_lost_clusters {
        for route in next.held.routes.values() {
            check_clusters(route, &next.clusters)?;
        }
    }
    for difference in &differences {
        if let Some(old) = &difference.old {
            next.router.remove(old);
        }
    }
    for difference in &differences {
        if let Some(new) = &difference.new {
            next.router.insert(new);
        }
    }
    Ok(())
}

fn check_clusters(route: &Route, clusters: &Collection<Cluster>) -> Result<(), Refusal> {
    let Action::Split(parts) = &route.action else {
        return Ok(());
    };
    for (at, part) in parts.iter().enumerate() {
        if !clusters.contains_key(&part.cluster) {
            let path = format!("routes.{}.action.split[{at}].cluster", route.name);
            let sentence = format!("there is no cluster `{}` in the snapshot", part.cluster);
            return Err(Refusal::at(path, sentence));
        }
    }
    Ok(())
}

pub(super) fn to_json(snapshot: &Snapshot) -> Vec<u8> {
    let mut json = format!(
        r#"{{"schema":{SCHEMA},"kind":"full","generation":{},"digest":{},"resources":{{"#,
        snapshot.generation,
        quoted(&snapshot.digest),
    );
    let held = &snapshot.held;
    push_collection(&mut json, "clusters", &snapshot.clusters.texts());
    push_collection(&mut json, "intentions", &held.intentions.texts());
    push_collection(&mut json, "listeners", &held.listeners.texts());
    push_collection(&mut json, "routes", &held.routes.texts());
    push_collection(&mut json, "services", &snapshot.services.texts());
    push_collection(&mut json, "settings", &held.settings.texts());
    push_collection(&mut json, "tls", &snapshot.tls.texts());
    // The comma behind the last collection.
    json.pop();
    json.push_str("}}");
    json.into_bytes()
}

fn push_collection(json: &mut String, label: &str, texts: &[(&str, &str)]) {
    json.push_str(&quoted(label));
    json.push_str(":{");
    for (at, (name, text)) in texts.iter().enumerate() {
        if at > 0 {
            json.push(',');
        }
        json.push_str(&quoted(name));
        json.push(':');
        json.push_str(text);
    }
    json.push_str("},");
}

/// As a JSON string.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
