//! Who would call, by the listener it is asked about. It may not be asked for proof: nobody calls.

use std::sync::Arc;

use super::document::{RequestDocument, Scheme};
use crate::edge_tls::Secured;
use crate::normal::Host;
use crate::plan::Caller;
use crate::snapshot::{ListenerConfig, ListenerKind, Snapshot};

/// TLS as a client makes it that asks for the host it connected to, and shows what that demands.
fn secured(snapshot: &Snapshot, request: &RequestDocument) -> Secured {
    let host = Host::of(&request.host).name;
    let settings = snapshot.tls_of(&host);
    Secured {
        rule: settings.and_then(|settings| settings.clients.clone()),
        sni: Some((*host).into()),
        client: None,
    }
}

/// Who calls, as the listener would have it.
pub(super) fn caller(snapshot: &Snapshot, request: &RequestDocument) -> Result<Caller, String> {
    let wanted = &*request.listener;
    let kinds = [
        ListenerKind::Edge,
        ListenerKind::Outbound,
        ListenerKind::Inbound,
    ];
    // A kind first: a service may be called `outbound`, and so is its listener then.
    let kind_asked = kinds.into_iter().find(|kind| kind.as_str() == wanted);
    let named = match kind_asked {
        Some(_) => None,
        None => snapshot.listeners.get(wanted),
    };
    let kind = kind_asked
        .or_else(|| named.map(|listener| listener.kind))
        .ok_or_else(|| format!("there is no listener {wanted:?}, and it is no kind of one"))?;
    let source = request.source.as_deref();
    let listener = named.or_else(|| {
        let fits = |listener: &&Arc<ListenerConfig>| {
            let is_its = kind != ListenerKind::Outbound
                || source.is_none()
                || source == listener.service.as_deref();
            // A port that means one destination is asked by its name.
            listener.kind == kind && is_its && listener.destination.is_none()
        };
        let of_its_name = snapshot.listeners.get(wanted).filter(fits);
        of_its_name.or_else(|| snapshot.listeners.values().find(fits))
    });
    let own = listener.and_then(|listener| match kind {
        ListenerKind::Edge => listener.identity.clone(),
        ListenerKind::Outbound => listener.service.clone(),
        ListenerKind::Inbound => None,
    });
    let own = own.or_else(|| (kind == ListenerKind::Edge).then(|| Arc::from("edge")));
    let source = match (source, own) {
        (Some(source), Some(own)) if *source != *own => {
            return Err(format!(
                "everybody who calls there is {own:?}, not {source:?}"
            ));
        }
        (Some(source), _) => Arc::from(source),
        (None, Some(own)) => own,
        (None, None) => {
            return Err("the source is left out, and no listener says who calls".to_owned());
        }
    };
    let destination = request.destination.as_deref().map(Arc::from);
    match (kind, &destination) {
        (ListenerKind::Inbound, None) => Err("an inbound call has a destination".to_owned()),
        (ListenerKind::Edge | ListenerKind::Outbound, Some(_)) => {
            Err("only an inbound call has a destination; others have hosts".to_owned())
        }
        _ => {
            let is_secured = match named {
                Some(listener) => listener.tls.is_some(),
                None => kind == ListenerKind::Edge && request.scheme == Scheme::Https,
            };
            let secured = is_secured.then(|| Arc::new(secured(snapshot, request)));
            Ok(Caller {
                kind,
                source,
                destination,
                host: listener.and_then(|listener| Caller::host_of(listener)),
                secured,
            })
        }
    }
}
