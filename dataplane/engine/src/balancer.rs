//! Chooses the next endpoint, instance or part of a split by smooth weighted round robin. One for each thread;
//! it may not know whether an endpoint can be reached.
//!
//! Each entry's turns are due at 1/2w, 3/2w, 5/2w … of a period, and the earliest due is next: over a period each
//! gets exactly its weight, spread evenly, for a step in a heap.

use std::cmp::{Ordering, Reverse};
use std::collections::binary_heap::PeekMut;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::random::Random;
use crate::snapshot::{Action, Cluster, LocalService, Route, Snapshot, WeightedCluster};

/// A thread's places in all its rounds.
#[derive(Debug)]
pub struct Balancer {
    clusters: Rounds<Cluster>,
    routes: Rounds<Route>,
    services: Rounds<LocalService>,
    random: Random,
}

type Rounds<T> = HashMap<Arc<str>, Place<T>, RandomState>;

/// The round of one resource.
#[derive(Debug)]
struct Place<T> {
    /// What the round was made for.
    of: Arc<T>,
    round: Round,
}

impl Balancer {
    /// A balancer that begins each round at a place of its own, so that threads and nodes don't all begin alike.
    pub fn new(random: Random) -> Self {
        Self {
            clusters: Rounds::default(),
            routes: Rounds::default(),
            services: Rounds::default(),
            random,
        }
    }

    /// The index of the endpoint whose turn it is, `tried` left out; `None` when there is no other.
    pub fn pick_endpoint(&mut self, cluster: &Arc<Cluster>, tried: &[usize]) -> Option<usize> {
        if cluster.endpoints.len() <= 1 {
            return only(
                cluster
                    .endpoints
                    .first()
                    .map_or(0, |endpoint| endpoint.weight),
                tried,
            );
        }
        let round = place(
            &mut self.clusters,
            &cluster.service,
            cluster,
            &mut self.random,
        );
        round.next(tried)
    }

    /// The index of the part of the route's split whose turn it is; 0 for a route without a split.
    pub fn pick_cluster(&mut self, route: &Arc<Route>) -> usize {
        if split_of(route).len() <= 1 {
            return 0;
        }
        let round = place(&mut self.routes, &route.name, route, &mut self.random);
        round.next(&[]).unwrap_or(0)
    }

    /// The index of the healthy instance whose turn it is, `tried` left out; `None` when there is no other.
    pub fn pick_instance(&mut self, service: &Arc<LocalService>, tried: &[usize]) -> Option<usize> {
        if service.instances.len() <= 1 {
            let is_healthy = service
                .instances
                .first()
                .is_some_and(|instance| instance.healthy);
            return only(u32::from(is_healthy), tried);
        }
        let round = place(
            &mut self.services,
            &service.service,
            service,
            &mut self.random,
        );
        round.next(tried)
    }

    /// Forgets what is no more in the snapshot. To be called when another one comes in force: else what once was
    /// stays in memory for ever.
    pub fn retain(&mut self, snapshot: &Snapshot) {
        self.clusters
            .retain(|name, _| snapshot.clusters.contains_key(name));
        self.services
            .retain(|name, _| snapshot.services.contains_key(name));
        self.routes.retain(|name, _| snapshot.route(name).is_some());
    }
}

/// The choice where there is one at most.
fn only(weight: u32, tried: &[usize]) -> Option<usize> {
    (weight > 0 && !tried.contains(&0)).then_some(0)
}

/// What a round can go through.
trait Weighted {
    fn weights(&self) -> Vec<u32>;

    /// Whether the round of the one can go on as the round of the other.
    fn is_same_round(&self, other: &Self) -> bool;
}

impl Weighted for Cluster {
    fn weights(&self) -> Vec<u32> {
        self.endpoints
            .iter()
            .map(|endpoint| endpoint.weight)
            .collect()
    }

    fn is_same_round(&self, other: &Self) -> bool {
        self.endpoints == other.endpoints
    }
}

impl Weighted for Route {
    fn weights(&self) -> Vec<u32> {
        split_of(self).iter().map(|part| part.weight).collect()
    }

    fn is_same_round(&self, other: &Self) -> bool {
        self.action == other.action
    }
}

impl Weighted for LocalService {
    fn weights(&self) -> Vec<u32> {
        self.instances
            .iter()
            .map(|instance| u32::from(instance.healthy))
            .collect()
    }

    fn is_same_round(&self, other: &Self) -> bool {
        self.instances == other.instances
    }
}

fn split_of(route: &Route) -> &[WeightedCluster] {
    match &route.action {
        Action::Split(parts) => parts,
        Action::Redirect { .. } => &[],
    }
}

/// The round of `of`, begun if there is none or if what it goes through changed.
fn place<'b, T: Weighted>(
    rounds: &'b mut Rounds<T>,
    name: &Arc<str>,
    of: &Arc<T>,
    random: &mut Random,
) -> &'b mut Round {
    // Looked up twice, as the borrow of a found entry would otherwise last over the insertion of a new one.
    if !rounds.contains_key(name) {
        let round = Round::new(&of.weights(), random);
        rounds.insert(
            Arc::clone(name),
            Place {
                of: Arc::clone(of),
                round,
            },
        );
    }
    let Some(place) = rounds.get_mut(name) else {
        unreachable!("it was put there above")
    };
    if !Arc::ptr_eq(&place.of, of) {
        if !place.of.is_same_round(of) {
            place.round = Round::new(&of.weights(), random);
        }
        place.of = Arc::clone(of);
    }
    &mut place.round
}

/// One round and the place in it.
#[derive(Debug)]
struct Round {
    /// Every entry with a weight, the one due next on top.
    due: BinaryHeap<Reverse<Turn>>,
    /// How many turns a period has: the sum of the weights.
    period: u64,
    /// How many of this period were taken.
    taken: u64,
}

/// An entry's next turn, due at `half_turns` / 2 `weight` of the period.
#[derive(Debug, Clone, Copy)]
struct Turn {
    half_turns: u64,
    weight: u32,
    /// Where among equals, which is another place in each thread.
    rank: u32,
    index: u32,
}

impl Round {
    fn new(weights: &[u32], random: &mut Random) -> Self {
        let count = weights.len() as u64;
        let first = random.below(count);
        let turns = weights
            .iter()
            .zip(0_u32..)
            .filter(|&(&weight, _)| weight > 0);
        let due = turns.map(|(&weight, index)| {
            let rank = ((u64::from(index) + count - first) % count) as u32;
            Reverse(Turn {
                half_turns: 1,
                weight,
                rank,
                index,
            })
        });
        let period = weights.iter().map(|&weight| u64::from(weight)).sum();
        Self {
            due: due.collect(),
            period,
            taken: 0,
        }
    }

    fn next(&mut self, tried: &[usize]) -> Option<usize> {
        let mut skipped = Vec::new();
        let chosen = loop {
            let Some(mut top) = self.due.peek_mut() else {
                break None;
            };
            let index = top.0.index as usize;
            if tried.contains(&index) {
                // Its turn stays due: what failed once is asked again by the next request.
                skipped.push(PeekMut::pop(top));
                continue;
            }
            top.0.half_turns += 2;
            break Some(index);
        };
        self.due.extend(skipped);
        if chosen.is_some() {
            self.taken += 1;
            if self.taken == self.period {
                self.begin_period();
            }
        }
        chosen
    }

    /// Begins anew, so that the numbers stay small and what was skipped is not made up for for ever.
    fn begin_period(&mut self) {
        self.taken = 0;
        let begin = |Reverse(turn): Reverse<Turn>| {
            Reverse(Turn {
                half_turns: 1,
                ..turn
            })
        };
        self.due = std::mem::take(&mut self.due)
            .into_iter()
            .map(begin)
            .collect();
    }
}

impl Ord for Turn {
    fn cmp(&self, other: &Self) -> Ordering {
        // a / 2v against b / 2w without dividing; a is at most two periods, so the products stay below 2^63.
        let mine = self.half_turns * u64::from(other.weight);
        let theirs = other.half_turns * u64::from(self.weight);
        mine.cmp(&theirs).then(self.rank.cmp(&other.rank))
    }
}

impl PartialOrd for Turn {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Turn {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Turn {}
