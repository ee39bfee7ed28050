//! What a call of gRPC says in its head beside what HTTP says. It may not know where calls go.

use std::time::Duration;

use crate::http1::{Known, RequestHead};

/// A call, by its `Content-Type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// How long its client waits.
    pub timeout: Option<Duration>,
}

impl Call {
    /// The call a request is, if it is one.
    pub fn of(head: &RequestHead<'_>) -> Option<Self> {
        let content_type = head.headers.find(Known::ContentType)?;
        is_grpc(content_type).then(|| {
            let mut told = head.headers.find_named(b"grpc-timeout");
            Self {
                timeout: told.next().and_then(timeout),
            }
        })
    }
}

/// `application/grpc`, alone or with what its messages are encoded in. `grpc-web` is another protocol.
fn is_grpc(content_type: &[u8]) -> bool {
    const NAME: &[u8] = b"application/grpc";
    content_type
        .split_at_checked(NAME.len())
        .is_some_and(|(name, rest)| {
            name.eq_ignore_ascii_case(NAME)
                && matches!(rest.first(), None | Some(b'+' | b';' | b' '))
        })
}

/// At most eight digits and a unit (gRPC over HTTP/2, "Timeout"); what is none bounds nothing.
fn timeout(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = digits
        .iter()
        .fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    Some(match unit {
        b'H' => Duration::from_secs(number * 3600),
        b'M' => Duration::from_secs(number * 60),
        b'S' => Duration::from_secs(number),
        b'm' => Duration::from_millis(number),
        b'u' => Duration::from_micros(number),
        b'n' => Duration::from_nanos(number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_have_eight_digits_and_a_unit() {
        for (text, wanted) in [
            ("1H", Some(Duration::from_secs(3600))),
            ("2M", Some(Duration::from_secs(120))),
            ("99999999S", Some(Duration::from_secs(99_999_999))),
            ("250m", Some(Duration::from_millis(250))),
            ("5u", Some(Duration::from_micros(5))),
            ("7n", Some(Duration::from_nanos(7))),
            ("100000000S", None),
            ("S", None),
            ("1", None),
            ("1s", None),
            ("-1S", None),
            ("", None),
        ] {
            assert_eq!(timeout(text.as_bytes()), wanted, "{text}");
        }
    }

    #[test]
    fn a_call_is_known_by_its_content_type() {
        for is in [
            "application/grpc",
            "application/grpc+proto",
            "Application/GRPC; a=b",
        ] {
            assert!(is_grpc(is.as_bytes()), "{is}");
        }
        for is_not in [
            "application/grpc-web",
            "application/json",
            "application/grp",
            "",
        ] {
            assert!(!is_grpc(is_not.as_bytes()), "{is_not}");
        }
    }
}
