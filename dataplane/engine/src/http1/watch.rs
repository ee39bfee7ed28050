//! Whether reading a head again is worth while. It may not read it.

/// Keeps the cost of a head that comes in drops linear: a head is read again only when a line's end has come since.
/// Each reading starts at the head's first byte, so who sends one byte at a time would otherwise have it read as
/// often as it has bytes; this way at most as often as it has lines, which a limit bounds.
#[derive(Debug, Clone, Copy, Default)]
pub struct HeadWatch {
    seen_bytes: usize,
}

impl HeadWatch {
    /// Whether to parse `buf`, all that has come of the head so far. True the first time, when a line feed has come
    /// since the last time, and from `head_bytes` on.
    pub fn is_worth_parsing(&mut self, buf: &[u8], limits: &super::HeadLimits) -> bool {
        let seen = std::mem::replace(&mut self.seen_bytes, buf.len());
        let new = buf.get(seen..).unwrap_or_default();
        seen == 0 || buf.len() >= limits.capped_head_bytes() || memchr::memchr(b'\n', new).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::HeadWatch;
    use crate::http1::HeadLimits;

    #[test]
    fn a_head_in_drops_is_parsed_once_a_line() {
        let head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let limits = HeadLimits::default();
        let mut watch = HeadWatch::default();
        let is_worth = |end: &usize| watch.is_worth_parsing(&head[..*end], &limits);
        let parsed: Vec<usize> = (1..=head.len()).filter(is_worth).collect();
        assert_eq!(parsed, [1, 16, 25, 27]);
    }

    #[test]
    fn a_full_buffer_is_always_parsed() {
        let limits = HeadLimits {
            head_bytes: 4,
            ..HeadLimits::default()
        };
        let mut watch = HeadWatch::default();
        assert!(watch.is_worth_parsing(b"GE", &limits));
        assert!(!watch.is_worth_parsing(b"GET", &limits));
        assert!(watch.is_worth_parsing(b"GET ", &limits));
    }
}
