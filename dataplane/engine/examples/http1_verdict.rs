//! Tells what the codec makes of bytes, for tests in other languages. Each line of its input is one of
//! `request HEX`, `response METHOD HEX`, `generated-request NUMBER`, `generated-response NUMBER`;
//! each line of its output is JSON: the bytes, the messages they are, the rule broken where they end, and the names in
//! them that no trailer may have.

#![allow(clippy::unwrap_used)] // a tool of the tests: what it can't read ends it

#[path = "../tests/http1/feed.rs"]
mod feed;
#[path = "../tests/http1/generator.rs"]
mod generator;

use std::io::{BufRead, Write};

use feed::{Direction, Message, Outcome};
use meshnode_engine::http1::{HeadLimits, may_be_trailer};
use serde_json::{Value, json};

fn main() {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let words: Vec<&str> = line.split(' ').collect();
        let (direction, bytes) = match words[..] {
            ["request", hex] => (Direction::Request, unhex(hex)),
            ["response", method, hex] => (Direction::Response(method), unhex(hex)),
            ["generated-request", number] => (
                Direction::Request,
                generator::requests(number.parse().unwrap()),
            ),
            ["generated-response", number] => (
                Direction::Response("GET"),
                generator::response(number.parse().unwrap()),
            ),
            _ => panic!("not understood: {line}"),
        };
        writeln!(out, "{}", verdict(direction, &bytes)).unwrap();
    }
}

/// The messages one after the other, as a connection would carry them.
fn verdict(direction: Direction<'_>, bytes: &[u8]) -> Value {
    let mut messages = Vec::new();
    let mut refused = None;
    let mut at = 0;
    while at < bytes.len() {
        match feed::feed(direction, [&bytes[at..]], &HeadLimits::default(), None) {
            Outcome::Refused(bad) => refused = Some(bad.code()),
            Outcome::Waiting => {}
            Outcome::Accepted(message) => {
                at += message.taken;
                messages.push(as_json(&message));
                let has_next = message.keep_alive && matches!(direction, Direction::Request);
                if has_next || message.flags.contains(&"interim") {
                    continue;
                }
            }
        }
        break;
    }
    let head_only = head_only(bytes);
    json!({"bytes": hex(bytes), "messages": messages, "refused": refused, "head_only": head_only})
}

/// The names, in small letters, that would be dropped from trailers.
fn head_only(bytes: &[u8]) -> Vec<String> {
    let lines = bytes.split(|byte| *byte == b'\n');
    let names = lines.filter_map(|line| line.split(|byte| *byte == b':').next());
    names
        .filter(|name| !may_be_trailer(name))
        .map(|name| text(&name.to_ascii_lowercase()))
        .collect()
}

fn as_json(message: &Message) -> Value {
    json!({
        "start": message.start,
        "fields": fields(&message.fields),
        "framing": message.framing,
        "data": hex(&message.data),
        "trailers": fields(&message.trailers),
        "keep_alive": message.keep_alive,
        "flags": message.flags,
    })
}

/// Names and values as text, each byte one character.
fn fields(fields: &[(Vec<u8>, Vec<u8>)]) -> Vec<[String; 2]> {
    fields
        .iter()
        .map(|(name, value)| [text(name), text(value)])
        .collect()
}

fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap())
        .collect()
}
