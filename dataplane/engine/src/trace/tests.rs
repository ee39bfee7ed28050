//! Headers as the W3C's own test suite has them, and what goes out again.

use proptest::prelude::*;

use super::*;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

fn begin(traceparent: Option<&str>, tracestate: &[&str]) -> TraceContext {
    let tracestate = tracestate.iter().map(|header| header.as_bytes());
    let mut random = Random::from_seed(1);
    TraceContext::begin(traceparent.map(str::as_bytes), tracestate, 0.0, &mut random)
}

/// Whether a header is gone on with.
fn is_parent(traceparent: &str) -> bool {
    begin(Some(traceparent), &[]).parent_id.is_some()
}

fn hex(bytes: &[u8]) -> String {
    let mut text = vec![0; bytes.len() * 2];
    write_hex(bytes, &mut text);
    String::from_utf8(text).unwrap()
}

#[test]
fn a_valid_parent_is_gone_on_with() {
    let context = begin(Some(&format!("00-{TRACE}-{SPAN}-01")), &["rojo=1"]);
    assert_eq!(hex(&context.trace_id), TRACE);
    assert_eq!(hex(&context.parent_id.unwrap()), SPAN);
    assert!(context.is_sampled && !context.is_random);
    assert_eq!(context.tracestate.as_deref(), Some("rojo=1"));
    let header = String::from_utf8(context.traceparent().to_vec()).unwrap();
    assert_eq!(header, format!("00-{TRACE}-{}-01", hex(&context.span_id)));
    assert_ne!(hex(&context.span_id), SPAN);
    assert_eq!(context.trace_id_hex(), TRACE.as_bytes());
}

#[test]
fn the_flags_are_read_and_only_those_known_are_sent_on() {
    for (flags, is_sampled, is_random, sent) in [
        ("00", false, false, "00"),
        ("02", false, true, "02"),
        ("03", true, true, "03"),
        ("ff", true, true, "03"),
        ("fc", false, false, "00"),
    ] {
        let context = begin(Some(&format!("00-{TRACE}-{SPAN}-{flags}")), &[]);
        assert_eq!(
            (context.is_sampled, context.is_random),
            (is_sampled, is_random),
            "{flags}"
        );
        assert!(context.traceparent().ends_with(sent.as_bytes()), "{flags}");
    }
}

#[test]
fn a_traceparent_that_breaks_a_rule_is_ignored() {
    let valid = format!("00-{TRACE}-{SPAN}-01");
    assert!(is_parent(&valid));
    let zero_trace = "0".repeat(32);
    let zero_span = "0".repeat(16);
    for header in [
        String::new(),
        "00".to_owned(),
        format!("00-{TRACE}-{SPAN}"),
        format!("00-{TRACE}-{SPAN}-"),
        format!("00-{TRACE}-{SPAN}-1"),
        format!("00-{TRACE}-{SPAN}-01-"),
        format!("00-{TRACE}-{SPAN}-01-what"),
        format!("00-{TRACE}-{SPAN}-01."),
        format!("00-{TRACE}-{SPAN}-0x"),
        format!("00-{TRACE}-{SPAN}-.0"),
        format!("ff-{TRACE}-{SPAN}-01"),
        format!("ff-{TRACE}-{SPAN}-01-what"),
        format!("0-{TRACE}-{SPAN}-01"),
        format!(".0-{TRACE}-{SPAN}-01"),
        format!("0A-{TRACE}-{SPAN}-01-x"),
        format!("00-{zero_trace}-{SPAN}-01"),
        format!("00-{TRACE}-{zero_span}-01"),
        format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
        format!("00-{TRACE}-{}-01", SPAN.to_uppercase()),
        format!("00-.{}-{SPAN}-01", &TRACE[1..]),
        format!("00-{}-{SPAN}-01", &TRACE[1..]),
        format!("00-{TRACE}{SPAN}-01-1"),
        format!("00_{TRACE}-{SPAN}-01"),
        format!(" {valid}"),
        format!("{valid} "),
        format!("{valid},{valid}"),
    ] {
        assert!(!is_parent(&header), "{header:?} is gone on with");
    }
    let mut random = Random::from_seed(1);
    let context = TraceContext::begin(Some(&[0xff; 55]), [&b"a=1"[..]], 1.0, &mut random);
    assert_eq!((context.parent_id, context.tracestate), (None, None));
}

#[test]
fn a_later_version_is_read_by_its_first_fields() {
    for header in [
        format!("cc-{TRACE}-{SPAN}-01"),
        format!("01-{TRACE}-{SPAN}-01-"),
        format!("cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like"),
    ] {
        assert!(is_parent(&header), "{header:?}");
    }
    assert!(!is_parent(&format!("cc-{TRACE}-{SPAN}-01.what")));
    let sent = begin(Some(&format!("cc-{TRACE}-{SPAN}-01-x")), &[]).traceparent();
    assert!(sent.starts_with(b"00-"), "we speak version 00");
}

#[test]
fn the_state_is_kept_as_it_came_or_not_at_all() {
    let parent = format!("00-{TRACE}-{SPAN}-00");
    let state = |headers: &[&str]| begin(Some(&parent), headers).tracestate;
    let check = |headers: &[&str], wanted: &str| {
        assert_eq!(state(headers).as_deref(), Some(wanted), "{headers:?}");
    };
    check(&["foo=1", "bar=2"], "foo=1,bar=2");
    check(&["foo=1,bar=2", "", "rojo=1"], "foo=1,bar=2,rojo=1");
    check(&["foo=1 \t , \t bar=2"], "foo=1 \t , \t bar=2");
    check(&["foo=1,,,bar=2"], "foo=1,,,bar=2");
    check(
        &["foo@=1,@bar=2"].map(|_| "tenant@system=1"),
        "tenant@system=1",
    );
    check(&["0a@b=1"], "0a@b=1");
    check(&["a=b c!\"#~"], "a=b c!\"#~");
    check(&["foo=1,foo=2"], "foo=1,foo=2");
    let longest_key = format!("{}=1", "z".repeat(256));
    check(&[&longest_key], &longest_key);
    let longest_value = format!("a={}", "v".repeat(256));
    check(&[&longest_value], &longest_value);

    for headers in [
        &[][..],
        &[""],
        &[" "],
        &[",,"],
        &["foo"],
        &["foo="],
        &["=1"],
        &["foo=1=2"],
        &["Foo=1"],
        &["foo =1"],
        &["fo;o=1"],
        &["_a=1"],
        &["@a=1"],
        &["foo=b\u{7f}r"],
        &["foo=ü"],
        &["foo=1\u{0}"],
        &["foo=1", "bar"],
    ] {
        assert_eq!(state(headers), None, "{headers:?}");
    }
    assert_eq!(state(&[&format!("{}=1", "z".repeat(257))]), None);
    assert_eq!(state(&[&format!("a={}", "v".repeat(257))]), None);
}

#[test]
fn the_state_is_bounded() {
    let parent = format!("00-{TRACE}-{SPAN}-00");
    let state = |headers: &[&str]| begin(Some(&parent), headers).tracestate;
    let members = |count: usize| {
        (0..count)
            .map(|at| format!("b{at}=1"))
            .collect::<Vec<_>>()
            .join(",")
    };
    assert!(state(&[&members(32)]).is_some());
    assert!(state(&[&members(33)]).is_none());
    let half = format!("a={}", "1".repeat(TRACESTATE_BYTES / 2 - 3));
    assert_eq!(
        state(&[&half, &half]).map(|state| state.len()),
        Some(TRACESTATE_BYTES - 1)
    );
    let more = format!("{half}11");
    assert!(state(&[&half, &more]).is_none());
    let endless = vec!["a=1"; 100_000];
    assert!(state(&endless).is_none());
}

#[test]
fn a_trace_that_begins_here_is_new_and_random() {
    let mut random = Random::from_seed(5);
    let mut begin = || TraceContext::begin(None, [&b"a=1"[..]], 1.0, &mut random);
    let (one, other) = (begin(), begin());
    assert_ne!((one.trace_id, one.span_id), (other.trace_id, other.span_id));
    assert!(one.parent_id.is_none() && one.is_random && one.is_sampled && one.tracestate.is_none());
    assert!(one.traceparent().ends_with(b"-03"));
}

#[test]
fn the_ratio_is_kept_and_decided_by_the_low_seven_bytes() {
    let mut random = Random::from_seed(9);
    for (ratio, least, most) in [
        (0.0, 0, 0),
        (1.0, 10_000, 10_000),
        (0.25, 2300, 2700),
        (f64::NAN, 0, 0),
        (7.0, 10_000, 10_000),
        (-1.0, 0, 0),
    ] {
        let begin = |random: &mut Random| TraceContext::begin(None, [], ratio, random).is_sampled;
        let sampled = (0..10_000).filter(|_| begin(&mut random)).count();
        assert!((least..=most).contains(&sampled), "{ratio}: {sampled}");
    }
    let mut low = [0; 16];
    low[..9].fill(0xff);
    assert!(!is_in_ratio(&low, 0.999));
    let mut high = [0xff; 16];
    high[..9].fill(0);
    assert!(is_in_ratio(&high, 0.001));
}

proptest! {
    #[test]
    fn what_is_sent_is_read_again_by_the_next(seed in any::<u64>(), ratio in 0.0..1.0) {
        let mut random = Random::from_seed(seed);
        let first = TraceContext::begin(None, [], ratio, &mut random);
        let next = TraceContext::begin(Some(&first.traceparent()), [], 1.0 - ratio, &mut random);
        prop_assert_eq!(next.trace_id, first.trace_id);
        prop_assert_eq!(next.parent_id, Some(first.span_id));
        prop_assert_eq!(next.is_sampled, first.is_sampled);
        prop_assert_eq!(next.is_random, first.is_random);
    }

    #[test]
    fn no_bytes_make_it_panic(
        traceparent in prop::collection::vec(any::<u8>(), 0..80),
        tracestate in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..4),
    ) {
        let mut random = Random::from_seed(1);
        let states = tracestate.iter().map(Vec::as_slice);
        let context = TraceContext::begin(Some(&traceparent), states, 0.5, &mut random);
        prop_assert!(context.trace_id != [0; 16] && context.span_id != [0; 8]);
    }
}
