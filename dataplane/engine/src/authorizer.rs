//! Who may call whom, by the intentions in force. Decides only; it may not prove who calls.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::error::Reason;
use crate::shared_map::SharedMap;

/// The intentions of every destination this node has a say about.
#[derive(Debug, Clone, Default)]
pub struct Authorizer {
    rules: SharedMap<Arc<DestinationRules>>,
    is_allowed_by_default: bool,
}

/// The intentions of one destination, in the order of evaluation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DestinationRules {
    rules: Vec<Rule>,
    /// The first rule of each named source, so that a decision does not grow with their number.
    first_by_source: HashMap<Arc<str>, usize, RandomState>,
    /// The first rule for every source.
    first_wildcard: Option<usize>,
}

/// One intention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The calling service; `*` is every one.
    pub source: Arc<str>,
    /// What it says.
    pub action: RuleAction,
    /// Its name for people: `web => cart`.
    pub name: Arc<str>,
}

/// What an intention says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleAction {
    /// The call may go on.
    Allow,
    /// The call is refused.
    Deny,
    /// The intention has Permissions, which are not understood: the call is refused.
    Refuse,
}

/// What is to be done with a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Whether it may go on.
    pub is_allowed: bool,
    /// The name of the intention that decided; `None`: the default did.
    pub intention: Option<Arc<str>>,
    /// Why not, when it may not.
    pub reason: Option<Reason>,
}

impl DestinationRules {
    /// The rules of one destination, given in the order of evaluation.
    pub fn new(rules: Vec<Rule>) -> Self {
        let mut first_by_source = HashMap::default();
        let mut first_wildcard = None;
        for (at, rule) in rules.iter().enumerate() {
            if &*rule.source == "*" {
                first_wildcard.get_or_insert(at);
            } else {
                first_by_source
                    .entry(Arc::clone(&rule.source))
                    .or_insert(at);
            }
        }
        Self {
            rules,
            first_by_source,
            first_wildcard,
        }
    }

    /// The first rule that names `source`, or all.
    fn deciding(&self, source: &str) -> Option<&Rule> {
        let named = self.first_by_source.get(source).copied();
        let at = match (named, self.first_wildcard) {
            (Some(named), Some(wildcard)) => named.min(wildcard),
            (named, wildcard) => named.or(wildcard)?,
        };
        self.rules.get(at)
    }
}

impl Authorizer {
    /// What is to be done with a call from `source` to `destination`: the first intention that matches decides, else
    /// the default.
    pub fn decide(&self, source: &str, destination: &str) -> Decision {
        match self
            .rules
            .get(destination)
            .and_then(|rules| rules.deciding(source))
        {
            Some(rule) => {
                let reason = match rule.action {
                    RuleAction::Allow => None,
                    RuleAction::Deny => Some(Reason::IntentionDenied),
                    RuleAction::Refuse => Some(Reason::IntentionUnsupported),
                };
                Decision {
                    is_allowed: reason.is_none(),
                    intention: Some(Arc::clone(&rule.name)),
                    reason,
                }
            }
            None => Decision {
                is_allowed: self.is_allowed_by_default,
                intention: None,
                reason: (!self.is_allowed_by_default).then_some(Reason::IntentionDenied),
            },
        }
    }

    /// Whether the snapshot says anything about `destination`: what runs here, and what is reached in clear.
    pub fn covers(&self, destination: &str) -> bool {
        self.rules.contains_key(destination)
    }

    /// Says what holds where no intention matches.
    pub(crate) fn set_default(&mut self, is_allowed: bool) {
        self.is_allowed_by_default = is_allowed;
    }

    /// Puts the rules of a destination in the place of those it had; `None` takes them away.
    pub(crate) fn set(&mut self, destination: &Arc<str>, rules: Option<Arc<DestinationRules>>) {
        match rules {
            Some(rules) => self.rules.insert(Arc::clone(destination), rules),
            None => drop(self.rules.remove(destination)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authorizer(rules: &[(&str, RuleAction)], is_allowed_by_default: bool) -> Authorizer {
        let rules = rules.iter().map(|&(source, action)| Rule {
            source: Arc::from(source),
            action,
            name: Arc::from(format!("{source} => cart")),
        });
        let mut authorizer = Authorizer::default();
        authorizer.set_default(is_allowed_by_default);
        authorizer.set(
            &Arc::from("cart"),
            Some(Arc::new(DestinationRules::new(rules.collect()))),
        );
        authorizer
    }

    fn check(
        authorizer: &Authorizer,
        source: &str,
        intention: Option<&str>,
        reason: Option<Reason>,
    ) {
        let decision = authorizer.decide(source, "cart");
        assert_eq!(decision.intention.as_deref(), intention, "{source}");
        assert_eq!(decision.reason, reason, "{source}");
        assert_eq!(decision.is_allowed, reason.is_none(), "{source}");
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        use RuleAction::{Allow, Deny, Refuse};
        let rules = [
            ("web", Deny),
            ("api", Refuse),
            ("web", Allow),
            ("*", Allow),
            ("late", Deny),
        ];
        let authorizer = authorizer(&rules, false);
        check(
            &authorizer,
            "web",
            Some("web => cart"),
            Some(Reason::IntentionDenied),
        );
        check(
            &authorizer,
            "api",
            Some("api => cart"),
            Some(Reason::IntentionUnsupported),
        );
        check(&authorizer, "late", Some("* => cart"), None);
        check(&authorizer, "other", Some("* => cart"), None);
        check(&authorizer, "*", Some("* => cart"), None);
    }

    #[test]
    fn where_no_rule_matches_the_default_decides() {
        let rules = [("web", RuleAction::Allow)];
        check(&authorizer(&rules, true), "api", None, None);
        check(
            &authorizer(&rules, false),
            "api",
            None,
            Some(Reason::IntentionDenied),
        );
        check(
            &authorizer(&rules, false),
            "WEB",
            None,
            Some(Reason::IntentionDenied),
        );
    }

    #[test]
    fn nothing_is_allowed_before_a_snapshot_says_so() {
        assert!(!Authorizer::default().decide("web", "cart").is_allowed);
        assert!(!Authorizer::default().covers("cart"));
        assert!(authorizer(&[], true).covers("cart"));
    }
}
