//! The raw cases of `tests/raw`, each fed in every way a network may cut it.

use std::sync::OnceLock;

use meshnode_engine::http1::{BadMessage, HeadLimits, HeadWatch};

use crate::feed::{Direction, Message, Outcome, feed};

/// Messages longer than this are cut at every 97th point only: their cost grows with the square.
const CUT_EVERYWHERE_BYTES: usize = 2_000;

#[derive(Debug, Default)]
struct Case {
    name: &'static str,
    rule: &'static str,
    /// Of the request that is answered; empty for requests.
    request_method: &'static str,
    limits: HeadLimits,
    bytes: Vec<u8>,
    want: &'static str,
}

#[test]
fn requests_are_taken_or_refused_as_the_table_says() {
    check(include_str!("../raw/requests.txt"), "", 200);
}

#[test]
fn responses_are_taken_or_refused_as_the_table_says() {
    check(include_str!("../raw/responses.txt"), "GET", 85);
}

/// Method answered (empty for requests) and bytes of every case that is no longer than a usual message.
pub fn short_messages() -> &'static [(&'static str, Vec<u8>)] {
    static MESSAGES: OnceLock<Vec<(&'static str, Vec<u8>)>> = OnceLock::new();
    MESSAGES.get_or_init(|| {
        let requests = cases(include_str!("../raw/requests.txt"), "");
        let responses = cases(include_str!("../raw/responses.txt"), "GET");
        let all = requests.into_iter().chain(responses);
        all.filter(|case| case.bytes.len() <= CUT_EVERYWHERE_BYTES)
            .map(|case| (case.request_method, case.bytes))
            .collect()
    })
}

fn cases(table: &'static str, request_method: &'static str) -> Vec<Case> {
    table
        .split("\n\n")
        .filter_map(|block| parse_case(block, request_method))
        .collect()
}

fn check(table: &'static str, request_method: &'static str, at_least: usize) {
    let cases = cases(table, request_method);
    assert!(
        cases.len() >= at_least,
        "the table is read whole: {}",
        cases.len()
    );
    let faults: Vec<String> = cases
        .iter()
        .filter_map(|case| check_case(case).err())
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn check_case(case: &Case) -> Result<(), String> {
    let direction = direction(case);
    let bytes = case.bytes.as_slice();
    let say = |how: &str, outcome: &Outcome| {
        let got = render(case, outcome);
        if got == case.want {
            return Ok(());
        }
        Err(format!(
            "{} ({how})\n  want {}\n  got  {got}",
            case.name, case.want
        ))
    };
    let whole = feed(direction, [bytes], &case.limits, None);
    say("whole", &whole)?;
    if let Outcome::Refused(bad) = whole
        && !case.rule.starts_with(bad.rfc())
    {
        return Err(format!(
            "{}: the table says {}, the code {}",
            case.name,
            case.rule,
            bad.rfc()
        ));
    }
    say(
        "byte by byte",
        &feed(direction, bytes.chunks(1), &case.limits, None),
    )?;
    let watch = Some(HeadWatch::default());
    say(
        "byte by byte, watched",
        &feed(direction, bytes.chunks(1), &case.limits, watch),
    )?;
    let step = if bytes.len() > CUT_EVERYWHERE_BYTES {
        97
    } else {
        1
    };
    for at in (1..bytes.len()).step_by(step) {
        let pieces = [&bytes[..at], &bytes[at..]];
        say(
            &format!("cut at {at}"),
            &feed(direction, pieces, &case.limits, None),
        )?;
    }
    Ok(())
}

fn direction(case: &Case) -> Direction<'static> {
    match case.request_method {
        "" => Direction::Request,
        method => Direction::Response(method),
    }
}

fn render(case: &Case, outcome: &Outcome) -> String {
    match (outcome, direction(case)) {
        (Outcome::Waiting, _) => "wait".to_owned(),
        (Outcome::Refused(bad), Direction::Request) => refusal(*bad),
        (Outcome::Refused(bad), Direction::Response(_)) => format!("bad {}", bad.code()),
        (Outcome::Accepted(message), Direction::Request) => {
            let start = message.start.join(" ").replace('\\', r"\\");
            format!(
                "accept {start} host={} {}",
                message.host,
                rest(case, message)
            )
        }
        (Outcome::Accepted(message), Direction::Response(_)) => {
            let reason = message.reason.escape_ascii();
            format!(
                "accept {} \"{reason}\" {}",
                message.start[0],
                rest(case, message)
            )
        }
    }
}

fn refusal(bad: BadMessage) -> String {
    format!("refuse {} {}", bad.status(), bad.code())
}

fn rest(case: &Case, message: &Message) -> String {
    let keep = if message.keep_alive { "keep" } else { "close" };
    let body = format!(
        "body={} \"{}\" {keep}",
        message.framing,
        message.data.escape_ascii()
    );
    let mut parts = vec![body];
    if !message.trailers.is_empty() {
        let line = |(name, value): &(Vec<u8>, Vec<u8>)| {
            format!("{}: {}", name.escape_ascii(), value.escape_ascii())
        };
        let lines: Vec<String> = message.trailers.iter().map(line).collect();
        parts.push(format!("trailers \"{}\"", lines.join("; ")));
    }
    parts.extend(message.flags.iter().map(ToString::to_string));
    let behind = &case.bytes[message.taken..];
    if !behind.is_empty() {
        parts.push(format!("then \"{}\"", behind.escape_ascii()));
    }
    parts.join(" ")
}

/// One block of the table; `None` for a block of comments.
fn parse_case(block: &'static str, request_method: &'static str) -> Option<Case> {
    let mut case = Case {
        request_method,
        ..Case::default()
    };
    for line in block
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
    {
        let (key, value) = line.split_once(' ').unwrap_or((line, ""));
        let value = value
            .get(7 - key.len() - 1..)
            .unwrap_or_else(|| panic!("{line}"));
        match key {
            "case" => case.name = value,
            "rule" => case.rule = value,
            "seen" => {}
            "to" => case.request_method = value,
            "limits" => case.limits = parse_limits(value),
            "send" => case.bytes.extend(unescape(value)),
            "want" => case.want = value,
            _ => panic!("{line}"),
        }
    }
    (!case.name.is_empty()).then_some(case)
}

fn parse_limits(text: &str) -> HeadLimits {
    let mut limits = HeadLimits::default();
    for part in text.split(' ') {
        let (name, number) = part.split_once('=').unwrap();
        let place = match name {
            "head_bytes" => &mut limits.head_bytes,
            "headers" => &mut limits.headers,
            "target_bytes" => &mut limits.target_bytes,
            _ => panic!("{part}"),
        };
        *place = number.parse().unwrap();
    }
    limits
}

fn unescape(mut text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some((plain, escaped)) = text.split_once('\\') {
        bytes.extend_from_slice(plain.as_bytes());
        let kind = escaped.chars().next().unwrap();
        text = &escaped[1..];
        match kind {
            'r' => bytes.push(b'\r'),
            'n' => bytes.push(b'\n'),
            't' => bytes.push(b'\t'),
            '0' => bytes.push(0),
            '\\' | '"' => bytes.push(kind as u8),
            'x' => {
                bytes.push(u8::from_str_radix(&text[..2], 16).unwrap());
                text = &text[2..];
            }
            '{' => {
                let (inner, behind) = text.split_once('}').unwrap();
                let (unit, times) = inner.rsplit_once('*').unwrap();
                bytes.extend(unescape(unit).repeat(times.parse().unwrap()));
                text = behind;
            }
            _ => panic!("\\{kind}"),
        }
    }
    bytes.extend_from_slice(text.as_bytes());
    bytes
}
