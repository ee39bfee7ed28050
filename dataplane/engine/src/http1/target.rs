//! The request target in its four forms (RFC 9112 3.2). It may not normalise a path: the router and the origin must see
//! the same bytes.

use super::{BadMessage, host};

/// The target of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'b> {
    /// A path, with its query.
    Origin(&'b str),
    /// A whole URI, as sent to a proxy.
    Absolute {
        /// `http` or `https`, in the case sent.
        scheme: &'b str,
        /// Host and perhaps port.
        authority: &'b str,
        /// What follows, from its `/`; for `OPTIONS` it may be `*`: nothing followed.
        path_and_query: &'b str,
    },
    /// `*`: the server itself, for `OPTIONS`.
    Asterisk,
    /// Host and port, for `CONNECT`.
    Authority(&'b str),
}

impl<'b> Target<'b> {
    /// Reads a target, which already is free of white space and control bytes.
    pub(super) fn parse(method: &str, target: &'b str) -> Result<Self, BadMessage> {
        if method == "CONNECT" {
            return Self::parse_authority(target);
        }
        if target.starts_with('/') {
            return Ok(Self::Origin(target));
        }
        if target == "*" {
            let is_for_it = method == "OPTIONS";
            return if is_for_it {
                Ok(Self::Asterisk)
            } else {
                Err(BadMessage::TargetNotForMethod)
            };
        }
        Self::parse_absolute(method, target)
    }

    fn parse_authority(target: &'b str) -> Result<Self, BadMessage> {
        if host::is_host_and_port(target) {
            Ok(Self::Authority(target))
        } else {
            Err(BadMessage::TargetNotForMethod)
        }
    }

    fn parse_absolute(method: &str, target: &'b str) -> Result<Self, BadMessage> {
        let Some((scheme, rest)) = target.split_once("://") else {
            let is_authority = host::is_host_and_port(target);
            return Err(if is_authority {
                BadMessage::TargetNotForMethod
            } else {
                BadMessage::TargetForm
            });
        };
        if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
            return Err(BadMessage::TargetForm);
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path_and_query) = rest.split_at(end);
        if !host::is_host(authority) {
            return Err(BadMessage::TargetAuthority);
        }
        let path_and_query = match path_and_query {
            // RFC 9112 3.2.4: the last proxy makes "*" of an OPTIONS for the whole host.
            "" if method == "OPTIONS" => "*",
            "" => "/",
            // `http://host?query`: the path to send on would have to be made; nobody sends it, so nobody gets it.
            query if query.starts_with('?') => return Err(BadMessage::TargetForm),
            path => path,
        };
        Ok(Self::Absolute {
            scheme,
            authority,
            path_and_query,
        })
    }

    /// What goes on in the next request line.
    pub fn path_and_query(&self) -> &'b str {
        match *self {
            Self::Origin(path_and_query) | Self::Absolute { path_and_query, .. } => path_and_query,
            Self::Asterisk => "*",
            Self::Authority(authority) => authority,
        }
    }

    /// The host the target names itself, which then counts instead of `Host`.
    pub fn authority(&self) -> Option<&'b str> {
        match *self {
            Self::Absolute { authority, .. } | Self::Authority(authority) => Some(authority),
            Self::Origin(_) | Self::Asterisk => None,
        }
    }
}
