//! The syntax of heads, byte by byte, left to right: names the first rule a head breaks. It may not be quick, nor know
//! what a field means: [`super::parse_request`] and [`super::parse_response`] take the fast way and ask here only when
//! that way ends; the fuzzers hold the two against each other.

use super::{BadMessage, HeadLimits, Parsed, syntax};

/// The length of the request head at the start of `bytes`, which must not be longer than the limit of a head.
pub fn request(bytes: &[u8], limits: &HeadLimits) -> Result<Parsed<usize>, BadMessage> {
    let mut scan = Scan { bytes, at: 0 };
    let stop = scan.request_head(limits).err();
    scan.verdict(stop)
}

/// The length of the response head at the start of `bytes`, which must not be longer than the limit of a head.
pub fn response(bytes: &[u8], limits: &HeadLimits) -> Result<Parsed<usize>, BadMessage> {
    let mut scan = Scan { bytes, at: 0 };
    let stop = scan.response_head(limits).err();
    scan.verdict(stop)
}

/// Why a scan ends before the head does.
#[derive(Clone, Copy)]
enum Stop {
    Partial,
    Bad(BadMessage),
}

impl From<BadMessage> for Stop {
    fn from(bad: BadMessage) -> Self {
        Self::Bad(bad)
    }
}

struct Scan<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl Scan<'_> {
    fn verdict(&self, stop: Option<Stop>) -> Result<Parsed<usize>, BadMessage> {
        match stop {
            None => Ok(Parsed::Complete(self.at)),
            Some(Stop::Partial) => Ok(Parsed::Partial),
            Some(Stop::Bad(bad)) => Err(bad),
        }
    }

    fn request_head(&mut self, limits: &HeadLimits) -> Result<(), Stop> {
        self.leading_empty_line()?;
        self.method()?;
        self.target(limits.target_bytes)?;
        self.version(BadMessage::VersionMalformed)?;
        self.line_end(BadMessage::VersionMalformed)?;
        self.field_lines(limits.capped_headers())
    }

    fn response_head(&mut self, limits: &HeadLimits) -> Result<(), Stop> {
        self.version(BadMessage::StatusLineMalformed)?;
        self.status_and_reason()?;
        self.field_lines(limits.capped_headers())
    }

    fn peek(&self) -> Result<u8, Stop> {
        self.bytes.get(self.at).copied().ok_or(Stop::Partial)
    }

    fn next(&mut self) -> Result<u8, Stop> {
        let byte = self.peek()?;
        self.at += 1;
        Ok(byte)
    }

    /// CRLF; `otherwise` when something else stands there than CR or LF.
    fn line_end(&mut self, otherwise: BadMessage) -> Result<(), Stop> {
        match self.next()? {
            b'\r' => self.line_feed(),
            b'\n' => Err(BadMessage::BareLf.into()),
            _ => Err(otherwise.into()),
        }
    }

    /// The LF after a CR.
    fn line_feed(&mut self) -> Result<(), Stop> {
        if self.next()? == b'\n' {
            Ok(())
        } else {
            Err(BadMessage::BareCr.into())
        }
    }

    /// One is forgiven (RFC 9112 2.2: some clients send one behind a body), a second is not.
    fn leading_empty_line(&mut self) -> Result<(), Stop> {
        if matches!(self.peek()?, b'\r' | b'\n') {
            self.line_end(BadMessage::HeadMalformed)?;
            if matches!(self.peek()?, b'\r' | b'\n') {
                return Err(BadMessage::LeadingEmptyLines.into());
            }
        }
        Ok(())
    }

    fn method(&mut self) -> Result<(), Stop> {
        let start = self.at;
        loop {
            match self.next()? {
                byte if syntax::is_token_byte(byte) => {}
                b' ' if self.at > start + 1 => return Ok(()),
                b'\n' => return Err(BadMessage::BareLf.into()),
                b'\r' => return Err(BadMessage::RequestLineMalformed.into()),
                _ => return Err(BadMessage::MethodInvalid.into()),
            }
        }
    }

    fn target(&mut self, most_bytes: usize) -> Result<(), Stop> {
        let start = self.at;
        loop {
            let byte = self.next()?;
            let bytes_before = self.at - 1 - start;
            match byte {
                b' ' | b'\r' if bytes_before == 0 => {
                    return Err(BadMessage::RequestLineMalformed.into());
                }
                b' ' => return Ok(()),
                // A request line without a version: HTTP/0.9.
                b'\r' => return Err(BadMessage::VersionUnsupported.into()),
                b'\n' => return Err(BadMessage::BareLf.into()),
                _ if bytes_before == most_bytes => return Err(BadMessage::TargetTooLong.into()),
                b'#' => return Err(BadMessage::TargetFragment.into()),
                byte if syntax::is_target_byte(byte) => {}
                _ => return Err(BadMessage::TargetInvalid.into()),
            }
        }
    }

    fn version(&mut self, malformed: BadMessage) -> Result<(), Stop> {
        for expected in b"HTTP/" {
            if self.next()? != *expected {
                return Err(malformed.into());
            }
        }
        self.version_digit(b"1", malformed)?;
        if self.next()? != b'.' {
            return Err(malformed.into());
        }
        self.version_digit(b"01", malformed)
    }

    fn version_digit(&mut self, spoken: &[u8], malformed: BadMessage) -> Result<(), Stop> {
        match self.next()? {
            digit if spoken.contains(&digit) => Ok(()),
            digit if digit.is_ascii_digit() => Err(BadMessage::VersionUnsupported.into()),
            _ => Err(malformed.into()),
        }
    }

    fn status_and_reason(&mut self) -> Result<(), Stop> {
        if self.next()? != b' ' {
            return Err(BadMessage::StatusLineMalformed.into());
        }
        let mut digits = [0; 3];
        for digit in &mut digits {
            *digit = self.next()?;
            if !digit.is_ascii_digit() {
                return Err(BadMessage::StatusLineMalformed.into());
            }
        }
        match self.next()? {
            b'\r' => self.line_feed()?,
            b'\n' => return Err(BadMessage::BareLf.into()),
            b' ' => self.text_line(BadMessage::StatusLineMalformed)?,
            _ => return Err(BadMessage::StatusLineMalformed.into()),
        }
        if matches!(digits[0], b'1'..=b'5') {
            Ok(())
        } else {
            Err(BadMessage::StatusInvalid.into())
        }
    }

    /// The rest of a line of visible text, its end included.
    fn text_line(&mut self, invalid: BadMessage) -> Result<(), Stop> {
        loop {
            match self.next()? {
                byte if syntax::is_value_byte(byte) => {}
                b'\r' => return self.line_feed(),
                b'\n' => return Err(BadMessage::BareLf.into()),
                _ => return Err(invalid.into()),
            }
        }
    }

    fn field_lines(&mut self, most: usize) -> Result<(), Stop> {
        for count in 0.. {
            match self.peek()? {
                b'\r' | b'\n' => return self.line_end(BadMessage::HeadMalformed),
                b' ' | b'\t' => return Err(BadMessage::ObsFold.into()),
                _ if count == most => return Err(BadMessage::TooManyFields.into()),
                b':' => return Err(BadMessage::FieldNameEmpty.into()),
                _ => self.field_name()?,
            }
            self.text_line(BadMessage::FieldValueInvalid)?;
        }
        Ok(())
    }

    fn field_name(&mut self) -> Result<(), Stop> {
        loop {
            match self.next()? {
                byte if syntax::is_token_byte(byte) => {}
                b':' => return Ok(()),
                b' ' | b'\t' => return Err(BadMessage::SpaceInFieldName.into()),
                b'\r' => return Err(BadMessage::FieldWithoutColon.into()),
                b'\n' => return Err(BadMessage::BareLf.into()),
                _ => return Err(BadMessage::FieldNameInvalid.into()),
            }
        }
    }
}
