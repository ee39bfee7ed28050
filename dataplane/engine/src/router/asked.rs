//! What the router looks at of a request. It may not hold more than it was lent.

use std::net::IpAddr;

use crate::http1::{Headers, Known};
use crate::network::{self, Network};

/// A request as routes see it: host and path in their normal form (docs/paths.md).
#[derive(Debug, Clone, Copy)]
pub struct Asked<'r> {
    /// Lower case, no port, no trailing dot.
    pub host: &'r str,
    /// Without the query; `*` for `OPTIONS *`.
    pub path: &'r str,
    /// What stands behind the `?`, as sent.
    pub query: Option<&'r str>,
    /// In the case sent.
    pub method: &'r str,
    /// The field lines.
    pub headers: Headers<'r>,
    /// The other end of the connection.
    pub peer: IpAddr,
    /// Peers whose `X-Forwarded-For` is believed.
    pub trusted: &'r [Network],
    /// The calling service; at the edge, the edge's identity.
    pub source: &'r str,
}

impl<'r> Asked<'r> {
    /// A GET without any headers, by the edge.
    pub fn get(host: &'r str, path: &'r str) -> Self {
        Self {
            host,
            path,
            query: None,
            method: "GET",
            headers: Headers::default(),
            peer: IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
            trusted: &[],
            source: "edge",
        }
    }

    /// Whether the client came by https to a proxy before us that is believed.
    pub fn came_by_https(&self) -> bool {
        network::any_contains(self.trusted, self.peer)
            && self
                .headers
                .find(Known::XForwardedProto)
                .is_some_and(|told| told.eq_ignore_ascii_case(b"https"))
    }

    /// The client: the peer, or where that is a trusted proxy, the last in `X-Forwarded-For` that is none.
    pub fn client_address(&self) -> IpAddr {
        let mut client = self.peer;
        if !network::any_contains(self.trusted, client) {
            return client;
        }
        // `find_all` goes forwards alone; there is one such field, or a handful.
        let fields: Vec<&[u8]> = self.headers.find_all(Known::XForwardedFor).collect();
        for told in fields
            .iter()
            .rev()
            .flat_map(|field| field.rsplit(|&byte| byte == b','))
        {
            let told = std::str::from_utf8(told)
                .ok()
                .and_then(|told| told.trim().parse().ok());
            // What cannot be read ends what can be known.
            let Some(told) = told else { return client };
            client = told;
            if !network::any_contains(self.trusted, client) {
                return client;
            }
        }
        client
    }
}
