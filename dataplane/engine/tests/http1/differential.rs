//! The codec and hyper read the same generated messages. What both take they must take alike, to the byte; where one
//! takes what the other refuses, the reason stands here, and every reason here is needed.

use std::collections::BTreeMap;

use meshnode_engine::http1::{BadMessage, HeadLimits, may_be_trailer};

use crate::feed::{Direction, Message, Outcome, feed};
use crate::generator;
use crate::hyper::{self, Understood};

const REQUESTS: u64 = 30_000;
const RESPONSES: u64 = 30_000;

/// We refuse, hyper takes. None of these could be framed in another way by us: we do not frame them at all.
const STRICTER: &[(BadMessage, &str)] = &[
    (
        BadMessage::BareLf,
        "hyper ends lines with LF alone (RFC 9112 2.2: MAY)",
    ),
    (
        BadMessage::LeadingEmptyLines,
        "hyper skips any number of empty lines, and between answers too",
    ),
    (
        BadMessage::TargetForm,
        "hyper reads a target as any URI, without its form",
    ),
    (BadMessage::TargetFragment, "hyper cuts a fragment off"),
    (
        BadMessage::TargetAuthority,
        "hyper takes user information and names of any byte of RFC 3986",
    ),
    (
        BadMessage::TargetNotForMethod,
        "hyper leaves to its user which method may have which target",
    ),
    (BadMessage::HostMissing, "hyper leaves Host to its user"),
    (
        BadMessage::HostRepeated,
        "hyper leaves Host to its user, twice too",
    ),
    (
        BadMessage::HostInvalid,
        "hyper leaves Host to its user, whatever it says",
    ),
    (
        BadMessage::ExpectationUnknown,
        "hyper passes over other expectations (RFC 9110 10.1.1: MAY refuse)",
    ),
    (
        BadMessage::FramingAlias,
        "hyper has no origins behind it that take _ for -",
    ),
    (
        BadMessage::BothLengthAndChunked,
        "hyper lets Transfer-Encoding count (RFC 9112 6.1: MAY)",
    ),
    (
        BadMessage::ContentLengthInvalid,
        "hyper takes a list of the same number; in answers a wrong one ends with the connection",
    ),
    (
        BadMessage::ContentLengthRepeated,
        "hyper takes the same number twice (RFC 9112 6.3: MAY)",
    ),
    (
        BadMessage::ContentLengthTooLarge,
        "hyper does not read the length of an answer without body",
    ),
    (
        BadMessage::TransferEncodingRepeated,
        "hyper takes fields that together end in chunked",
    ),
    (
        BadMessage::TransferEncodingNotChunked,
        "hyper takes chunked twice; answers without chunked end with the connection",
    ),
    (
        BadMessage::TransferCodingUnsupported,
        "hyper leaves the other codings to its user",
    ),
    (
        BadMessage::TransferEncodingInOldVersion,
        "hyper reads it in HTTP/1.0 answers too",
    ),
    (
        BadMessage::InformationalWithBody,
        "hyper does not read the length of interim answers",
    ),
    (
        BadMessage::StatusLineMalformed,
        "hyper skips empty lines before an answer",
    ),
    (
        BadMessage::ChunkSizeInvalid,
        "hyper takes white space behind a size",
    ),
    (BadMessage::ChunkSizeTooLarge, "hyper takes sixteen digits"),
    (
        BadMessage::ChunkExtensionInvalid,
        "hyper takes any byte but LF in an extension",
    ),
];

/// We take, hyper refuses: nothing of framing may stand here.
const WIDER: &[(&str, &str)] = &[(
    "Parse(Uri)",
    "the http crate allows fewer bytes in a path than browsers send (<, >, ^, `)",
)];

#[tokio::test(flavor = "current_thread")]
async fn what_hyper_reads_is_read_alike_or_refused() {
    let mut tally = Tally::default();
    for number in 0..REQUESTS {
        compare_requests(number, &mut tally).await;
    }
    for number in 0..RESPONSES {
        compare_response(number, &mut tally).await;
    }
    tally.check(REQUESTS + RESPONSES);
}

async fn compare_requests(number: u64, tally: &mut Tally) {
    let bytes = generator::requests(number);
    let (ours, bad) = our_requests(&bytes);
    let (mut theirs, error) = hyper::requests(&bytes).await;
    theirs.iter_mut().for_each(drop_forbidden_trailers);
    let common = ours.len().min(theirs.len());
    assert_eq!(
        ours[..common],
        theirs[..common],
        "{number}: {}",
        bytes.escape_ascii()
    );
    match (theirs.len() > common, ours.len() > common) {
        (false, false) => tally.agree(common > 0),
        (true, _) => tally.we_refuse(bad, number, &bytes),
        (_, true) => tally.they_refuse(error.as_deref(), number, &bytes),
    }
}

async fn compare_response(number: u64, tally: &mut Tally) {
    let bytes = generator::response(number);
    let method = if number.is_multiple_of(10) {
        "HEAD"
    } else {
        "GET"
    };
    let ours = our_response(&bytes, method);
    let theirs = hyper::response(&bytes, method).await;
    match (ours, theirs) {
        (Ok(ours), Ok(mut theirs)) => {
            drop_forbidden_trailers(&mut theirs);
            assert_eq!(ours, theirs, "{number}: {}", bytes.escape_ascii());
            tally.agree(true);
        }
        (Err(_), Err(_)) => tally.agree(false),
        (Err(bad), Ok(_)) => tally.we_refuse(bad, number, &bytes),
        (Ok(_), Err(error)) => tally.they_refuse(Some(&error), number, &bytes),
    }
}

/// hyper leaves to its user what a trailer may be.
fn drop_forbidden_trailers(message: &mut Understood) {
    message.trailers.retain(|line| {
        let name = line.split(':').next().unwrap_or_default();
        may_be_trailer(name.as_bytes())
    });
}

/// What we take of a connection, and the rule broken where it ended.
fn our_requests(bytes: &[u8]) -> (Vec<Understood>, Option<BadMessage>) {
    let mut messages = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match feed(
            Direction::Request,
            [&bytes[at..]],
            &HeadLimits::default(),
            None,
        ) {
            Outcome::Refused(bad) => return (messages, Some(bad)),
            Outcome::Waiting => break,
            Outcome::Accepted(message) => {
                messages.push(understood(&message));
                at += message.taken;
                if !message.keep_alive {
                    break;
                }
            }
        }
    }
    (messages, None)
}

/// What we take as the final answer; the rule broken, or none where it is not whole.
fn our_response(bytes: &[u8], method: &str) -> Result<Understood, Option<BadMessage>> {
    let mut at = 0;
    loop {
        match feed(
            Direction::Response(method),
            [&bytes[at..]],
            &HeadLimits::default(),
            None,
        ) {
            Outcome::Accepted(message) if message.flags.contains(&"interim") => at += message.taken,
            Outcome::Accepted(message) => return Ok(understood(&message)),
            Outcome::Refused(bad) => return Err(Some(bad)),
            Outcome::Waiting => return Err(None),
        }
    }
}

fn understood(message: &Message) -> Understood {
    Understood {
        start: message.start.clone(),
        fields: sorted(&message.fields),
        data: message.data.clone(),
        trailers: sorted(&message.trailers),
    }
}

fn sorted(fields: &[(Vec<u8>, Vec<u8>)]) -> Vec<String> {
    hyper::sorted(
        fields
            .iter()
            .map(|(name, value)| (name.as_slice(), value.as_slice())),
    )
}

/// How often the two agreed, and each reason was needed.
#[derive(Default)]
struct Tally {
    agreed: u64,
    /// Of these, where both took a message.
    taken: u64,
    reasons: BTreeMap<&'static str, u64>,
}

impl Tally {
    fn agree(&mut self, is_taken: bool) {
        self.agreed += 1;
        self.taken += u64::from(is_taken);
    }

    fn we_refuse(&mut self, bad: Option<BadMessage>, number: u64, bytes: &[u8]) {
        let reason = STRICTER
            .iter()
            .find(|(explained, _)| Some(*explained) == bad);
        let Some((_, reason)) = reason else {
            panic!(
                "{number}: hyper takes what we refuse by {bad:?}: {}",
                bytes.escape_ascii()
            );
        };
        *self.reasons.entry(reason).or_default() += 1;
    }

    fn they_refuse(&mut self, error: Option<&str>, number: u64, bytes: &[u8]) {
        let error = error.unwrap_or_default();
        let reason = WIDER
            .iter()
            .find(|(explained, _)| error.contains(explained));
        let Some((_, reason)) = reason else {
            panic!(
                "{number}: we take what hyper refuses by {error}: {}",
                bytes.escape_ascii()
            );
        };
        *self.reasons.entry(reason).or_default() += 1;
    }

    fn check(&self, all: u64) {
        for (reason, count) in &self.reasons {
            println!("{count:>6} {reason}");
        }
        println!(
            "{:>6} of {all} alike, {} of them taken",
            self.agreed, self.taken
        );
        let reasons = STRICTER
            .iter()
            .map(|(_, why)| why)
            .chain(WIDER.iter().map(|(_, why)| why));
        let unused: Vec<_> = reasons
            .filter(|why| !self.reasons.contains_key(*why))
            .collect();
        assert!(unused.is_empty(), "nothing needs these reasons: {unused:?}");
        assert!(self.agreed > all * 3 / 4, "the two mostly disagree");
        assert!(
            self.taken > all / 2,
            "the generator makes mostly what both refuse"
        );
    }
}
