//! What the proxy would do with requests, told step by step (docs/boundary.md): the functions that serve decide here
//! too. It may not send anything, count, or put a snapshot in force.

mod calling;
mod changes;
mod document;
mod one;
mod raw;
mod reach;
mod rows;

use std::sync::Arc;

use self::document::Document;
pub use self::document::{MOST_CONSIDERED, MOST_REQUESTS};
use self::rows::Explained;
use crate::http1::HeaderStore;
use crate::snapshot::{Refusal, Snapshot, parse};

/// Answers `POST /v1/explain`: `in_force` is what serves, which the document may replace for its own requests.
pub fn explain(in_force: &Arc<Snapshot>, document: &[u8]) -> Result<Vec<u8>, Refusal> {
    let document = parse::<Document<'_>>(document)?;
    document.check()?;
    let snapshot = match document.snapshot {
        Some(candidate) => Arc::new(in_force.apply(candidate.get().as_bytes())?),
        None => Arc::clone(in_force),
    };
    let mut store = HeaderStore::new();
    let answers = document.requests.iter().enumerate().map(|(at, request)| {
        one::explain(&snapshot, request, document.considered, &mut store).map_err(|sentence| {
            Refusal::Invalid {
                path: format!("requests[{at}]"),
                sentence,
            }
        })
    });
    let explained = Explained {
        generation: snapshot.generation,
        digest: Some(&*snapshot.digest).filter(|digest| !digest.is_empty()),
        answers: answers.collect::<Result<_, _>>()?,
    };
    // Plain rows of numbers and texts cannot fail to serialize.
    Ok(serde_json::to_vec(&explained).unwrap_or_default())
}
