//! Why a document was not put in force, told to a person. It may not hold more of the document than a line.

use std::sync::Arc;

use serde::Deserialize;

use super::limits;

/// Why a snapshot was refused; the one in force stays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The delta changes another snapshot than the one in force.
    #[error("the delta's base is not in force")]
    BaseNotInForce {
        /// The digest of what is in force; empty: nothing is.
        digest: Arc<str>,
    },
    /// The document is wrong.
    #[error("{}{sentence}", place(.path))]
    Invalid {
        /// Where: `routes.shop.action.split[0].weight`; empty: in the document as a whole.
        path: String,
        /// What, in one sentence.
        sentence: String,
    },
}

impl Refusal {
    /// A refusal of what stands at `path`.
    pub(super) fn at(path: impl Into<String>, sentence: impl Into<String>) -> Self {
        Self::Invalid {
            path: cut(path.into()),
            sentence: cut(sentence.into()),
        }
    }

    /// The same refusal, seen from one level above.
    pub(super) fn under(self, above: &str) -> Self {
        match self {
            Self::Invalid { path, sentence } if path.is_empty() => Self::at(above, sentence),
            Self::Invalid { path, sentence } => {
                let dot = if path.starts_with('[') { "" } else { "." };
                Self::at(format!("{above}{dot}{path}"), sentence)
            }
            Self::BaseNotInForce { .. } => self,
        }
    }
}

/// Reads a JSON document; what is wrong is told with its path.
pub fn parse<'d, T: Deserialize<'d>>(document: &'d [u8]) -> Result<T, Refusal> {
    // Keeping the path costs time, so it is looked for only once something is known to be wrong.
    serde_json::from_slice(document).map_err(|error| {
        let mut again = serde_json::Deserializer::from_slice(document);
        match serde_path_to_error::deserialize::<_, T>(&mut again) {
            Ok(_) => Refusal::at("", sentence(&error)),
            Err(located) => {
                let path = located.path().to_string();
                let path = if path == "." { String::new() } else { path };
                Refusal::at(path, sentence(located.inner()))
            }
        }
    })
}

/// The error without the line and column: resources are read one by one, so they would count from the wrong place.
fn sentence(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}

/// What stands before the sentence: nothing, when it is about the document as a whole.
fn place(path: &str) -> String {
    if path.is_empty() {
        String::new()
    } else {
        format!("{path}: ")
    }
}

fn cut(mut text: String) -> String {
    if text.len() > limits::REFUSAL_BYTES {
        let end = (0..=limits::REFUSAL_BYTES)
            .rev()
            .find(|&end| text.is_char_boundary(end));
        text.truncate(end.unwrap_or(0));
        text.push('…');
    }
    text
}
