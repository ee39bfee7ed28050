//! Chooses the next endpoint, instance or part of a split by smooth weighted round robin. One for each thread;
//! it may not know whether an endpoint can be reached.

mod round;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use self::round::Round;
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
                    .map_or(0, |endpoint| endpoint.share()),
                tried,
            );
        }
        let round = place(&mut self.clusters, &cluster.name, cluster, &mut self.random);
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
            .map(|endpoint| endpoint.share())
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
        Action::Redirect(_) | Action::Answer(_) => &[],
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
