//! What can be wrong with a message: one variant a rule. It may not write an answer; `crate::answer` does.

use crate::error::Reason;

macro_rules! bad_messages {
    ($($name:ident = $code:literal, $status:literal, $rfc:literal, $sentence:literal;)*) => {
        /// The rule a message breaks. The connection it came on can't be used any further.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum BadMessage { $(#[doc = $sentence] $name,)* }

        impl BadMessage {
            /// Every rule there is, for documents, counters and tests.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The stable code, as `bad_requests` of the stats has it.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The status a request is refused with; a response that breaks a rule is always a 502.
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// Where the rule stands: "RFC 9112 6.3", or "limit" where it is our own bound.
            pub const fn rfc(self) -> &'static str {
                match self { $(Self::$name => $rfc,)* }
            }

            /// One sentence for a person.
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$name => $sentence,)* }
            }
        }
    };
}

bad_messages! {
    // Lines.
    BareLf = "bare_lf", 400, "RFC 9112 2.2", "A line ends with LF without CR.";
    BareCr = "bare_cr", 400, "RFC 9112 2.2", "A CR stands without the LF that makes a line end.";
    LeadingEmptyLines = "leading_empty_lines", 400, "RFC 9112 2.2", "More than one empty line stands before the request line.";
    ObsFold = "obs_fold", 400, "RFC 9112 5.2", "A field line begins with white space (line folding).";
    SpaceInFieldName = "space_in_field_name", 400, "RFC 9112 5.1", "White space stands in a field name or before its colon.";
    FieldNameEmpty = "field_name_empty", 400, "RFC 9110 5.1", "A field has no name.";
    FieldNameInvalid = "field_name_invalid", 400, "RFC 9110 5.1", "A field name has a byte that no token may have.";
    FieldWithoutColon = "field_without_colon", 400, "RFC 9112 5", "A field line has no colon.";
    FieldValueInvalid = "field_value_invalid", 400, "RFC 9110 5.5", "A field value has a NUL or another control byte.";
    HeadTooLarge = "head_too_large", 431, "limit", "The head is larger than the limit `head_bytes`.";
    TooManyFields = "too_many_fields", 431, "limit", "The head has more field lines than the limit `headers`.";
    HeadMalformed = "head_malformed", 400, "RFC 9112 2.1", "The head is not HTTP.";
    // Request line.
    MethodInvalid = "method_invalid", 400, "RFC 9110 9.1", "The method is not a token.";
    RequestLineMalformed = "request_line_malformed", 400, "RFC 9112 3", "The request line is not: method, one space, target, one space, version.";
    TargetTooLong = "target_too_long", 414, "limit", "The target is longer than the limit `target_bytes`.";
    TargetInvalid = "target_invalid", 400, "RFC 9112 3.2", "The target has a byte that no URI may have.";
    TargetFragment = "target_fragment", 400, "RFC 9112 3.2", "The target has a '#': a fragment is never sent.";
    TargetForm = "target_form", 400, "RFC 9112 3.2", "The target is neither a path, nor an http(s) URI with host and path, nor '*', nor host and port.";
    TargetAuthority = "target_authority", 400, "RFC 9110 4.2", "The host in the target is empty, malformed, or has user information.";
    TargetNotForMethod = "target_not_for_method", 400, "RFC 9112 3.2", "'*' is for OPTIONS only; host and port alone are for CONNECT, which takes nothing else.";
    VersionMalformed = "version_malformed", 400, "RFC 9112 2.3", "What follows the target is not HTTP/1.1: a misspelt version, or white space in the target.";
    VersionUnsupported = "version_unsupported", 505, "RFC 9112 2.3", "The version is neither HTTP/1.1 nor HTTP/1.0.";
    // Fields a request's meaning hangs on.
    HostMissing = "host_missing", 400, "RFC 9112 3.2", "An HTTP/1.1 request has no Host.";
    HostRepeated = "host_repeated", 400, "RFC 9112 3.2", "The request has more than one Host.";
    HostInvalid = "host_invalid", 400, "RFC 9112 3.2", "Host is not a name or address with at most a port.";
    ExpectationUnknown = "expectation_unknown", 417, "RFC 9110 10.1.1", "Expect asks for something else than 100-continue.";
    TooManyConnectionOptions = "too_many_connection_options", 400, "limit", "Connection names more than sixteen fields.";
    // Framing.
    BothLengthAndChunked = "both_length_and_chunked", 400, "RFC 9112 6.1", "The message has both Content-Length and Transfer-Encoding.";
    ContentLengthInvalid = "content_length_invalid", 400, "RFC 9110 8.6", "Content-Length is not one number of digits.";
    ContentLengthRepeated = "content_length_repeated", 400, "RFC 9112 6.3", "The message has more than one Content-Length.";
    ContentLengthTooLarge = "content_length_too_large", 400, "RFC 9110 8.6", "Content-Length has more than eighteen digits.";
    TransferEncodingRepeated = "transfer_encoding_repeated", 400, "RFC 9112 6.1", "The message has more than one Transfer-Encoding.";
    TransferEncodingNotChunked = "transfer_encoding_not_chunked", 400, "RFC 9112 6.3", "Transfer-Encoding is not chunked: where the body ends can't be told.";
    TransferCodingUnsupported = "transfer_coding_unsupported", 501, "RFC 9112 6.1", "Transfer-Encoding names a coding beside chunked.";
    TransferEncodingInOldVersion = "transfer_encoding_in_http_1_0", 400, "RFC 9112 6.1", "An HTTP/1.0 message has Transfer-Encoding.";
    FramingAlias = "framing_alias", 400, "RFC 9112 11.2", "A field is spelt like Content-Length or Transfer-Encoding, with underscores.";
    // Status line, and answers that can't be framed.
    StatusLineMalformed = "status_line_malformed", 400, "RFC 9112 4", "The status line is not: version, one space, three digits, space and reason.";
    StatusInvalid = "status_invalid", 400, "RFC 9110 15", "The status is not between 100 and 599.";
    InformationalWithBody = "informational_with_body", 400, "RFC 9110 8.6", "A 1xx answer announces a body.";
    // Chunked bodies.
    ChunkSizeInvalid = "chunk_size_invalid", 400, "RFC 9112 7.1", "A chunk size is not hexadecimal digits followed by CRLF or ';'.";
    ChunkSizeTooLarge = "chunk_size_too_large", 400, "RFC 9112 7.1", "A chunk size has more than fifteen digits.";
    ChunkExtensionInvalid = "chunk_extension_invalid", 400, "RFC 9112 7.1.1", "A chunk extension is not ;name or ;name=value.";
    ChunkExtensionsTooLong = "chunk_extensions_too_long", 400, "limit", "The chunk extensions of one body are over 16 KiB.";
    ChunkUnterminated = "chunk_unterminated", 400, "RFC 9112 7.1", "A chunk's data is not followed by CRLF.";
    TrailersTooLarge = "trailers_too_large", 431, "limit", "The trailers are larger than the limit `head_bytes`.";
    TooManyTrailers = "too_many_trailers", 431, "limit", "The trailers have more field lines than the limit `headers`.";
    BodyCutShort = "body_cut_short", 400, "RFC 9112 8", "The connection closed before the body's end.";
}

impl BadMessage {
    /// The reason of the answer a request with this fault gets.
    pub const fn reason(self) -> Reason {
        match self.status() {
            414 => Reason::UriTooLong,
            417 => Reason::ExpectationFailed,
            431 => Reason::HeaderTooLarge,
            501 => Reason::TransferCodingUnsupported,
            505 => Reason::VersionUnsupported,
            _ => Reason::BadRequest,
        }
    }
}

impl std::fmt::Display for BadMessage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", self.code(), self.sentence())
    }
}

impl std::error::Error for BadMessage {}

#[cfg(test)]
mod tests {
    use super::BadMessage;
    use std::collections::BTreeSet;

    #[test]
    fn codes_are_unique_and_reasons_answer_with_the_same_status() {
        let codes: BTreeSet<_> = BadMessage::ALL.iter().map(|bad| bad.code()).collect();
        assert_eq!(codes.len(), BadMessage::ALL.len());
        for bad in BadMessage::ALL {
            assert_eq!(bad.reason().status(), bad.status(), "{}", bad.code());
            assert!(bad.sentence().ends_with('.'), "{}", bad.code());
            assert!(
                bad.rfc() == "limit" || bad.rfc().starts_with("RFC 9"),
                "{}",
                bad.code()
            );
        }
    }
}
