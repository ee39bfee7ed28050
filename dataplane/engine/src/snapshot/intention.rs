//! Makes a destination's rules of their document. It may not decide; the authorizer does.

use std::sync::Arc;

use super::document::IntentionsDocument;
use super::refusal::Refusal;
use super::{check, limits};
use crate::authorizer::{DestinationRules, Rule};

pub(super) fn compile(
    name: &Arc<str>,
    document: IntentionsDocument,
) -> Result<DestinationRules, Refusal> {
    check::same_name("destination", &document.destination, name)?;
    check::count("rules", document.rules.len(), limits::RULES)?;
    for (at, rule) in document.rules.iter().enumerate() {
        check::name(format!("rules[{at}].source"), &rule.source)?;
        check::text(format!("rules[{at}].name"), &rule.name, limits::KEY_BYTES)?;
    }
    let rules = document.rules.into_iter();
    Ok(DestinationRules::new(
        rules
            .map(|rule| Rule {
                source: rule.source,
                action: rule.action,
                name: rule.name,
            })
            .collect(),
    ))
}
