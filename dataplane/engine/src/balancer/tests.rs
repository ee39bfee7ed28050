//! Rounds are exact over a period, spread evenly, keep their place, and don't outlive what they were made for.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn cluster(service: &str, weights: &[u32]) -> Value {
    let endpoint = |(at, weight): (usize, &u32)| {
        let address = format!("10.0.0.1:{}", at + 1);
        json!({"id": format!("e{at}"), "node": "n", "address": address, "weight": weight, "via": "clear"})
    };
    let endpoints: Vec<Value> = weights.iter().enumerate().map(endpoint).collect();
    json!({"service": service, "exists": true, "instances": weights.len(), "endpoints": endpoints})
}

fn snapshot_of(collections: Value) -> Snapshot {
    let mut resources = json!({"settings": {"node": {
        "node": "n", "datacenter": "dc1", "trust_domain": "t", "intention_default": "deny", "trace_ratio": 0,
    }}});
    let Value::Object(collections) = collections else {
        unreachable!()
    };
    resources.as_object_mut().unwrap().extend(collections);
    let document = json!({"schema": 1, "kind": "full", "generation": 1, "digest": "d", "resources": resources});
    Snapshot::empty()
        .apply(document.to_string().as_bytes())
        .unwrap()
}

fn cluster_of(weights: &[u32]) -> Arc<Cluster> {
    let snapshot = snapshot_of(json!({"clusters": {"a": cluster("a", weights)}}));
    Arc::clone(snapshot.clusters.get("a").unwrap())
}

fn balancer() -> Balancer {
    Balancer::new(Random::from_seed(1))
}

fn picks(balancer: &mut Balancer, cluster: &Arc<Cluster>, count: usize) -> Vec<usize> {
    (0..count)
        .map(|_| balancer.pick_endpoint(cluster, &[]).unwrap())
        .collect()
}

#[test]
fn the_heavier_one_is_not_taken_in_a_row() {
    let cluster = cluster_of(&[5, 1, 1]);
    let mut balancer = balancer();
    for _ in 0..3 {
        let round = picks(&mut balancer, &cluster, 7);
        let lights: Vec<usize> = (0..7).filter(|&at| round[at] != 0).collect();
        assert_eq!(lights.len(), 2);
        assert!(lights[0] >= 2 && lights[1] <= 4, "{round:?}");
    }
}

#[test]
fn equals_take_turns() {
    let cluster = cluster_of(&[1, 1, 1]);
    let round = picks(&mut balancer(), &cluster, 6);
    assert_eq!(round[..3], round[3..]);
    let mut once = round[..3].to_vec();
    once.sort_unstable();
    assert_eq!(once, [0, 1, 2]);
}

#[test]
fn threads_begin_at_different_places() {
    let cluster = cluster_of(&[1; 8]);
    let mut first = [0; 8];
    for seed in 0..800 {
        let mut balancer = Balancer::new(Random::from_seed(seed));
        first[balancer.pick_endpoint(&cluster, &[]).unwrap()] += 1;
    }
    assert!(first.iter().all(|&count| count > 50), "{first:?}");
}

#[test]
fn what_was_tried_is_left_out_and_its_turn_comes_still() {
    let cluster = cluster_of(&[1, 1, 1]);
    let mut balancer = balancer();
    let first = balancer.pick_endpoint(&cluster, &[]).unwrap();
    let second = balancer.pick_endpoint(&cluster, &[first]).unwrap();
    let third = balancer.pick_endpoint(&cluster, &[first, second]).unwrap();
    assert_eq!(first + second + third, 3);
    assert_eq!(balancer.pick_endpoint(&cluster, &[0, 1, 2]), None);
    let after = picks(&mut balancer, &cluster, 3);
    assert_eq!(after, [first, second, third], "the next round is whole");
}

#[test]
fn what_was_passed_over_is_not_made_up_for_in_the_next_period() {
    let cluster = cluster_of(&[1, 1]);
    let mut balancer = balancer();
    for _ in 0..2 {
        assert_eq!(balancer.pick_endpoint(&cluster, &[0]), Some(1));
    }
    let mut round = picks(&mut balancer, &cluster, 2);
    round.sort_unstable();
    assert_eq!(round, [0, 1]);
}

#[test]
fn where_there_is_nothing_to_choose_none_is_chosen() {
    let mut balancer = balancer();
    assert_eq!(balancer.pick_endpoint(&cluster_of(&[]), &[]), None);
    assert_eq!(balancer.pick_endpoint(&cluster_of(&[0]), &[]), None);
    assert_eq!(balancer.pick_endpoint(&cluster_of(&[0, 0]), &[]), None);
    assert_eq!(balancer.pick_endpoint(&cluster_of(&[1]), &[]), Some(0));
    assert_eq!(balancer.pick_endpoint(&cluster_of(&[1]), &[0]), None);
    assert_eq!(picks(&mut balancer, &cluster_of(&[0, 3, 0]), 3), [1, 1, 1]);
}

#[test]
fn the_place_is_kept_where_the_endpoints_stay() {
    let before = cluster_of(&[1, 1, 1]);
    let unchanged = cluster_of(&[1, 1, 1]);
    assert!(!Arc::ptr_eq(&before, &unchanged));
    let mut balancer = balancer();
    let first = balancer.pick_endpoint(&before, &[]).unwrap();
    let rest = picks(&mut balancer, &unchanged, 2);
    assert!(!rest.contains(&first), "{first} then {rest:?}");
    let more = cluster_of(&[1, 1, 1, 1]);
    let mut round = picks(&mut balancer, &more, 4);
    round.sort_unstable();
    assert_eq!(round, [0, 1, 2, 3], "a change begins a round of its own");
}

#[test]
fn splits_and_instances_take_turns_too() {
    let part = |cluster: &str, weight: u32| json!({"cluster": cluster, "weight": weight});
    let action = json!({"split": [part("a", 3), part("b", 0), part("b", 1)]});
    let route =
        json!({"key": "k", "index": 1, "hosts": ["h"], "path": {"prefix": "/"}, "action": action});
    let redirect = json!({"redirect": {"status": 301, "location": "/"}});
    let redirect = json!({"key": "k", "index": 1, "hosts": ["r"], "path": {"prefix": "/"}, "action": redirect});
    let instance = |id: &str, is_healthy: bool| json!({"id": id, "addresses": ["10.0.0.1:1"], "healthy": is_healthy});
    let instances = [
        instance("1", true),
        instance("2", false),
        instance("3", true),
    ];
    let snapshot = snapshot_of(json!({
        "clusters": {"a": cluster("a", &[]), "b": cluster("b", &[])},
        "routes": {"split": route, "redirect": redirect},
        "services": {"s": {"service": "s", "instances": instances}, "ill": {"service": "ill", "instances": [instance("1", false)]}},
    }));
    let mut balancer = balancer();
    let split = snapshot.route("split").unwrap();
    let mut counts = [0; 3];
    for _ in 0..8 {
        counts[balancer.pick_cluster(split)] += 1;
    }
    assert_eq!(counts, [6, 0, 2]);
    assert_eq!(
        balancer.pick_cluster(snapshot.route("redirect").unwrap()),
        0
    );

    let service = snapshot.services.get("s").unwrap();
    let first = balancer.pick_instance(service, &[]).unwrap();
    let second = balancer.pick_instance(service, &[]).unwrap();
    assert_eq!(
        (first + second, first * second),
        (2, 0),
        "the healthy ones in turn"
    );
    assert_eq!(balancer.pick_instance(service, &[0, 2]), None);
    assert_eq!(
        balancer.pick_instance(snapshot.services.get("ill").unwrap(), &[]),
        None
    );
}

#[test]
fn what_is_gone_is_forgotten() {
    let both = json!({"a": cluster("a", &[1, 1]), "b": cluster("b", &[1, 1])});
    let snapshot = snapshot_of(json!({"clusters": both}));
    let mut balancer = balancer();
    for cluster in snapshot.clusters.values() {
        balancer.pick_endpoint(cluster, &[]);
    }
    assert_eq!(balancer.clusters.len(), 2);
    balancer.retain(&snapshot_of(
        json!({"clusters": {"b": cluster("b", &[1, 1])}}),
    ));
    assert_eq!(
        balancer
            .clusters
            .keys()
            .map(|name| &**name)
            .collect::<Vec<_>>(),
        ["b"]
    );
    balancer.retain(&Snapshot::empty());
    assert!(balancer.clusters.is_empty());
}

proptest! {
    #[test]
    fn a_period_gives_each_exactly_its_weight_and_no_stretch_much_more(
        weights in prop::collection::vec(0_u32..12, 2..8),
        seed in any::<u64>(),
    ) {
        let period: usize = weights.iter().sum::<u32>() as usize;
        let cluster = cluster_of(&weights);
        let mut balancer = Balancer::new(Random::from_seed(seed));
        for _ in 0..3 {
            let mut counts = vec![0_u32; weights.len()];
            for taken in 1..=period {
                counts[balancer.pick_endpoint(&cluster, &[]).unwrap()] += 1;
                for (&count, &weight) in counts.iter().zip(&weights) {
                    let share = f64::from(weight) * taken as f64 / period as f64;
                    // Off by what each of the others may be early or late.
                    let slack = weights.len() as f64 / 2.0 + 1.0;
                    prop_assert!((f64::from(count) - share).abs() <= slack, "{counts:?} of {weights:?}");
                }
            }
            prop_assert_eq!(&counts, &weights);
        }
    }

    #[test]
    fn tried_ones_are_never_picked_and_others_are_while_there_are_some(
        weights in prop::collection::vec(0_u32..4, 2..6),
        tries in prop::collection::vec(prop::collection::vec(0_usize..6, 0..6), 1..40),
    ) {
        let cluster = cluster_of(&weights);
        let mut balancer = Balancer::new(Random::from_seed(3));
        for tried in &tries {
            let left = (0..weights.len()).any(|at| weights[at] > 0 && !tried.contains(&at));
            let pick = balancer.pick_endpoint(&cluster, tried);
            prop_assert_eq!(pick.is_some(), left);
            if let Some(pick) = pick {
                prop_assert!(weights[pick] > 0 && !tried.contains(&pick));
            }
        }
    }
}
