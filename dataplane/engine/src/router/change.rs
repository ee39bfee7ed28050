//! What a route changes in requests and answers on their way. It may not write a head; `rewrite` does.

use std::borrow::Cow;

use regex::bytes::Captures;

use super::pattern::Pattern;

/// Everything a route changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// The path.
    pub path: Option<PathChange>,
    /// The `Host` that is sent on.
    pub host: Option<Box<str>>,
    /// Fields of the request.
    pub request: HeaderEdits,
    /// Fields of the answer.
    pub response: HeaderEdits,
}

/// What becomes of the path; the query stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathChange {
    /// Something is cut from its beginning, something put there.
    Prefix {
        /// Cut by whole segments, where it stands there.
        strip: Option<Box<str>>,
        /// Put before what is left.
        add: Option<Box<str>>,
    },
    /// Another takes its place, where the pattern takes it whole.
    Pattern {
        /// What takes it.
        pattern: Pattern,
        /// What takes its place.
        to: Template,
    },
}

/// A text with places for what a pattern caught.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(Box<str>),
    Group(usize),
}

/// A header field: its name in lower case, and its value.
pub type Field = (Box<str>, Box<str>);

/// Header fields taken away, put in place and put beside, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeaderEdits {
    /// Names, in lower case.
    pub remove: Vec<Box<str>>,
    /// Fields that take the place of all of their name.
    pub set: Vec<Field>,
    /// Fields put beside those there are.
    pub add: Vec<Field>,
}

impl PathChange {
    /// The path that is sent on in place of `path`.
    pub fn apply<'p>(&self, path: &'p str) -> Cow<'p, str> {
        // `OPTIONS *` names no path.
        if !path.starts_with('/') {
            return Cow::Borrowed(path);
        }
        match self {
            Self::Prefix { strip, add } => {
                let rest = strip
                    .as_deref()
                    .and_then(|strip| stripped(path, strip))
                    .unwrap_or(path);
                match (add.as_deref(), rest.starts_with('/')) {
                    (None, true) => Cow::Borrowed(rest),
                    (None, false) => Cow::Owned(format!("/{rest}")),
                    (Some(add), true) => Cow::Owned(format!("{add}{rest}")),
                    (Some(add), false) if rest.is_empty() => Cow::Owned(add.to_owned()),
                    (Some(add), false) => Cow::Owned(format!("{add}/{rest}")),
                }
            }
            Self::Pattern { pattern, to } => match pattern.compiled().captures(path.as_bytes()) {
                Some(caught) => Cow::Owned(to.fill(&caught)),
                None => Cow::Borrowed(path),
            },
        }
    }

    /// The field of the route that says so.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Prefix {
                strip: Some(_),
                add: None,
            } => "strip_prefix",
            Self::Prefix { strip: None, .. } => "add_prefix",
            Self::Prefix { .. } => "strip_prefix, add_prefix",
            Self::Pattern { .. } => "rewrite_path",
        }
    }
}

/// What is left of `path` behind `strip`, if it begins with it by whole segments.
fn stripped<'p>(path: &'p str, strip: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(strip)?;
    (strip.ends_with('/') || rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

impl Template {
    /// Reads `$1`, `${name}` and `$$`; the error is a sentence.
    pub fn parse(text: &str, pattern: &Pattern) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            parts.push(Part::Text(rest[..at].into()));
            let behind = &rest[at + 1..];
            let (part, length) = placeholder(behind, pattern)?;
            parts.push(part);
            rest = &behind[length..];
        }
        parts.push(Part::Text(rest.into()));
        parts.retain(|part| !matches!(part, Part::Text(text) if text.is_empty()));
        Ok(Self(parts))
    }

    fn fill(&self, caught: &Captures<'_>) -> String {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Group(group) => {
                    let bytes = caught
                        .get(*group)
                        .map_or(&b""[..], |found| found.as_bytes());
                    text.push_str(&String::from_utf8_lossy(bytes));
                }
            }
        }
        text
    }
}

/// What stands behind a `$`, and how long it is.
fn placeholder(behind: &str, pattern: &Pattern) -> Result<(Part, usize), String> {
    if behind.starts_with('$') {
        return Ok((Part::Text("$".into()), 1));
    }
    let (name, length) = if let Some(named) = behind.strip_prefix('{') {
        let end = named.find('}').ok_or("has a `${` without its `}`")?;
        (&named[..end], end + 2)
    } else if behind.starts_with(|letter: char| letter.is_ascii_digit()) {
        (&behind[..1], 1)
    } else {
        return Err("has a `$` before something else than a digit, `{` or `$`".to_owned());
    };
    let regex = pattern.compiled();
    let group = match name.parse::<usize>() {
        Ok(number) => Some(number).filter(|&number| number < regex.captures_len()),
        Err(_) => regex.capture_names().position(|known| known == Some(name)),
    };
    let group =
        group.ok_or_else(|| format!("names the group `{name}`, which the regex does not have"))?;
    Ok((Part::Group(group), length))
}

impl HeaderEdits {
    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.set.is_empty() && self.add.is_empty()
    }

    /// Whether fields of this name that are there go.
    pub fn drops(&self, name: &[u8]) -> bool {
        let is_it = |other: &str| other.as_bytes().eq_ignore_ascii_case(name);
        self.remove.iter().any(|other| is_it(other))
            || self.set.iter().any(|(other, _)| is_it(other))
    }

    /// The fields that are put there.
    pub fn added(&self) -> impl Iterator<Item = &Field> {
        self.set.iter().chain(&self.add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(strip: Option<&str>, add: Option<&str>) -> PathChange {
        PathChange::Prefix {
            strip: strip.map(Box::from),
            add: add.map(Box::from),
        }
    }

    #[test]
    fn the_prefix_is_stripped_by_whole_segments_and_another_put_there() {
        for (strip, add, path, wanted) in [
            (Some("/cart"), None, "/cart", "/"),
            (Some("/cart"), None, "/cart/", "/"),
            (Some("/cart"), None, "/cart/1", "/1"),
            (Some("/cart"), None, "/cartoon", "/cartoon"),
            (Some("/cart"), None, "*", "*"),
            (Some("/cart/"), None, "/cart/1", "/1"),
            (Some("/"), None, "/a", "/a"),
            (Some("/a"), Some("/b"), "/a", "/b"),
            (Some("/a"), Some("/b"), "/a/", "/b/"),
            (Some("/a"), Some("/b"), "/a/c", "/b/c"),
            (Some("/a/"), Some("/b"), "/a/c", "/b/c"),
            (None, Some("/b"), "/", "/b/"),
            (None, Some("/b"), "/a", "/b/a"),
        ] {
            assert_eq!(
                prefix(strip, add).apply(path),
                wanted,
                "{strip:?} {add:?} {path}"
            );
        }
    }

    #[test]
    fn a_pattern_puts_what_it_caught_in_its_place() {
        let change = |regex: &str, to: &str, path: &str| {
            let pattern = Pattern::regex(regex).unwrap();
            let to = Template::parse(to, &pattern).unwrap();
            PathChange::Pattern { pattern, to }.apply(path).into_owned()
        };
        assert_eq!(
            change("/u/([0-9]+)(/.*)?", "/users/$1$2", "/u/7/x"),
            "/users/7/x"
        );
        assert_eq!(
            change("/u/([0-9]+)(/.*)?", "/users/$1$2", "/u/7"),
            "/users/7"
        );
        assert_eq!(
            change("/(?<who>[a-z]+)", "/${who}s/$$/$0", "/cat"),
            "/cats/$//cat"
        );
        assert_eq!(change("/u/([0-9]+)", "/$1", "/x/u/7"), "/x/u/7");
    }

    #[test]
    fn a_template_names_groups_that_are_there() {
        let pattern = Pattern::regex("/(a)").unwrap();
        for bad in ["/$2", "/${x}", "/${1", "/$x", "/$"] {
            assert!(Template::parse(bad, &pattern).is_err(), "{bad}");
        }
    }
}
