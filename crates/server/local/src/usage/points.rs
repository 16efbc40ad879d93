//! Two moments of every node and container, and what was used between them.
//!
//! Pure. Follows metrics-server's `pkg/storage`: the last two samples of each are kept, a container that has begun anew begins anew here, and one
//! that is younger than the time between samples is counted from its start once it is [`YOUNG`] old.

use std::collections::BTreeMap;
use std::time::Duration;

use base::time::Time;

/// How old a container must be for what it used since its start to say something.
const YOUNG: Duration = Duration::from_secs(10);

/// What is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// CPU time since the start, in nanoseconds.
    pub cpu_nanos: u64,
    /// Memory that cannot be dropped at once, in bytes.
    pub working_set_bytes: u64,
}

/// A container at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerSample {
    /// Its name.
    pub name: String,
    /// When it started.
    pub started: Time,
    /// What it has used.
    pub count: Count,
}

/// A pod at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodSample {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its containers that run.
    pub containers: Vec<ContainerSample>,
}

/// A node and its pods at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When.
    pub at: Time,
    /// What all of the machine has used.
    pub machine: Count,
    /// Its pods.
    pub pods: Vec<PodSample>,
}

/// What was used between two moments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    /// The later moment.
    pub at: Time,
    /// The time between them.
    pub window: Duration,
    /// CPU, in billionths of one.
    pub cpu_nanos_per_second: u64,
    /// Memory at the later moment, in bytes.
    pub working_set_bytes: u64,
}

#[derive(Clone, Copy, Debug)]
struct Point {
    at: Time,
    count: Count,
    started: Time,
}

/// The last moment, and the one before it if there is one that can be compared with it.
#[derive(Clone, Copy, Debug)]
struct Pair {
    last: Point,
    before: Option<Point>,
}

impl Pair {
    fn after(known: Option<&Pair>, last: Point, resolution: Duration) -> Pair {
        let age = last.at.since(last.started);
        if last.started != Time::EPOCH && age < resolution && age >= YOUNG {
            let before = Point { at: last.started, count: Count::default(), started: last.started };
            return Pair { last, before: Some(before) };
        }
        let same = known.filter(|known| last.started < known.last.at);
        let before = same.and_then(|known| {
            if last.at > known.last.at {
                Some(known.last)
            } else {
                known.before.filter(|own| own.at < last.at)
            }
        });
        Pair { last, before }
    }

    fn used(&self) -> Option<Used> {
        let Pair { last, before } = self;
        let before = before.as_ref()?;
        // A counter that falls is another one.
        let nanos = last.count.cpu_nanos.checked_sub(before.count.cpu_nanos)?;
        let window = last.at.since(before.at);
        let rate = u128::from(nanos) * 1_000_000_000 / window.as_nanos().max(1);
        Some(Used {
            at: last.at,
            window,
            cpu_nanos_per_second: u64::try_from(rate).unwrap_or(u64::MAX),
            working_set_bytes: last.count.working_set_bytes,
        })
    }
}

/// What is known of all nodes and pods.
#[derive(Clone, Debug, Default)]
pub struct Points {
    nodes: BTreeMap<String, Pair>,
    pods: BTreeMap<(String, String), BTreeMap<String, Pair>>,
}

impl Points {
    /// What is known after these samples; nodes that gave none are known no more.
    #[must_use]
    pub fn after(&self, samples: Vec<(String, Sample)>, resolution: Duration) -> Points {
        let mut next = Points::default();
        for (node, sample) in samples {
            let point = |count, started| Point { at: sample.at, count, started };
            let machine = point(sample.machine, Time::EPOCH);
            next.nodes.insert(node.clone(), Pair::after(self.nodes.get(&node), machine, resolution));
            for pod in sample.pods {
                let key = (pod.namespace, pod.name);
                let known = self.pods.get(&key);
                let pairs = pod.containers.into_iter().map(|own| {
                    let known = known.and_then(|known| known.get(&own.name));
                    let pair = Pair::after(known, point(own.count, own.started), resolution);
                    (own.name, pair)
                });
                let pairs = pairs.collect();
                next.pods.insert(key, pairs);
            }
        }
        next
    }

    /// What a node uses; `None` while that is not known.
    pub fn node(&self, name: &str) -> Option<Used> {
        self.nodes.get(name)?.used()
    }

    /// What the containers of a pod use, by their names; `None` while that is not known of all of them.
    pub fn pod(&self, namespace: &str, name: &str) -> Option<Vec<(&str, Used)>> {
        let own = self.pods.get(&(namespace.to_owned(), name.to_owned()))?;
        let complete = !own.is_empty() && own.values().all(|pair| pair.before.is_some());
        let used = own.iter().filter_map(|(name, pair)| Some((name.as_str(), pair.used()?)));
        complete.then(|| used.collect()).filter(|used: &Vec<_>| !used.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESOLUTION: Duration = Duration::from_secs(15);

    fn at(seconds: i64) -> Time {
        Time::from_unix_seconds(1000 + seconds)
    }

    fn sample(seconds: i64, machine: u64, containers: &[(&str, i64, u64)]) -> Vec<(String, Sample)> {
        let count = |seconds: u64| Count { cpu_nanos: seconds * 1_000_000_000, working_set_bytes: 7 };
        let container = |(name, started, cpu): &(&str, i64, u64)| ContainerSample {
            name: (*name).to_owned(),
            started: at(*started),
            count: count(*cpu),
        };
        let containers = containers.iter().map(container).collect();
        let pod = PodSample { namespace: "shop".to_owned(), name: "web".to_owned(), containers };
        vec![("one".to_owned(), Sample { at: at(seconds), machine: count(machine), pods: vec![pod] })]
    }

    /// Each container's name, what it uses, and over how long.
    type Containers = Vec<(String, u64, u64)>;

    /// What is said after samples: of the node, then of each container, in thousandths of a CPU over seconds.
    fn told(samples: &[Vec<(String, Sample)>]) -> (Option<(u64, u64)>, Option<Containers>) {
        let all = samples.iter().fold(Points::default(), |own, next| own.after(next.clone(), RESOLUTION));
        let short = |used: Used| (used.cpu_nanos_per_second / 1_000_000, used.window.as_secs());
        let pod = all.pod("shop", "web").map(|own| {
            own.into_iter().map(|(name, used)| (name.to_owned(), short(used).0, short(used).1)).collect()
        });
        (all.node("one").map(short), pod)
    }

    #[test]
    fn use_is_a_rate_between_the_last_two_samples() {
        let one = sample(0, 100, &[("main", -100, 50)]);
        let two = sample(15, 130, &[("main", -100, 65)]);
        let three = sample(25, 135, &[("main", -100, 66)]);
        assert_eq!(told(std::slice::from_ref(&one)), (None, None));
        let main = |cpu, window| Some(vec![("main".to_owned(), cpu, window)]);
        assert_eq!(told(&[one.clone(), two.clone()]), (Some((2000, 15)), main(1000, 15)));
        assert_eq!(told(&[one.clone(), two.clone(), three]), (Some((500, 10)), main(100, 10)));
        // The same moment again says nothing new.
        assert_eq!(told(&[one.clone(), two.clone(), two.clone()]), (Some((2000, 15)), main(1000, 15)));
        assert_eq!(told(&[one, Vec::new(), two]), (None, None));
    }

    #[test]
    fn a_container_that_begins_anew_is_counted_anew() {
        let one = sample(0, 100, &[("main", -100, 50)]);
        for (started, cpu, wanted) in [(3, 6, Some((500, 12))), (8, 2, None)] {
            let two = sample(15, 130, &[("main", started, cpu)]);
            let wanted = wanted.map(|(cpu, window)| vec![("main".to_owned(), cpu, window)]);
            assert_eq!(told(&[one.clone(), two]).1, wanted, "{started}");
        }
        let less = sample(15, 90, &[("main", -100, 10)]);
        assert_eq!(told(&[one.clone(), less]), (None, None));
        let more = sample(15, 130, &[("main", -100, 65), ("side", 14, 1)]);
        assert_eq!(told(&[one, more]).1, None, "of a pod all of it is known, or nothing");
    }
}
