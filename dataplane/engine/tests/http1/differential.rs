//! The codec and hyper read the same generated messages. What both take they must take alike, to the byte; where one
//! takes what the other refuses, the reason stands in `tests/raw/disagreements.txt`, and every reason there is needed.

use std::collections::BTreeMap;
use std::ops::Range;

use meshnode_engine::http1::{BadMessage, HeadLimits, may_be_trailer};

use crate::feed::{Direction, Message, Outcome, feed};
use crate::generator;
use crate::hyper::{self, Understood};

/// In the quick gate. Fewer do not need every reason.
const MESSAGES: u64 = 60_000;

#[test]
fn what_hyper_reads_is_read_alike_or_refused() {
    let all = messages();
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let share = all.div_ceil(threads);
    let parts: Vec<_> = (0..threads)
        .map(|part| part * share..((part + 1) * share).min(all))
        .map(|part| std::thread::spawn(|| compare(part)))
        .collect();
    let mut tally = Tally::default();
    for part in parts {
        tally.add(part.join().unwrap());
    }
    tally.check(all);
}

/// How many are read: MESSAGES, which `make conformance` sets.
#[allow(clippy::disallowed_methods)] // of this test, not of the proxy
fn messages() -> u64 {
    std::env::var("MESSAGES").map_or(MESSAGES, |text| text.parse().unwrap())
}

/// Even numbers are requests, odd ones answers.
fn compare(numbers: Range<u64>) -> Tally {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let mut tally = Tally::default();
    runtime.block_on(async {
        for number in numbers {
            match number % 2 {
                0 => compare_requests(number / 2, &mut tally).await,
                _ => compare_response(number / 2, &mut tally).await,
            }
        }
    });
    tally
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
        let code = bad.map_or("-", BadMessage::code);
        let known = Disagreement::all().find(|one| one.refuse == code);
        let Some(known) = known else {
            panic!(
                "{number}: hyper takes what we refuse by {bad:?}: {}",
                bytes.escape_ascii()
            );
        };
        *self.reasons.entry(known.why).or_default() += 1;
    }

    fn they_refuse(&mut self, error: Option<&str>, number: u64, bytes: &[u8]) {
        let error = error.unwrap_or_default();
        let known =
            Disagreement::all().find(|one| !one.take.is_empty() && error.contains(one.take));
        let Some(known) = known else {
            panic!(
                "{number}: we take what hyper refuses by {error}: {}",
                bytes.escape_ascii()
            );
        };
        *self.reasons.entry(known.why).or_default() += 1;
    }

    fn add(&mut self, other: Self) {
        self.agreed += other.agreed;
        self.taken += other.taken;
        for (why, count) in other.reasons {
            *self.reasons.entry(why).or_default() += count;
        }
    }

    fn check(&self, all: u64) {
        for (reason, count) in &self.reasons {
            println!("{count:>6} {reason}");
        }
        println!(
            "{:>6} of {all} alike, {} of them taken",
            self.agreed, self.taken
        );
        let unused: Vec<_> = Disagreement::all()
            .map(|one| one.why)
            .filter(|why| !self.reasons.contains_key(why))
            .collect();
        assert!(unused.is_empty(), "nothing needs these reasons: {unused:?}");
        assert!(self.agreed > all * 3 / 4, "the two mostly disagree");
        assert!(
            self.taken > all / 2,
            "the generator makes mostly what both refuse"
        );
    }
}

#[test]
fn what_is_refused_names_the_rule_the_code_names() {
    for one in Disagreement::all().filter(|one| one.take.is_empty()) {
        let bad = BadMessage::ALL.iter().find(|bad| bad.code() == one.refuse);
        assert_eq!(bad.map(|bad| bad.rfc()), Some(one.rule), "{}", one.refuse);
    }
}

/// A block of the table.
#[derive(Default)]
struct Disagreement {
    parser: &'static str,
    /// Our rule by which we refuse what hyper takes, or nothing.
    refuse: &'static str,
    /// A part of hyper's error where it refuses what we take, or nothing.
    take: &'static str,
    rule: &'static str,
    why: &'static str,
}

impl Disagreement {
    /// Those with hyper.
    fn all() -> impl Iterator<Item = Self> {
        let table = include_str!("../raw/disagreements.txt");
        let blocks = table.split("\n\n").map(Self::read);
        blocks.filter(|one| one.parser == "hyper")
    }

    fn read(block: &'static str) -> Self {
        let mut one = Self::default();
        for line in block.lines().filter(|line| !line.starts_with('#')) {
            match line.split_at_checked("parser ".len()) {
                Some(("parser ", value)) => one.parser = value,
                Some(("refuse ", value)) => one.refuse = value,
                Some(("take   ", value)) => one.take = value,
                Some(("rule   ", value)) => one.rule = value,
                Some(("why    ", value)) => one.why = value,
                _ => panic!("{line}"),
            }
        }
        one
    }
}
