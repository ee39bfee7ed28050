//! Which form of an answer a client wants, by its `Accept` (RFC 9110 §12.5.1). It may not write one.

/// What an answer of the mesh's own is written as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Form {
    /// A line or some, for people at a terminal.
    #[default]
    Text,
    /// A document, for programs.
    Json,
    /// A page, for browsers.
    Html,
    /// The end of a call, for programs that call by gRPC.
    Grpc,
}

impl Form {
    /// What `Accept` prefers: the highest quality, of equals the first named. Whatever else it says, text.
    pub fn of(accept: &[u8]) -> Self {
        // What most clients say, without a closer look: nothing in particular, or nothing of ours.
        let names = |word: &[u8]| memchr::memmem::find(accept, word).is_some();
        let is_lower = || !accept.iter().any(u8::is_ascii_uppercase);
        if accept == b"*/*" || (is_lower() && !names(b"json") && !names(b"html")) {
            return Self::Text;
        }
        let mut best = (Self::Text, 0);
        for range in accept.split(|&byte| byte == b',') {
            let mut parts = range.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
            let Some(form) = parts.next().and_then(Self::named) else {
                continue;
            };
            let quality = parts
                .find_map(|part| {
                    part.strip_prefix(b"q=")
                        .or_else(|| part.strip_prefix(b"Q="))
                })
                .map_or(1000, thousandths);
            if quality > best.1 {
                best = (form, quality);
            }
        }
        best.0
    }

    /// The form of a media range.
    fn named(range: &[u8]) -> Option<Self> {
        let is = |other: &[u8]| range.eq_ignore_ascii_case(other);
        if is(b"application/json") || range.to_ascii_lowercase().ends_with(b"+json") {
            return Some(Self::Json);
        }
        if is(b"text/html") || is(b"application/xhtml+xml") {
            return Some(Self::Html);
        }
        (is(b"text/plain") || is(b"text/*") || is(b"*/*")).then_some(Self::Text)
    }

    /// As `Content-Type` has it.
    pub const fn content_type(self) -> &'static [u8] {
        match self {
            Self::Text => b"text/plain; charset=utf-8",
            Self::Json => b"application/json",
            Self::Html => b"text/html; charset=utf-8",
            Self::Grpc => b"application/grpc",
        }
    }
}

/// A quality, `0.8` or `1`, in thousandths; what is none is 0.
fn thousandths(quality: &[u8]) -> u32 {
    let (whole, digits) = match quality {
        [whole @ (b'0' | b'1'), b'.', digits @ ..] if digits.len() <= 3 => (whole, digits),
        [whole @ (b'0' | b'1')] => (whole, &[][..]),
        _ => return 0,
    };
    let mut thousandths = u32::from(whole - b'0') * 1000;
    for (digit, worth) in digits.iter().zip([100, 10, 1]) {
        if !digit.is_ascii_digit() {
            return 0;
        }
        thousandths += u32::from(digit - b'0') * worth;
    }
    thousandths.min(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_decides_between_text_json_and_html() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        for (accept, form) in [
            ("*/*", Form::Text),
            ("", Form::Text),
            ("image/png", Form::Text),
            ("text/plain, application/json", Form::Text),
            ("application/json", Form::Json),
            ("application/json, text/plain, */*", Form::Json),
            ("application/problem+json, */*", Form::Json),
            ("Application/JSON;charset=utf-8", Form::Json),
            ("text/html;q=0.5, application/json;q=0.8", Form::Json),
            ("text/html, application/json", Form::Html),
            ("application/json;q=0, */*", Form::Text),
            ("application/json;q=0", Form::Text),
            ("text/html;q=nonsense, */*;q=0.1", Form::Text),
            ("*/*;q=0.1, text/html;level=1;q=0.4", Form::Html),
            (browser, Form::Html),
        ] {
            assert_eq!(Form::of(accept.as_bytes()), form, "{accept}");
        }
    }
}
