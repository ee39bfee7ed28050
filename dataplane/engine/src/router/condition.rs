//! What a route asks of a request beside host and path. It may not know other routes.

use std::borrow::Cow;

use super::asked::Asked;
use super::pattern::Pattern;
use crate::http1::{Header, Known};
use crate::network::{self, Network};

/// All conditions of a route; each has to hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Conditions {
    /// One of these, unless there is none.
    pub methods: Vec<Box<str>>,
    /// On header fields.
    pub headers: Vec<Condition>,
    /// On parameters of the query.
    pub query: Vec<Condition>,
    /// On cookies.
    pub cookies: Vec<Condition>,
    /// One of these has the client, unless there is none.
    pub client_addresses: Vec<Network>,
    /// One of these calls, unless there is none.
    pub sources: Vec<Box<str>>,
}

/// One condition on values under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The name; of headers in lower case.
    pub name: Box<str>,
    /// What one of the values has to be.
    pub value: ValueMatch,
    /// Whether none may be that instead.
    pub is_negated: bool,
}

/// What a value has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueMatch {
    /// These bytes.
    Exact(Box<str>),
    /// Beginning with these.
    Prefix(Box<str>),
    /// Ending with these.
    Suffix(Box<str>),
    /// As the pattern says, from first to last byte.
    Regex(Pattern),
    /// Anything, as long as it is there.
    Present,
}

/// The first condition that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missed<'c> {
    /// The method is none of the route's.
    Method(&'c [Box<str>]),
    /// This one on a header.
    Header(&'c Condition),
    /// This one on the query.
    Query(&'c Condition),
    /// This one on a cookie.
    Cookie(&'c Condition),
    /// The client is in none of the networks.
    ClientAddress,
    /// The caller is none of these.
    Source(&'c [Box<str>]),
}

impl Conditions {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// How much they ask for, in the order of precedence: methods, conditions on the head, conditions on the query.
    pub fn rank(&self) -> (bool, usize, usize) {
        let once = |is_there: bool| usize::from(is_there);
        let head = self.headers.len()
            + self.cookies.len()
            + once(!self.client_addresses.is_empty())
            + once(!self.sources.is_empty());
        (!self.methods.is_empty(), head, self.query.len())
    }

    /// The first that does not hold for a request; none: it is taken.
    pub fn missed(&self, asked: &Asked<'_>) -> Option<Missed<'_>> {
        if !self.methods.is_empty() && !self.methods.iter().any(|method| **method == *asked.method)
        {
            return Some(Missed::Method(&self.methods));
        }
        if !self.sources.is_empty() && !self.sources.iter().any(|source| **source == *asked.source)
        {
            return Some(Missed::Source(&self.sources));
        }
        if let Some(missed) = self
            .headers
            .iter()
            .find(|condition| !condition.holds(has_header, asked))
        {
            return Some(Missed::Header(missed));
        }
        if let Some(missed) = self
            .cookies
            .iter()
            .find(|condition| !condition.holds(has_cookie, asked))
        {
            return Some(Missed::Cookie(missed));
        }
        if let Some(missed) = self
            .query
            .iter()
            .find(|condition| !condition.holds(has_query, asked))
        {
            return Some(Missed::Query(missed));
        }
        let is_elsewhere = !self.client_addresses.is_empty()
            && !network::any_contains(&self.client_addresses, asked.client_address());
        is_elsewhere.then_some(Missed::ClientAddress)
    }
}

impl Missed<'_> {
    /// The stable code, as docs/boundary.md lists them.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Method(_) => "method",
            Self::Header(_) => "header",
            Self::Query(_) => "query",
            Self::Cookie(_) => "cookie",
            Self::ClientAddress => "client_address",
            Self::Source(_) => "source",
        }
    }

    /// What does not hold, for a person. It quotes the route, never the request: that may hold secrets.
    pub fn sentence(&self, asked: &Asked<'_>) -> String {
        match self {
            Self::Method(methods) => {
                format!("it takes {}, not {}", methods.join(", "), asked.method)
            }
            Self::Source(sources) => {
                format!(
                    "it takes calls of {}, not of {}",
                    sources.join(", "),
                    asked.source
                )
            }
            Self::ClientAddress => {
                format!(
                    "{} is in none of its client_addresses",
                    asked.client_address()
                )
            }
            Self::Header(condition) => condition.sentence("header", has_header, asked),
            Self::Query(condition) => condition.sentence("query parameter", has_query, asked),
            Self::Cookie(condition) => condition.sentence("cookie", has_cookie, asked),
        }
    }
}

/// Whether the request has a value like this under a name.
type Has = fn(&str, &ValueMatch, &Asked<'_>) -> bool;

impl Condition {
    #[inline]
    fn holds(
        &self,
        has: impl Fn(&str, &ValueMatch, &Asked<'_>) -> bool,
        asked: &Asked<'_>,
    ) -> bool {
        has(&self.name, &self.value, asked) != self.is_negated
    }

    fn sentence(&self, label: &str, has: Has, asked: &Asked<'_>) -> String {
        let name = &self.name;
        if !self.is_negated && !has(name, &ValueMatch::Present, asked) {
            return format!("{label} {name} is missing");
        }
        let (is, does) = if self.is_negated {
            ("is", "does")
        } else {
            ("is not", "does not")
        };
        match &self.value {
            ValueMatch::Present => format!("{label} {name} {is} there"),
            ValueMatch::Exact(text) => format!("{label} {name} {is} \"{text}\""),
            ValueMatch::Prefix(text) => format!("{label} {name} {does} begin with \"{text}\""),
            ValueMatch::Suffix(text) => format!("{label} {name} {does} end with \"{text}\""),
            ValueMatch::Regex(pattern) => {
                format!("{label} {name} {does} match {}", pattern.as_str())
            }
        }
    }
}

impl ValueMatch {
    fn takes(&self, value: &[u8]) -> bool {
        match self {
            Self::Exact(wanted) => value == wanted.as_bytes(),
            Self::Prefix(begin) => value.starts_with(begin.as_bytes()),
            Self::Suffix(end) => value.ends_with(end.as_bytes()),
            Self::Regex(pattern) => pattern.takes(value),
            Self::Present => true,
        }
    }
}

fn has_header(name: &str, value: &ValueMatch, asked: &Asked<'_>) -> bool {
    // Routes see the host they are chosen by.
    if name == "host" {
        return value.takes(asked.host.as_bytes());
    }
    asked.headers.iter().any(|field| {
        field.name().eq_ignore_ascii_case(name.as_bytes())
            && is_sent_on(&field, asked)
            && value.takes(field.value())
    })
}

/// Whether the origin gets to see the field: what ends here, or a stranger may not say, is not there.
fn is_sent_on(field: &Header<'_>, asked: &Asked<'_>) -> bool {
    match field.known() {
        Known::MeshHeader => false,
        Known::Forwarded
        | Known::XForwardedFor
        | Known::XForwardedHost
        | Known::XForwardedProto
        | Known::XForwardedOther => network::any_contains(asked.trusted, asked.peer),
        _ => !field.is_named(),
    }
}

fn has_cookie(name: &str, value: &ValueMatch, asked: &Asked<'_>) -> bool {
    let fields = asked.headers.find_all(Known::Cookie);
    let mut cookies = fields.flat_map(|field| field.split(|&byte| byte == b';'));
    cookies.any(|cookie| {
        let (its_name, its_value) = divide(cookie.trim_ascii(), b'=');
        its_name == name.as_bytes() && value.takes(its_value)
    })
}

fn has_query(name: &str, value: &ValueMatch, asked: &Asked<'_>) -> bool {
    let query = asked.query.unwrap_or_default().as_bytes();
    let mut parameters = query
        .split(|&byte| byte == b'&')
        .filter(|parameter| !parameter.is_empty());
    parameters.any(|parameter| {
        let (its_name, its_value) = divide(parameter, b'=');
        *decoded(its_name) == *name.as_bytes() && value.takes(&decoded(its_value))
    })
}

/// What stands before the first `sign` and behind it; nothing behind where there is none.
fn divide(text: &[u8], sign: u8) -> (&[u8], &[u8]) {
    match memchr::memchr(sign, text) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, &[]),
    }
}

/// With `%XX` as the byte it stands for; what is no such stays.
fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'%', text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, behind @ ..] = rest {
        let encoded = behind
            .get(..2)
            .filter(|_| *first == b'%')
            .and_then(hexadecimal);
        bytes.push(encoded.unwrap_or(*first));
        rest = if encoded.is_some() {
            &behind[2..]
        } else {
            behind
        };
    }
    Cow::Owned(bytes)
}

fn hexadecimal(digits: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    Some((digit(digits[0])? * 16 + digit(digits[1])?) as u8)
}
