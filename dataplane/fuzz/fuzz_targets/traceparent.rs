//! Any `traceparent` and `tracestate` of a caller: what is sent on is whole by the grammar, whatever came.
#![no_main]

use meshnode_engine::random::Random;
use meshnode_engine::trace::{TRACESTATE_BYTES, TraceContext};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let mut lines = input.split(|byte| *byte == b'\n');
    let parent = lines.next();
    let states: Vec<&[u8]> = lines.collect();
    let mut random = Random::from_seed(7);
    let context = TraceContext::begin(parent, states.iter().copied(), 0.5, &mut random);
    assert_ne!(context.trace_id, [0; 16]);
    assert_ne!(context.span_id, [0; 8]);
    assert_ne!(context.parent_id, Some([0; 8]));
    if let Some(state) = &context.tracestate {
        assert!(state.len() <= TRACESTATE_BYTES && context.parent_id.is_some());
        assert!(
            state
                .bytes()
                .all(|byte| matches!(byte, b'\t' | b' '..=b'~'))
        );
    }
    // The next hop reads what is sent on, as it was meant.
    let sent = context.traceparent();
    let kept = context.tracestate.as_ref().map(|state| state.as_bytes());
    let next = TraceContext::begin(Some(&sent), kept, 0.0, &mut random);
    assert_eq!(next.trace_id, context.trace_id);
    assert_eq!(next.parent_id, Some(context.span_id));
    assert_eq!(
        (next.is_sampled, next.is_random),
        (context.is_sampled, context.is_random)
    );
    assert_eq!(next.tracestate, context.tracestate);
});
