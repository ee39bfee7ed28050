//! The resources of one kind: what they came as and what was made of them. A change shares all that stays.

use std::sync::Arc;

use serde::Deserialize;

use super::document::Named;
use super::refusal::{self, Refusal};
use super::{check, limits};
use crate::shared_map::SharedMap;

/// Resources by name. A copy is one pointer.
#[derive(Debug)]
pub struct Collection<T> {
    held: SharedMap<Held<T>>,
}

/// One resource.
#[derive(Debug)]
struct Held<T> {
    /// As it came, to be given out again and to see what does not change.
    text: Arc<str>,
    value: Arc<T>,
}

/// What a document says about one collection.
pub(super) enum Change<'d> {
    /// These and no others (full).
    Replace(Named<'d>),
    /// These are put in, and those named taken out (delta).
    Amend(Named<'d>, Vec<Arc<str>>),
}

/// One resource that is not what it was.
pub(super) struct Difference<T> {
    pub name: Arc<str>,
    pub old: Option<Arc<T>>,
    pub new: Option<Arc<T>>,
}

impl<T> Clone for Collection<T> {
    fn clone(&self) -> Self {
        Self {
            held: self.held.clone(),
        }
    }
}

impl<T> Clone for Held<T> {
    fn clone(&self) -> Self {
        Self {
            text: Arc::clone(&self.text),
            value: Arc::clone(&self.value),
        }
    }
}

impl<T> Default for Collection<T> {
    fn default() -> Self {
        Self {
            held: SharedMap::default(),
        }
    }
}

impl<T> Collection<T> {
    /// The resource of that name.
    pub fn get(&self, name: &str) -> Option<&Arc<T>> {
        self.held.get(name).map(|held| &held.value)
    }

    /// Whether there is a resource of that name.
    pub fn contains_key(&self, name: &str) -> bool {
        self.held.contains_key(name)
    }

    /// Every resource with its name, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<T>)> {
        self.held.iter().map(|(name, held)| (name, &held.value))
    }

    /// Every resource, in no order.
    pub fn values(&self) -> impl Iterator<Item = &Arc<T>> {
        self.held.iter().map(|(_, held)| &held.value)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Every resource as it came, sorted by name.
    pub(super) fn texts(&self) -> Vec<(&str, &str)> {
        let mut texts: Vec<(&str, &str)> = self
            .held
            .iter()
            .map(|(name, held)| (&**name, &*held.text))
            .collect();
        texts.sort_unstable();
        texts
    }

    /// Makes the change and tells what is different. `label` is the collection's name in the document, `compile`
    /// makes a resource of its document.
    pub(super) fn change<D: for<'t> Deserialize<'t>>(
        &mut self,
        label: &str,
        change: Change<'_>,
        compile: impl Fn(&Arc<str>, D) -> Result<T, Refusal>,
    ) -> Result<Vec<Difference<T>>, Refusal> {
        let (set, removed) = match change {
            Change::Replace(set) => {
                let names = self.held.iter().map(|(name, _)| name);
                let gone = names
                    .filter(|&name| !set.0.contains_key(name))
                    .cloned()
                    .collect();
                (set, gone)
            }
            Change::Amend(set, removed) => {
                if let Some(name) = removed.iter().find(|&name| set.0.contains_key(name)) {
                    let path = format!("remove.{label}");
                    return Err(Refusal::at(path, format!("`{name}` is set as well")));
                }
                (set, removed)
            }
        };
        let mut differences = Vec::new();
        for (name, text) in set.0 {
            let old = self.held.get(&name);
            if old.is_some_and(|held| &*held.text == text) {
                continue;
            }
            let under = |fault: Refusal| fault.under(&format!("{label}.{name}"));
            check::name("", &name).map_err(under)?;
            let document = refusal::parse::<D>(text.as_bytes()).map_err(under)?;
            let value = Arc::new(compile(&name, document).map_err(under)?);
            let old = old.map(|held| Arc::clone(&held.value));
            differences.push((
                Difference {
                    name,
                    old,
                    new: Some(value),
                },
                Some(Arc::from(text)),
            ));
        }
        for name in removed {
            if let Some(old) = self.held.get(&name).map(|held| Arc::clone(&held.value)) {
                differences.push((
                    Difference {
                        name,
                        old: Some(old),
                        new: None,
                    },
                    None,
                ));
            }
        }
        self.hold(label, differences)
    }

    fn hold(
        &mut self,
        label: &str,
        differences: Vec<(Difference<T>, Option<Arc<str>>)>,
    ) -> Result<Vec<Difference<T>>, Refusal> {
        if differences.is_empty() {
            return Ok(Vec::new());
        }
        for (difference, text) in &differences {
            match (&difference.new, text) {
                (Some(value), Some(text)) => {
                    let held = Held {
                        text: Arc::clone(text),
                        value: Arc::clone(value),
                    };
                    self.held.insert(Arc::clone(&difference.name), held);
                }
                _ => drop(self.held.remove(&difference.name)),
            }
        }
        check::count(label, self.held.len(), limits::RESOURCES)?;
        Ok(differences
            .into_iter()
            .map(|(difference, _)| difference)
            .collect())
    }
}
