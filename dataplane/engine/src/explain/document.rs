//! The body of `POST /v1/explain`. It may not know what is answered.

use std::net::{IpAddr, Ipv4Addr};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::snapshot::Refusal;

/// Requests of one call: a day's recording of a busy route, and some seconds of work at the most.
pub const MOST_REQUESTS: usize = 10_000;
/// Routes named of each request: more than anybody reads.
pub const MOST_CONSIDERED: usize = 1_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document<'d> {
    pub requests: Vec<RequestDocument>,
    /// Another snapshot to ask, full or a delta against the one in force.
    #[serde(borrow, default)]
    pub snapshot: Option<&'d RawValue>,
    #[serde(default = "few")]
    pub considered: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RequestDocument {
    /// A listener's name, or the kind of one.
    #[serde(default = "edge")]
    pub listener: String,
    /// The calling service.
    #[serde(default)]
    pub source: Option<String>,
    /// Inbound: the service the connection is for.
    #[serde(default)]
    pub destination: Option<String>,
    #[serde(default = "loopback")]
    pub client_address: IpAddr,
    #[serde(default = "get")]
    pub method: String,
    #[serde(default)]
    pub scheme: Scheme,
    pub host: String,
    /// With the query.
    pub path: String,
    #[serde(default)]
    pub headers: Vec<(String, String)>,
}

/// How the client would call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Scheme {
    #[default]
    Http,
    Https,
    /// Raw, to the port that `host` ends with.
    Tcp,
    /// TLS that is passed on as it is, `host` being its server name.
    Tls,
}

fn few() -> usize {
    20
}

fn edge() -> String {
    "edge".to_owned()
}

fn get() -> String {
    "GET".to_owned()
}

fn loopback() -> IpAddr {
    IpAddr::V4(Ipv4Addr::LOCALHOST)
}

impl Document<'_> {
    pub fn check(&self) -> Result<(), Refusal> {
        let counts = [
            ("requests", self.requests.len(), MOST_REQUESTS),
            ("considered", self.considered, MOST_CONSIDERED),
        ];
        for (field, count, most) in counts {
            if count > most {
                return Err(Refusal::Invalid {
                    path: field.to_owned(),
                    sentence: format!("is {count}, over the limit of {most}"),
                });
            }
        }
        Ok(())
    }
}

impl Scheme {
    /// Whether nothing is asked for but a connection.
    pub const fn is_raw(self) -> bool {
        matches!(self, Self::Tcp | Self::Tls)
    }
}

impl RequestDocument {
    /// The head as a client would send it.
    pub fn head(&self) -> Vec<u8> {
        let mut head = format!(
            "{} {} HTTP/1.1\r\nHost: {}\r\n",
            self.method, self.path, self.host
        );
        for (name, value) in &self.headers {
            head.push_str(name);
            head.push_str(": ");
            head.push_str(value);
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        head.into_bytes()
    }
}
