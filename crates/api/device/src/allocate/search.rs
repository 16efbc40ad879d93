//! The search itself.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use api_cel::Value;
use api_types::resource::v1::{Device, ResourceClaim};

use super::constraint::Constraint;
use super::counters::Counters;
use super::request::{Request, Wanted, shown};
use super::{Allocator, Failure};
use crate::limits::{RESULTS, STEPS};
use crate::pool::{Node, Offer, Pool, Standing};
use crate::state::{Consumed, consume, release};
use crate::{DeviceId, capacity, selector, taint};

/// Where a device is: the places of its pool, of its slice there, and its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pool: usize,
    offer: usize,
    device: usize,
}

/// Which device is looked for: one of a claim's, of a request's, of an alternative's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    claim: usize,
    request: usize,
    alternative: usize,
    device: usize,
}

/// Why a branch of the search was left for good.
enum Stop {
    /// The claim would have too many devices, whichever they are.
    TooMany,
    Failed(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Stop {
        Stop::Failed(failure)
    }
}

/// A device that was chosen for a request.
pub(super) struct Chosen<'a> {
    pub(super) request: usize,
    pub(super) alternative: usize,
    pub(super) id: &'a DeviceId,
    pub(super) device: &'a Device,
    pub(super) offer: &'a Offer,
    pub(super) is_shared: bool,
    pub(super) consumed: Consumed,
}

/// How much of a device that can be shared is being allocated.
#[derive(Default)]
struct Share {
    shares: usize,
    consumed: Consumed,
}

pub(super) struct Search<'s, 'a> {
    allocator: &'s Allocator<'a>,
    pub(super) node: Node<'a>,
    pub(super) claims: Vec<&'a ResourceClaim>,
    pools: &'s [Pool<'a>],
    /// By claim, request and alternative.
    pub(super) requests: Vec<Vec<Vec<Request<'a>>>>,
    /// The alternatives that were settled on, by claim and request.
    pub(super) settled: Vec<Vec<usize>>,
    /// The devices of requests for all, by claim, request and alternative.
    all: BTreeMap<(usize, usize, usize), Vec<Place>>,
    constraints: Vec<Vec<Constraint<'a>>>,
    pub(super) chosen: Vec<Vec<Chosen<'a>>>,
    /// By device: how often for which claim.
    allocating: BTreeMap<&'a DeviceId, BTreeMap<usize, usize>>,
    sharing: BTreeMap<&'a DeviceId, Share>,
    counters: BTreeMap<usize, Counters<'a>>,
    seen: BTreeMap<Place, Value>,
    selectable: BTreeMap<(usize, usize, usize, Place), bool>,
    steps: usize,
}

impl<'s, 'a> Search<'s, 'a> {
    pub(super) fn new(
        allocator: &'s Allocator<'a>,
        node: Node<'a>,
        claims: &[&'a ResourceClaim],
        pools: &'s [Pool<'a>],
    ) -> Result<Search<'s, 'a>, Failure> {
        let mut search = Search {
            allocator,
            node,
            claims: claims.to_vec(),
            pools,
            requests: Vec::new(),
            settled: Vec::new(),
            all: BTreeMap::new(),
            constraints: Vec::new(),
            chosen: claims.iter().map(|_| Vec::new()).collect(),
            allocating: BTreeMap::new(),
            sharing: BTreeMap::new(),
            counters: BTreeMap::new(),
            seen: BTreeMap::new(),
            selectable: BTreeMap::new(),
            steps: 0,
        };
        for (at, claim) in claims.iter().enumerate() {
            search.look_at(at, claim)?;
        }
        Ok(search)
    }

    /// Takes in a claim, and refuses what cannot come to a good end.
    fn look_at(&mut self, at: usize, claim: &'a ResourceClaim) -> Result<(), Failure> {
        let mut least = 0;
        self.requests.push(Vec::new());
        for (of, request) in claim.spec.devices.requests.iter().enumerate() {
            let alternatives = Request::all(self.allocator, claim, request)?;
            self.requests[at].push(alternatives);
            let mut fewest = usize::MAX;
            for alternative in 0..self.requests[at][of].len() {
                let devices = match self.requests[at][of][alternative].wanted {
                    Wanted::Count(count) => count,
                    Wanted::All => {
                        let places = self.places_of_all(at, of, alternative)?;
                        let count = places.len();
                        self.all.insert((at, of, alternative), places);
                        count
                    }
                };
                fewest = fewest.min(devices);
            }
            if fewest > RESULTS - least {
                return Err(Failure::Claims(format!(
                    "claim {}, request {}: adding {fewest} devices exceeds the claim limit of {RESULTS}, with {least} already accounted for",
                    shown(claim),
                    request.name
                )));
            }
            least += fewest;
        }
        self.settled.push(vec![0; claim.spec.devices.requests.len()]);
        self.constraints.push(Constraint::all(claim)?);
        Ok(())
    }

    /// The devices that a request for all means.
    fn places_of_all(
        &mut self,
        claim: usize,
        request: usize,
        alternative: usize,
    ) -> Result<Vec<Place>, Failure> {
        let turn = Turn { claim, request, alternative, device: 0 };
        let mut places = Vec::new();
        let pools = self.pools;
        for (at, pool) in pools.iter().enumerate() {
            let state = match pool.standing {
                Standing::Usable => "",
                Standing::Incomplete => "being updated",
                Standing::Invalid => "invalid",
            };
            if !state.is_empty() {
                let (name, pool) = (self.request(turn).name, pool.name());
                return Err(self.failed(
                    claim,
                    &format!(
                        "request {name}: asks for all devices, but resource pool {pool} is currently {state}"
                    ),
                ));
            }
            for (of, offer) in pool.here.iter().enumerate() {
                for device in 0..offer.ids.len() {
                    let place = Place { pool: at, offer: of, device };
                    if self.is_selectable(turn, place)? && self.has_capacity(turn, place, false)? {
                        places.push(place);
                    }
                }
            }
        }
        Ok(places)
    }

    /// Looks for a solution; whether there is one.
    pub(super) fn run(&mut self) -> Result<bool, Failure> {
        match self.next(Turn::default(), false, Place::default()) {
            Ok(found) => Ok(found),
            Err(Stop::TooMany) => Ok(false),
            Err(Stop::Failed(failure)) => Err(failure),
        }
    }

    fn failed(&self, claim: usize, what: &str) -> Failure {
        Failure::Claims(format!("claim {}, {what}", shown(self.claims[claim])))
    }

    fn request(&self, turn: Turn) -> &Request<'a> {
        &self.requests[turn.claim][turn.request][turn.alternative]
    }

    fn at(&self, place: Place) -> (&'a Offer, &'a DeviceId, &'a Device) {
        let offer = self.pools[place.pool].here[place.offer];
        (offer, &offer.ids[place.device], &offer.slice.spec.devices[place.device])
    }

    /// Chooses a device and all that come after it. `is_settled` says that an alternative of the request is being tried already; devices
    /// before `start` have been tried.
    fn next(&mut self, turn: Turn, is_settled: bool, start: Place) -> Result<bool, Stop> {
        self.steps += 1;
        if self.steps > STEPS {
            return Err(Failure::TooLong.into());
        }
        if turn.claim >= self.claims.len() {
            return Ok(true);
        }
        if turn.request >= self.requests[turn.claim].len() {
            let next = Turn { claim: turn.claim + 1, ..Turn::default() };
            return match self.next(next, false, Place::default()) {
                // Another choice for a claim before it may let this one have fewer.
                Err(Stop::TooMany) => Ok(false),
                other => other,
            };
        }
        if !is_settled && self.request(turn).parent.is_some() {
            return self.first_available(turn);
        }
        let all = self.all.get(&(turn.claim, turn.request, turn.alternative));
        let devices = match (self.request(turn).wanted, all) {
            (Wanted::All, Some(all)) if !all.is_empty() => all.len(),
            (Wanted::All, _) => return Ok(false),
            (Wanted::Count(count), _) => count,
        };
        if turn.device >= devices {
            let next = Turn { claim: turn.claim, request: turn.request + 1, ..Turn::default() };
            return self.next(next, false, Place::default());
        }
        if devices - turn.device > RESULTS - self.chosen[turn.claim].len() {
            return Err(Stop::TooMany);
        }
        match all.map(|all| all[turn.device]) {
            Some(place) => self.take_one_of_all(turn, place),
            None => self.take_any(turn, is_settled, start),
        }
    }

    /// The first of a request's alternatives with which everything works out.
    fn first_available(&mut self, turn: Turn) -> Result<bool, Stop> {
        let mut is_too_many = true;
        for alternative in 0..self.requests[turn.claim][turn.request].len() {
            match self.next(Turn { alternative, ..turn }, true, Place::default()) {
                Err(Stop::TooMany) => continue,
                Err(other) => return Err(other),
                Ok(true) => {
                    self.settled[turn.claim][turn.request] = alternative;
                    return Ok(true);
                }
                Ok(false) => is_too_many = false,
            }
        }
        if is_too_many { Err(Stop::TooMany) } else { Ok(false) }
    }

    fn take_one_of_all(&mut self, turn: Turn, place: Place) -> Result<bool, Stop> {
        if !self.take(turn, place, true)? {
            return Ok(false);
        }
        let next = Turn { device: turn.device + 1, ..turn };
        let found = self.next(next, true, Place::default());
        if !matches!(found, Ok(true)) {
            self.give_back(turn, place);
        }
        found
    }

    fn take_any(&mut self, turn: Turn, is_settled: bool, start: Place) -> Result<bool, Stop> {
        let pools = self.pools;
        for (pool, own) in pools.iter().enumerate().skip(start.pool) {
            if own.standing != Standing::Usable {
                continue;
            }
            let first = if pool == start.pool { start.offer } else { 0 };
            for (offer, devices) in own.here.iter().enumerate().skip(first) {
                let first = if (pool, offer) == (start.pool, start.offer) { start.device } else { 0 };
                for device in first..devices.ids.len() {
                    let place = Place { pool, offer, device };
                    if !self.is_candidate(turn, place)? || !self.take(turn, place, false)? {
                        continue;
                    }
                    let next = Turn { device: turn.device + 1, ..turn };
                    let after = Place { device: device + 1, ..place };
                    let found = self.next(next, is_settled, after);
                    if matches!(found, Ok(true)) {
                        return found;
                    }
                    self.give_back(turn, place);
                    found?;
                }
            }
        }
        Ok(false)
    }

    /// Whether a device could be had for a request, but for constraints and counters.
    fn is_candidate(&mut self, turn: Turn, place: Place) -> Result<bool, Stop> {
        let (_, id, _) = self.at(place);
        let is_in_use = match self.request(turn).is_admin {
            true => self.is_allocating(id, turn.claim),
            false => self.is_in_use(id),
        };
        Ok(!is_in_use && self.is_selectable(turn, place)? && self.has_capacity(turn, place, true)?)
    }

    fn is_allocating(&self, id: &DeviceId, claim: usize) -> bool {
        self.allocating.get(id).is_some_and(|claims| claims.contains_key(&claim))
    }

    fn is_in_use(&self, id: &DeviceId) -> bool {
        self.allocator.state.is_exclusive(id) || self.allocating.contains_key(id)
    }

    /// Whether the selectors of class and request, and the device itself, allow it.
    fn is_selectable(&mut self, turn: Turn, place: Place) -> Result<bool, Failure> {
        let key = (turn.claim, turn.request, turn.alternative, place);
        if let Some(known) = self.selectable.get(&key) {
            return Ok(*known);
        }
        let (offer, id, device) = self.at(place);
        let mut fits = offer.is_reachable(place.device, self.node);
        if self.request(turn).is_choosy() {
            if let Entry::Vacant(entry) = self.seen.entry(place) {
                let failed = |why| Failure::Claims(format!("on device {id}: CEL runtime error: {why}"));
                entry.insert(selector::seen(&id.driver, device).map_err(failed)?);
            }
            // Also of a device that cannot be reached: an expression that fails is to be told of wherever it does.
            fits &= self.request(turn).selects(id, &self.seen[&place])?;
        }
        self.selectable.insert(key, fits);
        Ok(fits)
    }

    /// Whether a device has what the request wants of it; beside what is taken, or at all.
    fn has_capacity(&self, turn: Turn, place: Place, beside: bool) -> Result<bool, Failure> {
        let (_, id, device) = self.at(place);
        let request = self.request(turn);
        let taken = [self.allocator.state.consumed(id), self.sharing.get(id).map(|share| &share.consumed)];
        let taken = if beside { &taken[..] } else { &[] };
        capacity::fits(request.capacity, device, taken).map_err(|why| {
            self.failed(
                turn.claim,
                &format!("request {}: checking capacity for device {id}: {why}", request.name),
            )
        })
    }

    /// Takes a device for a request; whether it can be had. `must` says that no other will do.
    fn take(&mut self, turn: Turn, place: Place, must: bool) -> Result<bool, Stop> {
        let (offer, id, device) = self.at(place);
        let is_shared = device.allow_multiple_allocations == Some(true);
        let is_admin = self.request(turn).is_admin;
        if (is_admin && !is_shared && self.is_allocating(id, turn.claim)) || (!is_admin && self.is_in_use(id))
        {
            return Ok(false);
        }
        if !self.has_capacity(turn, place, true)? || taint::prevents(device, self.request(turn).tolerations) {
            return Ok(false);
        }
        let consumed = match is_shared {
            false => Consumed::new(),
            true => capacity::taken(self.request(turn).capacity, device).map_err(|why| {
                let what = format!("computing consumed capacity for device {id}: {why}");
                self.failed(turn.claim, &format!("request {}: {what}", self.request(turn).name))
            })?,
        };
        if self.pays(id, device) && !self.counters_of(place).take(device) {
            return Ok(false);
        }
        if !self.meet_constraints(turn, id, device) {
            if self.pays(id, device) {
                self.counters_of(place).give_back(device);
            }
            return match must {
                true => Err(self
                    .failed(
                        turn.claim,
                        &format!(
                            "request {}: cannot add device {id} because a claim constraint would not be satisfied",
                            self.request(turn).name
                        ),
                    )
                    .into()),
                false => Ok(false),
            };
        }
        if is_shared {
            let share = self.sharing.entry(id).or_default();
            share.shares += 1;
            consume(&mut share.consumed, &consumed);
        } else {
            *self.allocating.entry(id).or_default().entry(turn.claim).or_default() += 1;
        }
        let (request, alternative) = (turn.request, turn.alternative);
        self.chosen[turn.claim].push(Chosen { request, alternative, id, device, offer, is_shared, consumed });
        Ok(true)
    }

    /// Gives back the device that was taken last.
    fn give_back(&mut self, turn: Turn, place: Place) {
        let (_, id, device) = self.at(place);
        let Some(chosen) = self.chosen[turn.claim].pop() else { return };
        if chosen.is_shared {
            if let Some(share) = self.sharing.get_mut(id) {
                share.shares -= 1;
                release(&mut share.consumed, &chosen.consumed);
                if share.shares == 0 {
                    self.sharing.remove(id);
                }
            }
        } else if let Some(claims) = self.allocating.get_mut(id) {
            claims.remove(&turn.claim);
            if claims.is_empty() {
                self.allocating.remove(id);
            }
        }
        let request = &self.requests[turn.claim][turn.request][turn.alternative];
        for constraint in &mut self.constraints[turn.claim] {
            constraint.remove(request);
        }
        if self.pays(id, device) {
            self.counters_of(place).give_back(device);
        }
    }

    /// Whether counters have to be paid for a device: for one that is shared only the first time.
    fn pays(&self, id: &DeviceId, device: &Device) -> bool {
        let is_known = || self.allocator.state.is_shared(id) || self.sharing.contains_key(id);
        let is_shared = device.allow_multiple_allocations == Some(true) && is_known();
        !device.consumes_counters.is_empty() && !is_shared
    }

    fn counters_of(&mut self, place: Place) -> &mut Counters<'a> {
        let (pools, state) = (self.pools, self.allocator.state);
        self.counters.entry(place.pool).or_insert_with(|| Counters::of(&pools[place.pool], state))
    }

    /// Whether all of a claim's constraints let a device be added; all of them have it then, or none.
    fn meet_constraints(&mut self, turn: Turn, id: &DeviceId, device: &'a Device) -> bool {
        let request = &self.requests[turn.claim][turn.request][turn.alternative];
        let constraints = &mut self.constraints[turn.claim];
        let refuses = |own: &mut Constraint<'a>| !own.add(request, id, device);
        let Some(met) = constraints.iter_mut().position(refuses) else { return true };
        for constraint in &mut constraints[..met] {
            constraint.remove(request);
        }
        false
    }
}
